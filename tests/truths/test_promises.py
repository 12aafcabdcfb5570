"""Random programs whose functions promise something: the judge can find fault."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from scripts.truths.answer import Outcome
from scripts.truths.choices import Choices
from scripts.truths.promises.ingredients import Ingredient, Makes
from scripts.truths.promises.judging import Counts, Judge
from scripts.truths.promises.program import Line, Promised, write

NAME = "truth/p0.Unit0"
MAKES = Line(5, Ingredient("sinkInt = new(int)", Makes.OWN), False, "p0 0")
ALLOWED = Line(5, MAKES.ingredient, True, "p0 0")
ROOM = Line(5, Ingredient("roomy = append(roomy, n)", Makes.ROOM), False, "p0 0")
PURE = Line(5, Ingredient("acc += n"), False, "")
CALLS = Line(5, Ingredient("acc += loud(n)", Makes.CALLEE, calls=True), False, "p0 0")
DYNAMIC = Line(5, Ingredient("acc += changing(n)", dynamic=True), False, "")


def judged(
    line: Line, made: int, told: tuple[bool, bool, str], text: str = "noalloc"
) -> list[Outcome]:
    held, known, why = told
    said = {"file": "p0/p0.go", "line": 3, "text": text, "held": held, "known": known, "why": why}
    report: dict[str, Any] = {"assertions": [said]}
    counts = Counts(f"ran p0 0 9\nmade {made} {NAME}\nend")
    judge = Judge(report, counts, ran=True, optimized=True)
    return [a.outcome for a in judge.answers([Promised("p0/p0.go", 3, text, NAME, (line,), True)])]


HELD, BROKEN, UNKNOWN = (True, True, ""), (False, True, ""), (False, False, "cannot be proved: x")
NEVER = (False, False, "it can allocate, and this code never ran")
R, N, W = Outcome.RIGHT, Outcome.NOT_TOLD, Outcome.WRONG


@pytest.mark.parametrize(
    ("line", "made", "told", "text", "outcome"),
    [
        (MAKES, 9, BROKEN, "noalloc", R),
        (MAKES, 9, HELD, "noalloc", W),
        (MAKES, 9, HELD, "noalloc deep", W),
        (MAKES, 9, UNKNOWN, "noalloc", N),
        (MAKES, 9, NEVER, "noalloc", W),
        (ALLOWED, 9, HELD, "noalloc deep", R),
        (ALLOWED, 9, BROKEN, "noalloc deep", W),
        (ROOM, 0, HELD, "noalloc", R),
        (ROOM, 0, BROKEN, "noalloc", W),
        (ROOM, 0, BROKEN, "noalloc deep", R),
        (ROOM, 0, (False, True, "it did: x"), "noalloc deep", W),
        (PURE, 0, BROKEN, "noalloc deep", W),
        (CALLS, 9, HELD, "noalloc", R),
        (CALLS, 9, BROKEN, "noalloc", W),
        (CALLS, 9, HELD, "noalloc deep", W),
        (DYNAMIC, 0, HELD, "nodynamic", W),
        (DYNAMIC, 0, BROKEN, "nodynamic", R),
        (PURE, 0, BROKEN, "nodynamic", W),
        (PURE, 0, (False, False, "its code is not in this binary"), "noalloc", W),
    ],
)
def test_what_is_told_is_held_against_what_the_program_counted(
    line: Line, made: int, told: tuple[bool, bool, str], text: str, outcome: Outcome
) -> None:
    assert judged(line, made, told, text) == [outcome]


def test_a_promise_that_is_not_answered_is_wrong() -> None:
    judge = Judge({"assertions": []}, Counts("end"), ran=True, optimized=True)
    answers = judge.answers([Promised("p0/p0.go", 3, "noalloc", NAME, (PURE,), True)])
    assert [a.outcome for a in answers] == [W]


def test_promises_stand_where_the_program_says() -> None:
    for seed in range(20):
        program = write(Choices(Random(seed)), (1, 27))
        promised: list[Promised] = program.notes["promised"]  # type: ignore[assignment]
        for promise in promised:
            lines = program.files[promise.file].split("\n")
            if promise.line:
                assert f"//goprobe:{promise.text}" in lines[promise.line - 1]
            for line in promise.of:
                assert line.ingredient.code.split("@")[0] in lines[line.number - 1]
