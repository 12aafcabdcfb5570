"""Who waits on what a weak pointer leads to may be woken by it: it is not told to be lost."""

from __future__ import annotations

import pytest

from goprobe.analysis.waits.waits import leaked
from goprobe.target.live import open_target
from tests.support.go import build, matrix, running

_PROGRAM = """package main

import (
	"fmt"
	"os"
	"runtime"
	"weak"
)

type session struct {
	jobs chan string
	next *session
}

var registry = map[int]weak.Pointer[session]{}

//go:noinline
func (s *session) work() {
	for range s.jobs {
	}
	runtime.KeepAlive(s)
}

//go:noinline
func open(id int) {
	s := &session{jobs: make(chan string)}
	s.next = &session{jobs: make(chan string)} // has a worker that nothing else leads to
	registry[id] = weak.Make(s)
	go s.work()
	go s.next.work()
}

//go:noinline
func lone() { // only its own stack has the weak pointer
	s := &session{jobs: make(chan string)}
	own := weak.Make(s)
	<-s.jobs
	fmt.Println(own.Value())
}

//go:noinline
func forgotten() { // nobody has the weak pointer any more
	s := &session{jobs: make(chan string)}
	weak.Make(s)
	<-s.jobs
	runtime.KeepAlive(s)
}

func main() {
	for i := range 3 {
		open(i)
	}
	go lone()
	go forgotten()
	fmt.Println("ready")
	var rest [1]byte
	os.Stdin.Read(rest[:])
	fmt.Println(len(registry))
}
"""
WITH_WEAK = [go for go in matrix() if go not in ("1.21", "1.22", "1.23")]


@pytest.mark.parametrize("stripped", [False, True], ids=["whole", "stripped"])
@pytest.mark.parametrize("go", WITH_WEAK)
def test_who_has_a_weak_pointer_may_wake(go: str, stripped: bool) -> None:
    flags = ["-ldflags=-s -w"] if stripped else []
    with running(build(_PROGRAM, go=go, flags=flags)) as program:
        report = leaked(open_target(program.pid))
    by_start: dict[str, set[bool]] = {}
    for state in report.goroutines:
        by_start.setdefault(state.function, set()).add(state.leaked)
        assert state.leaked or "weak pointer" in state.why_undecided
    assert by_start == {
        "main.(*session).work": {False},
        "main.lone": {True},
        "main.forgotten": {True},
    }
    assert len(report.goroutines) == 8
