"""What the race detector knows of who waits on what makes nobody undecided, and the hundreds of
megabytes that it maps are no reason to doubt a program."""

from __future__ import annotations

from pathlib import Path

import pytest

from goprobe.analysis.waits.waits import leaked
from goprobe.target.live import open_target
from tests.support.go import build, has_gcc, matrix, running

_PROGRAM = """package main
%s
import (
	"fmt"
	"sync"
	"time"
)

func started(f func()) {
	go func() { f() }()
}

func main() {
	%s
	held := make(chan int)
	started(func() { <-make(chan int) })
	started(func() { var m sync.Mutex; m.Lock(); m.Lock() })
	started(func() { var g sync.WaitGroup; g.Add(1); g.Wait() })
	started(func() { c := sync.NewCond(&sync.Mutex{}); c.L.Lock(); c.Wait() })
	started(func() { select { case <-make(chan int): case make(chan string) <- "": } })
	started(func() { <-held })
	time.Sleep(500 * time.Millisecond)
	fmt.Println("ready")
	for {
		time.Sleep(time.Second)
		select {
		case held <- 1:
		default:
		}
	}
}
"""
_C = """
// #include <stdlib.h>
import "C"
"""


@pytest.mark.skipif(not has_gcc(), reason="the race detector needs cgo")
@pytest.mark.parametrize("go", matrix())
def test_leaks_are_told_under_the_race_detector(go: str, tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(_PROGRAM % ("", ""))
    binary = build(tmp_path / "main.go", go=go, flags=("-race",), env={"CGO_ENABLED": "1"})
    with running(binary) as program:
        report = leaked(open_target(program.pid))
    assert report.leaks and (report.leaks.leaked, report.leaks.undecided) == (5, 0)


@pytest.mark.skipif(not has_gcc(), reason="the race detector needs cgo")
def test_where_c_may_wake_them_its_memory_counts(tmp_path: Path) -> None:
    (tmp_path / "main.go").write_text(_PROGRAM % (_C, "C.free(C.malloc(8))"))
    binary = build(tmp_path / "main.go", flags=("-race",), env={"CGO_ENABLED": "1"})
    with running(binary) as program:
        report = leaked(open_target(program.pid))
    assert report.leaks and report.leaks.undecided > 0
    assert report.leaks.leaked + report.leaks.undecided == 5
