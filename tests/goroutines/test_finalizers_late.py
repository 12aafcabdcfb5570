"""A finalizer that never comes to its end: nobody said that none runs any more."""

from __future__ import annotations

import pytest

from tests.support.cli import goprobe as command
from tests.support.go import build, matrix, running

_SOURCE = """package main

import (
	"fmt"
	"os"
	"runtime"
	"time"
)

type conn struct{ body []byte }

var never = make(chan int)

//go:noinline
func stuck(*conn) { <-never }

//go:noinline
func open(waits bool) {
	c := &conn{make([]byte, 100)}
	if waits {
		runtime.SetFinalizer(c, stuck)
	} else {
		runtime.SetFinalizer(c, func(*conn) {})
	}
}

func main() {
	open(len(os.Args) > 1)
	for i := 0; i < 3; i++ {
		runtime.GC()
		time.Sleep(30 * time.Millisecond)
	}
	fmt.Println("ready")
	for {
		time.Sleep(time.Second)
		fmt.Fprint(os.Stderr, len(never))
	}
}
"""


@pytest.mark.parametrize("option", [(), ("--waits",)], ids=str)
@pytest.mark.parametrize("stuck", [True, False], ids=["stuck", "well"])
@pytest.mark.parametrize("go", matrix())
def test_it_is_said_that_none_runs(go: str, stuck: bool, option: tuple[str, ...]) -> None:
    with running(build(_SOURCE, go=go), *(("stuck",) if stuck else ())) as program:
        ran = command("goroutines", str(program.pid), *option)
    told = " ".join(ran.text.split())
    assert ("no finalizer runs: goroutine" in told) is stuck
    assert ("waits in main.stuck (chan receive" in told) is stuck
