"""A slot of the tiny allocator that two values share: what the other has in it is no element of the
one that gives it its name."""

from __future__ import annotations

import pytest

from tests.support.cli import goprobe as command
from tests.support.go import build, matrix, running

_SOURCE = """package main

import (
	"fmt"
	"sync"
	"time"
	"unsafe"
)

var (
	list []uint32
	lock *sync.Mutex
)

func slot(p unsafe.Pointer) uintptr { return uintptr(p) &^ 15 }

func main() {
	for list == nil || slot(unsafe.Pointer(&list[0])) != slot(unsafe.Pointer(lock)) {
		list, lock = make([]uint32, 1), new(sync.Mutex)
	}
	list[0] = 7
	lock.Lock()
	go func() { lock.Lock() }()
	time.Sleep(50 * time.Millisecond)
	fmt.Printf("slot %#x\\n", slot(unsafe.Pointer(lock)))
	fmt.Println("ready")
	for {
		time.Sleep(time.Second)
	}
}
"""


@pytest.mark.parametrize("go", matrix())
def test_each_is_told_for_itself(go: str) -> None:
    with running(build(_SOURCE, go=go)) as program:
        shown = command("heap", str(program.pid), "--object", program["slot"])
        ran = command("goroutines", str(program.pid), "--waits")
    assert "[7]" in shown.text or "other values may share its slot" in " ".join(shown.text.split())
    lines = [line for line in ran.text.splitlines() if "mutex 0x" in line and "sync.Mutex" in line]
    assert lines and all("main.lock (" in line for line in lines)
