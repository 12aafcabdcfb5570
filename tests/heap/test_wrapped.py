"""Structs that are nothing but another struct: which of the two an object is cannot be told."""

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
)

type Inner struct {
	a, b, c int
	name    *string
	next    *Inner
}

type Wrapper struct{ Inner }

type Array struct{ in [1]Inner }

type Plain struct {
	a, b, c int
	name    *string
	next    *Plain
}

var (
	inners []*Inner
	plains []*Plain
	name   = "name"
	whole  any = &Wrapper{}
	others any = &Array{}
)

func main() {
	for i := range [100]int{} {
		w := &Wrapper{Inner{a: i, name: &name}}
		inners = append(inners, &w.Inner)
		plains = append(plains, &Plain{a: i, name: &name})
	}
	fmt.Println("ready")
	var rest [1]byte
	os.Stdin.Read(rest[:])
	fmt.Println(whole, others)
}
"""


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("stripped", [False, True], ids=["whole", "stripped"])
def test_wrappers_are_told_with_what_they_wrap(stripped: bool, go: str) -> None:
    flags = ["-ldflags=-s -w"] if stripped else []
    with running(build(_PROGRAM, go=go, flags=flags)) as program:
        report = heap(open_target(program.pid), HeapQuestions(types=True))
    counts = {row.type: row.objects for row in report.types}
    either = [
        n for name, n in counts.items() if {"main.Inner", "main.Wrapper"} <= {*name.split(" or ")}
    ]
    assert either == [100]
    assert counts["main.Plain"] == 100
    assert "main.Inner" not in counts
