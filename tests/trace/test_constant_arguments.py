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

func main() {
	const local = 5
	own := 6
	show(wide, global, local, own)
}
"""


@pytest.mark.parametrize("go", matrix())
def test_only_variables_are_told(go: str) -> None:
    with Path(os.devnull).open("w") as sink:
        request = TraceRequest(
            str(build(PROGRAM, go=go)),
            breaks=("main.show",),
            go=str(toolchain(go)),
            stdout_fd=sink.fileno(),
        )
        (stop,) = trace(request).stops
    assert {v.name for v in stop.variables if v.function == "main.main"} == {"own"}
