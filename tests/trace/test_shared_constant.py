"""A constant that several lines need has the first one's line wherever the compiler makes it again:
that is no code that is still to run of a variable's assignment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.go import matrix
from tests.support.sessions import unheard

PROGRAM = Path(__file__).parents[2] / "testdata" / "variables" / "sharedconstant.go"


@pytest.mark.parametrize("go", [go for go in matrix() if go != "1.21"])  # ranges over functions
def test_a_variable_on_the_heap_is_told_behind_it(go: str) -> None:
    with unheard(PROGRAM, go, optimized=True) as program:
        told = [(stop["r"].ID.py, stop["r"].W.py) for stop in program.run(["main.mark"])]
    assert told == [(7, 5.0)] * 2
