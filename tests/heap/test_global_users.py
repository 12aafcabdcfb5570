"""Variables of stripped programs are told by the functions that use them."""

from __future__ import annotations

import re

import pytest

from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.arch.machinecode import may_refer
from goprobe.target.live import open_target
from tests.support.go import build, matrix, running

PROGRAM = """package main

import (
	"fmt"
	"os"
)

type entry struct {
	next *entry
	body [100]int
}

var (
	pages  [][]byte
	counts = map[string]*entry{}
	head   *entry
)

//go:noinline
func grow(n int) {
	for i := 0; i < n; i++ {
		pages = append(pages, make([]byte, 300))
	}
}

//go:noinline
func push(n int) {
	for i := 0; i < n; i++ {
		head = &entry{next: head}
	}
}

//go:noinline
func count(n int) {
	for i := 0; i < n; i++ {
		counts[fmt.Sprint(i)] = &entry{}
	}
}

func main() {
	grow(1000)
	push(200)
	count(300)
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	fmt.Println(len(pages), head, counts)
}
"""
USED = re.compile(r"^(.*) used by (\S+) (\S+):(\d+) \(\w+\+0x[0-9a-f]+\)$")


@pytest.mark.parametrize("go", matrix())
def test_a_stripped_variable_is_told_by_who_uses_it(go: str) -> None:
    with running(build(PROGRAM, go=go, flags=("-ldflags=-s -w",))) as program:
        report = heap(open_target(program.pid), HeapQuestions(types=True, retained=True))
    assert isinstance(report.roots, tuple)
    assert isinstance(report.tree, tuple)
    rows = [match.groups() for row in report.roots if (match := USED.match(row.name))]
    lines = PROGRAM.splitlines()
    users = {"main.grow": "pages", "main.push": "head", "main.count": "counts"}
    for function, variable in users.items():
        (told,) = [row for row in rows if row[1] == function]
        assert re.search(rf"\b{variable}\b", lines[int(told[3]) - 1]), told
    # Up to Go 1.21 no object carries its type: these are told by the code that fills them.
    assert [row[0] for row in rows if row[1] == "main.grow"] == ["[][]uint8"]
    assert [row[0] for row in rows if row[1] == "main.count"] == ["map[string]*main.entry"]
    shown = [row.what for row in report.tree]
    for function in users:
        assert [row.name for row in report.roots if f" used by {function} " in row.name] == [
            what for what in shown if f" used by {function} " in what
        ]


def test_every_reference_of_a_form_is_come_upon() -> None:
    """With and without an operand behind the displacement, wherever the code begins."""
    target = 0x40_0000
    forms = (b"\x48\x8b\x05", 0), (b"\x80\x3d", 1), (b"\x66\x81\x3d", 2), (b"\x81\x3d", 4)
    for shift in range(4):
        for head, behind in forms:
            at = 0x1000 + shift + len(head)
            distance = (target - (at + 4 + behind)).to_bytes(4, "little", signed=True)
            code = b"\x90" * shift + head + distance + bytes(behind) + b"\x90" * 8
            assert may_refer([(code, 0x1000)], {target, target + 64}) == {target: [at]}
