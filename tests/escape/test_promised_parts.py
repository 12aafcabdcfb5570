"""Promises of parts of functions: blocks, literals, branches that were not taken."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from tests.escape.hardship import escape, module
from tests.support.go import matrix, toolchain

releases = pytest.mark.parametrize("go", matrix())

_PARTS = """\
package main

type P struct{ X, Y int }

var sink *P

//goprobe:noalloc
var handler = func(n int) {
	sink = &P{n, n}
}

//go:noinline
func each(n int, f func(int)) {
	for i := 0; i < n; i++ {
		f(i)
	}
}

//go:noinline
func calls(n int) {
	//goprobe:noalloc
	each(n, func(i int) {
		sink = &P{i, n}
	})
	each(n, func(i int) { //goprobe:noalloc
		sink.X += n
	})
	//goprobe:noalloc
	if n > 2 {
		sink = &P{n, 2}
	}
	cold(n)
}

//goprobe:heap
//
//go:noinline
func cold(n int) {
	if n == 99 {
		sink = &P{n, 3}
	}
}

func main() {
	handler(1)
	calls(9)
}
"""


@releases
def test_promises_of_literals_and_blocks(go: str, tmp_path: Path) -> None:
    folder = module(tmp_path, {"main.go": _PARTS})
    named = ("main.calls.func1 noalloc", "main.calls.func2 noalloc", "main.calls noalloc")
    report = escape(folder, go=str(toolchain(go)), promises=named)
    told = [(a.held, a.known) for a in report.assertions]
    broken, held, unknown = (False, True), (True, True), (False, False)
    assert told == [broken, broken, held, broken, unknown, broken, held, broken], report.assertions
    with pytest.raises(AssertionError, match="allocates"):
        goprobe.assert_no_allocation(report, "main.calls")
    with pytest.raises(AssertionError, match="allocates"):
        goprobe.assert_no_allocation(report, "main.calls.func1")
    goprobe.assert_no_allocation(report, "main.calls.func2")
    proofs = escape(folder, static=True, promises=[f"{n} deep" for n in named]).assertions
    assert [a.held for a in proofs[-3:]] == [False, True, False]
