"""A parameter whose name the compiler gives to another value, which nothing reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.go import matrix
from tests.support.sessions import unheard

PROGRAM = Path(__file__).parents[2] / "testdata" / "variables" / "named.go"


@pytest.mark.parametrize("go", matrix())
def test_it_is_told_as_passed_or_not_at_all(go: str) -> None:
    told = []
    with unheard(PROGRAM, go, optimized=True) as program:
        for stop in program.run(["main.f"]):
            known = [
                v.name
                for v in stop.variables
                if v.function == "main.f" and v.state != "optimized_out"
            ]
            told.append({name: stop[name].text for name in known if name in ("list", "total")})
    assert len(told) == 2
    for values, truth in zip(
        told, ({"list": "3", "total": "7"}, {"list": "4", "total": "25"}), strict=True
    ):
        assert values.items() <= truth.items()
