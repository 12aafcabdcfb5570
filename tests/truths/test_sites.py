"""Random programs that allocate at many stacks: what differs from their own profile is found."""

from __future__ import annotations

from random import Random

from scripts.truths.answer import Outcome
from scripts.truths.choices import Choices
from scripts.truths.kind import PLAIN
from scripts.truths.sites import KIND, compared
from tests.support.siterecords import Counts, Stack

_STACK: Stack = (("main.f0", "main.go", 7), ("main.main", "main.go", 3))
_TRUTH: dict[Stack, Counts] = {_STACK: (3, 48, 1, 16)}


def test_stacks_and_counts_that_differ_are_wrong() -> None:
    assert {a.outcome for a in compared(_TRUTH, dict(_TRUTH))} == {Outcome.RIGHT}
    broken: list[dict[Stack, Counts]] = [
        {},
        {_STACK: (3, 48, 0, 0)},
        {**_TRUTH, _STACK[:1]: (1, 8, 0, 0)},
    ]
    for told in broken:
        assert Outcome.WRONG in {a.outcome for a in compared(_TRUTH, told)}


def test_programs_are_functions_of_their_choices() -> None:
    drawn = Choices(Random(7))
    program = KIND.write(drawn, "1.27", PLAIN)
    assert KIND.write(Choices(drawn.drawn), "1.27", PLAIN) == program
