"""Parameters, receivers and results that inlined calls move to the heap: whose they are.

The compiler declares them at the call, outside of the inlined body, or in a wrapper without lines.
"""

from __future__ import annotations

import re
from functools import cache

import pytest

import goprobe
from goprobe.model.escape import Proof, ProofVerdict, Verdict
from tests.escape.corpus import go_environment
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
