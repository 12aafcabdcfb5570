"""What watching calls costs, and how a watch may end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import goprobe
from tests.support.go import build, matrix, running

_EXECS = """package main

import (
	"os"
	"syscall"
	"time"
)

//go:noinline
func never() { println("never") }

func main() {
	if len(os.Args) > 2 {
		never()
	}
	if len(os.Args) > 1 {
		os.Stdout.WriteString("ready\\n")
		time.Sleep(3 * time.Second)
		syscall.Exec("/proc/self/exe", os.Args, nil)
	}
	time.Sleep(time.Hour)
}
"""


@pytest.mark.parametrize("go", matrix())
def test_a_program_that_becomes_another_one_has_not_ended(go: str) -> None:
    binary = build(_EXECS, go=go)
    with running(binary, "again") as program:
        ran = goprobe("calls", str(program.pid), "main.never", "--for", "60s")
        assert Path(f"/proc/{program.pid}/cmdline").read_bytes()
    assert ran.code == 4
    assert "the program replaced itself by another program (exec) before it called any" in ran.err
    ran = goprobe("calls", str(binary), "main.never", "--", "again")
    assert ran.code == 4 and "(exec), which was ended with the watch, before it called" in ran.err


_SHORT = """package main

import (
	"os"
	"sync"
	"time"
)

type node struct {
	names map[string][]string
	next  *node
}

//go:noinline
func short(n *node) int { return len(n.names) }

//go:noinline
func slow(n *node) { time.Sleep(200 * time.Millisecond); println(short(n)) }

func main() {
	n := &node{names: map[string][]string{}}
	for i := 0; i < 64; i++ {
		n.names[string(rune('A'+i))] = []string{"a", "b", "c"}
	}
	n.next = n
	if len(os.Args) > 1 {
		slow(n)
		return
	}
	var all sync.WaitGroup
	for i := 0; i < 4; i++ {
		all.Add(1)
		go func() {
			for j := 0; j < 20; j++ {
				short(n)
			}
			all.Done()
		}()
	}
	all.Wait()
}
"""


@pytest.mark.parametrize("go", matrix())
def test_times_that_watching_makes_are_said_to_be_no_measure(go: str) -> None:
    binary = str(build(_SHORT, go=go))
    ran = goprobe("calls", binary, "main.short", "--args", "--json")
    *calls, report = [json.loads(line) for line in ran.out.splitlines()]
    assert len(calls) == 80 and report["stops"] >= 160
    assert report["stopped_us"] > 0 and report["late_us"] >= 0
    told = " ".join(goprobe("calls", binary, "main.short", "--args").text.split())
    assert "The times are no measure of short calls" in told and "stops took" in told
    # Of what takes long it is nothing.
    assert "no measure" not in goprobe("calls", binary, "main.slow", "--", "slow").text
