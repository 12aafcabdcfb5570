"""Parameters, receivers and results that inlined calls move to the heap: whose they are.

The compiler declares them at the call, outside of the inlined body, or in a wrapper without lines.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

import goprobe
from goprobe.model.escape import Proof, ProofVerdict, Verdict
from tests.escape.corpus import go_environment
from tests.escape.hardship import escape, module
from tests.escape.test_promises import FOLDER, Ran, run
from tests.support.go import matrix, toolchain

releases = pytest.mark.parametrize("go", matrix())
SOURCE = (FOLDER / "moved.go").read_text()
MADE = re.findall(r'measure\("(.+?)"', SOURCE)
NOTHING = ("func empty", "func inFrames")
ALLOWED = ("func callsAllowed",)


@cache
def ran(go: str) -> Ran:
    return run("moved", go)


@cache
def static(go: str) -> Ran:
    source = str(FOLDER / "moved.go")
    with go_environment():
        report = goprobe.escape(source, go=str(toolchain(go)), static=True)
    return Ran(report, "", SOURCE.splitlines())


@releases
@pytest.mark.parametrize("name", MADE)
def test_a_promise_counts_what_inlined_calls_move(go: str, name: str) -> None:
    made = dict(text.rsplit(" ", 1) for text in ran(go).printed.splitlines())[name]
    assert made == ("0" if name in NOTHING else "1")
    kept = name in (*NOTHING, *ALLOWED)
    promise, proven = ran(go).promise(name), static(go).promise(name)
    assert (promise.held, promise.known) == (kept, True), promise.why
    if isinstance(proven.proof, Proof):
        verdict = ProofVerdict.PROVED if kept else ProofVerdict.BROKEN
        assert proven.proof.verdict is verdict, proven.why
    else:
        assert not proven.held and "can allocate" in proven.why


@releases
def test_an_assertion_counts_them_too(go: str) -> None:
    for function in ("main.bare", "main.parameter", "main.handler.Self"):
        with pytest.raises(AssertionError, match="allocates"):
            goprobe.assert_no_allocation(ran(go).report, function)
    goprobe.assert_no_allocation(ran(go).report, "main.inFrames")


@releases
def test_a_receiver_that_a_wrapper_moves_has_its_site(go: str) -> None:
    for line in ("func (h handler) Handle", "func (h handler) Self"):
        (site,) = (s for s in ran(go).sites(line) if s.expression in ("p", "h"))
        assert (site.verdict, site.allocations) == (Verdict.CONFIRMED_HEAP, 100)


@releases
def test_they_stand_where_go_has_them(go: str) -> None:
    """As in Go's tracebacks and profiles: at the call, not at the declaration."""
    moved = [s for s in ran(go).report.sites if any("moved to heap" in m for m in s.messages)]
    inlined = [(s, c) for s in moved for c in s.calls if len(c.frames) > len(c.inlined_at) + 1]
    assert len(inlined) > 5 and {s.line for s, _ in inlined} == {c.line for _, c in inlined}


_ACROSS = {
    "lib/lib.go": """\
package lib

type P struct{ X, Y int }

var Seen int

//go:noinline
func note(n int) { Seen += n }

//goprobe:noalloc deep
func F(p P) *P { note(p.X); return &p }
""",
    "mid/mid.go": """\
package mid

import "example.com/m/lib"

var last *lib.P

//go:noinline
func Do(i int) { last = lib.F(lib.P{i, 2}) }
""",
    "main.go": """\
package main

import (
	"example.com/m/lib"
	"example.com/m/mid"
)

func main() {
	for i := 0; i < 10; i++ {
		mid.Do(i)
		lib.Seen += lib.F(lib.P{i, 2}).X
	}
}
""",
}


@releases
def test_what_a_package_that_is_not_looked_at_moves_is_not_known(go: str, tmp_path: Path) -> None:
    folder = module(tmp_path, _ACROSS)
    [promise] = escape(folder, ".", "./lib", go=str(toolchain(go))).assertions
    assert (promise.held, promise.known) == (False, False)
    assert "mid.Do, which is not looked at" in promise.why
    [promise] = escape(folder, ".", "./lib", "./mid", go=str(toolchain(go))).assertions
    assert (promise.held, promise.known) == (False, True)


@releases
def test_a_function_below_a_line_directive_is_its_packages(go: str, tmp_path: Path) -> None:
    lib = _ACROSS["lib/lib.go"].replace("//goprobe:noalloc deep\n", "\n//line lib_gen.y:40\n\n")
    folder = module(tmp_path, {**_ACROSS, "lib/lib.go": lib})
    named = {"go": str(toolchain(go)), "promises": ("example.com/m/lib.F noalloc deep",)}
    [promise] = escape(folder, ".", "./lib", "./mid", **named).assertions
    assert (promise.held, promise.known) == (False, True), promise.why
