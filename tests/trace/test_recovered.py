"""Frames to which control came by a recovered panic, and calls that never return."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.go import matrix
from tests.support.sessions import frame_of, unheard

PROGRAM = Path(__file__).parents[2] / "testdata" / "variables" / "recovered.go"
DECLARED_LATER = {"x": "42", "text": "assigned", "list": "[1 2]"}


@pytest.mark.parametrize("optimized", [False, True], ids=["-N -l", "optimised"])
@pytest.mark.parametrize("go", matrix())
def test_what_had_no_value_before_the_panic_is_not_told(go: str, optimized: bool) -> None:
    told: list[dict[str, str]] = []
    with unheard(PROGRAM, go, optimized=optimized) as program:
        for stop in program.run(["main.here"]):
            _, variables = frame_of(stop, "main.f")
            told.append({v.name: stop[v.name].text for v in variables if v.state == "live"})
    assert len(told) == 3, "in f(false), at its end, and at the end of f(true)"
    if not optimized:
        assert DECLARED_LATER.items() <= told[0].items()
        assert all(stop["first"] == "11" for stop in told)
    assert not DECLARED_LATER.keys() & told[2].keys()
