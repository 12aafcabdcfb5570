"""Variables of inlined signatures that move to the heap on a line with other new objects."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.escape.hardship import escape, module
from tests.support.go import matrix, toolchain

_LIB = """\
package lib

type P struct{ X int; Y int }

func Kept(p P) *P { return &p }
"""
_PROGRAM = """\
package main

import l "example.com/m/lib"

type P struct{ X, Y int }

var last *P
var foreign *l.P
var sink any

func kept(p P) *P { return &p }

//go:noinline
func one(n int) {
	x := &P{n, 1}; last = kept(*x); sink = *x // p 5, *x 5
}

//go:noinline
func two(n int) {
	x := &P{n, 1}; y := &P{n, 2}; last = y; last = kept(*x) // &P{...} 5, p 5
}

//go:noinline
func three(n int) {
	x := &P{n, 1}; if n > 1 { last = kept(*x) }; last = &P{n, 2} // p 3, &P{...} 5
}

//go:noinline
func four(n int) {
	x := &l.P{n, 1}
	if n > 1 { foreign = l.Kept(*x) }; foreign = &l.P{Y: n} // lib.p 3, &lib.P{...} 5
}

//go:noinline
func five(n int) {
	x := &l.P{n, 1}; foreign = x; if n > 3 { foreign = l.Kept(*x) } // &lib.P{...} 5, lib.p 1
}

func main() {
	for i := 0; i < 5; i++ {
		one(i)
		two(i)
		three(i)
		four(i)
		five(i)
	}
}
"""


@pytest.mark.parametrize("go", matrix())
def test_each_object_is_its_own_site_s(go: str, tmp_path: Path) -> None:
    folder = module(tmp_path, {"main.go": _PROGRAM, "lib/lib.go": _LIB})
    report = escape(folder, go=str(toolchain(go)))
    for number, line in enumerate(_PROGRAM.split("\n"), 1):
        wanted = re.findall(r"([^,]+) (\d+)", line.partition(" // ")[2])
        told = {s.expression: s.allocations for s in report.sites if s.line == number and s.calls}
        assert told == {name.strip(): int(count) for name, count in wanted}, line
