"""Random programs that waste memory: the judge of what goprobe says of them can find fault."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from goprobe.model.address import Address
from goprobe.model.heap import Waste
from scripts.truths.answer import Outcome
from scripts.truths.choices import Choices
from scripts.truths.kind import PLAIN
from scripts.truths.waste import KIND, Said, judged

SAID = Said("empty slices", "[]main.e3 backing", "main.v3", "main.h3.body", 20, 1280, 0)
ROW = Waste(
    kind="empty slices", type="[]main.e3 backing", field="main.h3.body", holder="main.v3",
    objects=20, bytes=1280, example=Address(0xC000012000), advice="leave them nil",
)  # fmt: skip


def _outcomes(*rows: Waste, said: Said = SAID, stripped: bool = False) -> set[Outcome]:
    return {answer.outcome for answer in judged(said, rows, stripped=stripped)}


def test_what_the_program_said_is_right() -> None:
    assert _outcomes(ROW) == {Outcome.RIGHT}


@pytest.mark.parametrize(
    "changed", [{"bytes": 1281}, {"bytes": 1000}, {"objects": 19}, {"holder": ""}, {"field": ""},
                {"kind": "spare capacity"}, {"type": "[]main.e2 backing"}],
)  # fmt: skip
def test_what_differs_is_wrong(changed: dict[str, Any]) -> None:
    assert Outcome.WRONG in _outcomes(replace(ROW, **changed))


def test_what_is_missing_is_wrong_but_where_nothing_tells_types() -> None:
    assert Outcome.WRONG in _outcomes()
    assert _outcomes(stripped=True) == {Outcome.NOT_TOLD}


def test_what_wastes_nothing_is_told_of_nowhere() -> None:
    said = Said("nothing", "[]main.e3 backing", "main.v3", "", 0, 0, 0)
    assert _outcomes(said=said) == {Outcome.RIGHT}
    assert _outcomes(ROW, said=said) == {Outcome.WRONG}


def test_spans_are_free_but_for_those_that_others_use() -> None:
    said = Said("sparse spans", "size class 704", "", "", 100, 70_000, 7_000)
    row = replace(ROW, kind=said.kind, type=said.type, objects=103, bytes=75_000)
    assert _outcomes(row, said=said) == _outcomes(row, said=said, stripped=True) == {Outcome.RIGHT}
    for changed in ({"bytes": 78_000}, {"bytes": 62_000}, {"objects": 99}, {"objects": 150}):
        assert _outcomes(replace(row, **changed), said=said) == {Outcome.WRONG}
    assert _outcomes(said=said) == {Outcome.WRONG}
    assert _outcomes(said=Said(said.kind, said.type, "", "", 100, 70_000, 40_000)) == {
        Outcome.NOT_TOLD
    }


def test_programs_are_functions_of_their_choices() -> None:
    drawn = Choices(Random(7))
    program = KIND.write(drawn, "1.27", PLAIN)
    assert KIND.write(Choices(drawn.drawn), "1.27", PLAIN) == program
