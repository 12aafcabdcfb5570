"""Promises of parts of functions: blocks, literals, branches that were not taken."""

from __future__ import annotations

from pathlib import Path

import pytest

import goprobe
from goprobe.model.escape import Proof, ProofVerdict
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


_SET_ELSEWHERE = """\
package main

var sink []byte

func loud(n int)  { sink = make([]byte, 100) }
func quiet(n int) {}

//go:noinline
func set(f *func(int), n int) {
	if n > 3 {
		*f = loud
	}
}

//go:noinline
func run(f func()) { f() }

//go:noinline
//goprobe:noalloc deep
func byPointer(n int) {
	f := quiet
	set(&f, n)
	f(n)
}

//go:noinline
//goprobe:noalloc deep
func byClosure(n int) {
	f := quiet
	run(func() { f = loud })
	f(n)
}

//go:noinline
//goprobe:noalloc deep
func inStruct(n int) {
	s := struct {
		n int
		f func(int)
	}{n, quiet}
	func() {
		p := &s
		set(&p.f, n)
	}()
	s.f(n)
}

//go:noinline
//goprobe:noalloc deep
func known(n int) {
	f := quiet
	f(n)
}

func main() {
	byPointer(9)
	byClosure(9)
	inStruct(9)
	known(9)
}
"""


@releases
@pytest.mark.parametrize("flags", [(), ("-gcflags=all=-N -l",)])
def test_function_values_that_others_may_set(
    go: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    folder = module(tmp_path, {"main.go": _SET_ELSEWHERE})
    report = escape(folder, go=str(toolchain(go)), flags=flags, static=True)
    told = [(a.held, a.why) for a in report.assertions]
    assert [held for held, _ in told[:3]] == [False, False, False], told
    assert told[3][0] or flags, told  # unoptimised, registers are saved where it lies


_GENERIC = {
    "lib/lib.go": """\
package lib

var Sink *int

//goprobe:noalloc deep
func Keep[E any](e E, n int) { Sink = &n }
""",
    "main.go": """\
package main

import "example.com/m/lib"

func main() { lib.Keep(1, 2); lib.Keep("a", 3) }
""",
}


@releases
def test_what_inlined_instances_move_is_the_generic_functions(go: str, tmp_path: Path) -> None:
    folder = module(tmp_path, _GENERIC)
    [promise] = escape(folder, ".", "./lib", go=str(toolchain(go)), static=True).assertions
    assert isinstance(promise.proof, Proof) and promise.proof.verdict is ProofVerdict.BROKEN
