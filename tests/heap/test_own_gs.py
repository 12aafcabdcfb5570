"""What a goroutine is to the runtime, and what it waits on, is the goroutine's own."""

from __future__ import annotations

import pytest

from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.target.live import open_target
from tests.support.go import build, matrix, running

_PROGRAM = """package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

type payload struct {
	next *payload
	data [5]int
}

//go:noinline
func wait(own chan *payload) { <-own }

//go:noinline
func choose(one, other chan *payload) {
	select {
	case <-one:
	case <-other:
	}
}

var shared = make(chan *payload)

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	for range make([]int, n) {
		full := make(chan *payload)
		go wait(full)
		go choose(make(chan *payload), make(chan *payload))
		go func() { shared <- &payload{next: &payload{}} }()
	}
	time.Sleep(300 * time.Millisecond)
	fmt.Println("ready")
	var rest [1]byte
	os.Stdin.Read(rest[:])
}
"""
_KINDS = ("wait", "choose", "func1")


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("count", [150, 20_000], ids=["few", "many"])
def test_who_waits_keeps_what_it_waits_on(count: int, go: str) -> None:
    """Not the runtime's lists of all goroutines; in loops that are compiled, and in Python."""
    with running(build(_PROGRAM, go=go), str(count)) as program:
        questions = HeapQuestions(types=True, retained=True)
        report = heap(open_target(program.pid), questions)
    assert report.graph and report.tree
    assert sum(row.retained_bytes for row in report.tree) == report.graph.reachable_bytes
    crowds = [row for row in report.tree if row.what.startswith(f"{count:,} goroutines in main.")]
    assert len(crowds) == len(_KINDS)
    gs, sudogs = (
        next(row.bytes // row.objects for row in report.types if row.type == f"runtime.{name}")
        for name in ("g", "sudog")
    )
    kept = sorted(row.retained_objects // count for row in crowds)
    # A g, a sudog, a channel; two sudogs and two channels; a g (its sudog hangs in what is shared).
    assert kept[0] >= 1 and kept[1] >= 3 and kept[2] >= 5, [row.what for row in crowds]
    least = count * (3 * gs + 2 * sudogs)
    assert sum(row.retained_bytes for row in crowds) >= least
    lists = [row for row in report.tree if "allgs" in row.what]
    assert sum(row.retained_bytes for row in lists) < least // 10
