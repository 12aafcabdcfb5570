"""Assignments that a goto leads back over."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.go import matrix
from tests.support.sessions import frame_of, unheard

PROGRAM = Path(__file__).parents[2] / "testdata" / "variables" / "jumps.go"


@pytest.mark.parametrize("optimized", [False, True], ids=["-N -l", "optimised"])
@pytest.mark.parametrize("go", matrix())
def test_the_second_time_has_the_first_ones_assignment(go: str, optimized: bool) -> None:
    told = []
    with unheard(PROGRAM, go, optimized=optimized) as program:
        for stop in program.run(["main.here"]):
            _, variables = frame_of(stop, "main.f")
            told.append({v.name: stop[v.name].text for v in variables if v.state == "live"})
    assert len(told) == 2
    for values, truth in zip(
        told, ({"list": "[]", "count": "1"}, {"list": "[3.5]", "count": "9"}), strict=True
    ):
        assert {name: values[name] for name in truth if name in values}.items() <= truth.items()
    if not optimized:
        assert {"list", "count"} <= told[1].keys()
