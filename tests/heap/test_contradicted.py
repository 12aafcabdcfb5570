"""Pointers that contradict each other about what an object is: neither is told as certain."""

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
	"unsafe"
)

type Record struct {
	id   int
	name *string
	next *Record
	more int
}

type Cell struct {
	value int
	text  *string
	left  *Cell
	width int
}

type Outer struct {
	Record
	extra *int
}

var (
	cast  []*Cell   // really records
	true_ []*Record // the same
	plain []*Record
	inner []*Record // each the beginning of an Outer
	outer []*Outer
)

func main() {
	for i := range [100]int{} {
		r := &Record{id: i}
		cast, true_ = append(cast, (*Cell)(unsafe.Pointer(r))), append(true_, r)
		plain = append(plain, &Record{id: i})
		o := &Outer{}
		inner, outer = append(inner, &o.Record), append(outer, o)
	}
	fmt.Println("ready")
	var rest [1]byte
	os.Stdin.Read(rest[:])
}
"""


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("stripped", [False, True], ids=["whole", "stripped"])
def test_what_is_contradicted_is_told_so(stripped: bool, go: str) -> None:
    flags = ["-ldflags=-s -w"] if stripped else []
    with running(build(_PROGRAM, go=go, flags=flags)) as program:
        report = heap(open_target(program.pid), HeapQuestions(types=True))
    counts = {row.type: row.objects for row in report.types}
    either = [count for name, count in counts.items() if set(name.split(" or ")) == _BOTH]
    assert either == [100]
    assert counts["main.Record"] == counts["main.Outer"] == 100
    assert "main.Cell" not in counts


_BOTH = {"main.Cell", "main.Record"}
