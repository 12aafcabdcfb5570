"""A struct that is passed in registers, and stored two words at a time since."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.go import matrix
from tests.support.sessions import unheard

PROGRAM = Path(__file__).parents[2] / "testdata" / "variables" / "splitstores.go"
CALL = "\there()"
STORED = f"splitstores.go:{PROGRAM.read_text().splitlines().index(CALL) + 1}"


@pytest.mark.parametrize("go", matrix())
def test_its_registers_are_not_told_any_more(go: str) -> None:
    told = {}
    with unheard(PROGRAM, go, optimized=True) as program:
        for stop in program.run(["main.f", STORED]):
            told[stop.where] = stop["item"].text
    assert told["main.f"] == "{a:0 b:0 x:0 y:0 next:nil name:nil}"
    assert not [old for old in ("next:nil", "name:nil", "x:0", "y:0") if old in told[STORED]]
