"""Code that `//line` says stands elsewhere, and pointers into stacks that are the runtime's own."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from goprobe.model.escape import EscapeReport, Verdict
from tests.escape.corpus import go_environment
from tests.support.go import matrix, toolchain

ELSEWHERE = """package main

var sink []any

//line weird dir/tmpl.y:100
//go:noinline
func one(n int) int {
	x := n * 2
	sink = append(sink, &x)
	return x
}

//line main.go:20
func main() { one(3) }
"""
OVERFLOW = """package main

import "runtime/debug"

func main() {
	debug.SetMaxStack(1 << 18)
	var f func(i int) int
	f = func(i int) int { return f(i+1) + 1 }
	f(0)
}
"""


def told(folder: Path, go: str, source: str) -> EscapeReport:
    (folder / "main.go").write_text(source)
    with go_environment(), (folder / "out").open("w") as output:
        return goprobe.escape(
            str(folder / "main.go"), go=str(toolchain(go)),
            stdout=output.fileno(), stderr=output.fileno(),
        )  # fmt: skip


@pytest.mark.parametrize("go", matrix())
def test_a_file_of_another_folder_and_another_kind_is_told(go: str, tmp_path: Path) -> None:
    report = told(tmp_path, go, ELSEWHERE)
    (moved,) = [s for s in report.sites if s.expression == "x" and s.prediction == "heap"]
    assert moved.file.endswith("weird dir/tmpl.y") and moved.line == 102
    assert (moved.verdict, moved.allocations) == (Verdict.CONFIRMED_HEAP, 1)


@pytest.mark.parametrize("go", matrix())
def test_the_closure_in_which_a_stack_overflowed_is_no_contradiction(
    go: str, tmp_path: Path
) -> None:
    report = told(tmp_path, go, OVERFLOW)
    assert "stack overflow" in (tmp_path / "out").read_text()
    assert not report.dangling and Verdict.CONTRADICTED not in report.summary
