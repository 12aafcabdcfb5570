"""A constant that is passed is no variable that the optimiser left out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goprobe.analysis.trace.trace import TraceRequest, trace
from tests.support.go import build, matrix, toolchain

PROGRAM = """package main

const wide = 3

var global = 4

//go:noinline
func show(a, b, c, d int) { println(a, b, c, d) }

type pair struct{ a, b int }

//go:noinline
func box(values ...any) {
	for _, v := range values {
		println(v != nil)
	}
}

func main() {
	const local = 5
	own := 6
	show(wide, global, local, own)
	q, none := &pair{5, 6}, (*pair)(nil)
	box(q, own, none)
}
"""


@pytest.mark.parametrize("go", matrix())
def test_only_variables_are_told(go: str) -> None:
    with Path(os.devnull).open("w") as sink:
        request = TraceRequest(
            str(build(PROGRAM, go=go)),
            breaks=("main.show", "main.box"),
            go=str(toolchain(go)),
            stdout_fd=sink.fileno(),
        )
        stop, boxing = trace(request).stops
    assert {v.name for v in stop.variables if v.function == "main.main" and v.value} == {"own"}
    told = {v.name: v for v in boxing.variables if v.function == "main.main"}
    q, none = told["q"], told["none"]  # pointers, which no box is made for
    assert (q.type, q.value and q.value.text[:2]) == ("*main.pair", "0x")
    assert q.data and not q.address
    assert q.data.text in ("{a:5 b:6}", "")  # 1.24 does not describe the type
    assert not none.value or (none.type, none.value.text) == ("*main.pair", "nil")
    assert told["own"].value and told["own"].value.text == "6"
