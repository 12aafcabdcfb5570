"""Random programs that allocate: the judge of what goprobe says of them can find fault."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from scripts.truths.allocations.judging import Judge
from scripts.truths.allocations.witness import Witness, read
from scripts.truths.answer import Outcome

SOURCE = [
    "package main", "", "//goprobe:noalloc", "func work0(n int) *int {", "\tran[0].Add(1)",
    "\tp := new(int)", "\treturn p", "}", "",
]  # fmt: skip
SAID = """\
ran 0 3
part 3 work0
made 3 24\truntime.newobject\tmalloc.go:1\tmain.work0\tmain.go:6\tmain.measure\ta_witness.go:3
end
"""
_CALL = {
    "pc": "0x1", "callee": "runtime.newobject", "file": "main.go", "line": 6, "hits": 3,
    "allocations": 3, "blocks": 3, "bytes": 24, "ran": True,
    "frames": [{"function": "main.work0", "file": "main.go", "line": 6}],
}  # fmt: skip
REPORT: dict[str, Any] = {
    "partial": "", "exit": {"code": 0}, "dangling": [], "audit": [],
    "sites": [{
        "file": "main.go", "line": 6, "expression": "new(int)", "parameter": False, "hits": 3,
        "counted": True, "prediction": "heap", "messages": [],
        "verdict": "confirmed_heap", "reason": "allocated on the heap 3 times", "allocations": 3,
        "calls": [_CALL],
    }],
    "assertions": [{"file": "main.go", "line": 3, "text": "noalloc", "held": False, "known": True,
                    "why": "new(int) (line 6): confirmed_heap, allocated on the heap 3 times"}],
}  # fmt: skip

Change = Callable[[dict[str, Any]], object]


def judged(report: dict[str, Any], witness: Witness | None = None) -> list[Outcome]:
    seen = witness or read(SAID)
    answers = Judge(report, seen, read(SAID), {"main.go": SOURCE}, ("main.go",), "1.27").answers()
    return [answer.outcome for answer in answers]


def test_a_report_that_is_right_is_found_so() -> None:
    outcomes = judged(REPORT)
    assert len(outcomes) == 4 and set(outcomes) == {Outcome.RIGHT}


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r["sites"][0]["calls"][0].update(allocations=2, blocks=2),
        lambda r: r["sites"][0]["calls"][0].update(bytes=2),
        lambda r: r["sites"][0]["calls"][0].update(hits=2),
        lambda r: r["sites"][0].update(calls=[]),
        lambda r: r["sites"][0].update(verdict="static"),
        lambda r: r["sites"][0].update(reason="allocated on the heap twice"),
        lambda r: r["sites"][0].update(verdict="contradicted"),
        lambda r: r["assertions"][0].update(held=True),
        lambda r: r["assertions"][0].update(known=False, why="x, and this code never ran"),
        lambda r: r.update(assertions=[]),
        lambda r: r.update(partial="it was interrupted"),
        lambda r: r.update(exit={"signal": "SIGSEGV"}),
        lambda r: r.update(dangling=[{"source": "x"}]),
        lambda r: r.update(audit=[{"check": "c", "holds": False, "says": "no"}]),
    ],
)
def test_whatever_is_wrong_in_it_is_found(change: Change) -> None:
    report = copy.deepcopy(REPORT)
    change(report)
    assert Outcome.WRONG in judged(report), json.dumps(report)


@pytest.mark.parametrize(
    "hits, counted, outcome",
    [
        (3, True, Outcome.RIGHT),
        (2, True, Outcome.WRONG),
        (2, False, Outcome.RIGHT),
    ],
)
def test_hits_of_what_lies_in_a_frame_are_held_against_the_lines(
    hits: int, counted: bool, outcome: Outcome
) -> None:
    report = copy.deepcopy(REPORT)
    report["sites"][0].update(
        prediction="stack",
        verdict="confirmed_stack",
        reason="",
        calls=[],
        allocations=0,
        hits=hits,
        counted=counted,
    )
    report["assertions"][0].update(held=True)
    found = judged(report, read("\n".join([*SAID.split("\n")[:1], "part 0 work0", "end"])))
    assert found[-2] is outcome


@pytest.mark.parametrize(
    "lay, verdict, outcome",
    [
        ("0 3", "confirmed_heap", Outcome.RIGHT),
        ("1 2", "confirmed_heap", Outcome.WRONG),
        ("3 0", "confirmed_stack", Outcome.RIGHT),
        ("0 3", "confirmed_stack", Outcome.WRONG),
        ("3 0", "elided", Outcome.WRONG),
        ("3 0", "unobserved", Outcome.RIGHT),
    ],
)
def test_where_it_lies_is_held_against_addresses(lay: str, verdict: str, outcome: Outcome) -> None:
    report, said = copy.deepcopy(REPORT), f"lay 0 {lay}\n{SAID}"
    if verdict != "confirmed_heap":
        report["sites"][0].update(
            prediction="stack", verdict=verdict, reason="", calls=[], allocations=0
        )
        report["assertions"][0].update(held=True)
        said = "\n".join(["ran 0 3", f"lay 0 {lay}", "part 0 work0", "end"])
    assert judged(report, read(said))[-2] is outcome


def test_a_run_that_goprobe_disturbed_is_found() -> None:
    disturbed = read(SAID.replace("made 3 24", "made 4 32"))
    assert Outcome.WRONG in judged(REPORT, disturbed)


CALLS = """\
part 1 work0
made 1 16\tinlined strings.Clone\tclone.go:22\tmain.work0\tmain.go:3\tmain.measure\ta_witness.go:3
end
"""


@pytest.mark.parametrize(
    ("line", "go", "outcome"),
    [
        ("\ts := strings.Clone(t) //goprobe:heap", "1.25", Outcome.NOT_TOLD),
        ("\ts := strings.Clone(t) //goprobe:heap", "1.26", Outcome.WRONG),
        ("\ts := clone(t) //goprobe:heap", "1.25", Outcome.WRONG),
    ],
)
def test_what_a_library_made_may_count_for_its_caller(line: str, go: str, outcome: Outcome) -> None:
    """Where the profile leaves out the frame of a function that calls mallocgc itself."""
    said = {"file": "main.go", "line": 3, "text": "heap", "held": False, "known": True,
            "why": "there is nothing here that needs memory"}  # fmt: skip
    report = {"partial": "", "exit": {"code": 0}, "dangling": [], "sites": [], "assertions": [said]}
    source = ["package main", "func work0() {", line, "}"]
    judge = Judge(report, read(CALLS), None, {"main.go": source}, (), go)
    told = {a.asked: a.outcome for a in judge.answers()}
    assert told["main.go:3: promise heap"] is outcome
