"""Assignments that a goto leads back over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import goprobe
from tests.support.go import matrix, toolchain

PROGRAM = Path(__file__).parents[2] / "testdata" / "variables" / "jumps.go"


@pytest.mark.parametrize("optimized", [False, True], ids=["-N -l", "optimised"])
@pytest.mark.parametrize("go", matrix())
def test_the_second_time_has_the_first_ones_assignment(go: str, optimized: bool) -> None:
    told = []
    with (
        Path(os.devnull).open("w") as sink,
        goprobe.launch(
            str(PROGRAM), optimized=optimized, go=str(toolchain(go)), stdout=sink.fileno()
        ) as program,
    ):
        for stop in program.run(["main.here"]):
            frame = next(i for i, f in enumerate(stop.frames) if f.function == "main.f")
            mine = [v for v in stop.variables if v.frame == frame and v.state == "live"]
            told.append({v.name: stop[v.name].text for v in mine})
    assert len(told) == 2
    for values, truth in zip(
        told, ({"list": "[]", "count": "1"}, {"list": "[3.5]", "count": "9"}), strict=True
    ):
        assert {name: values[name] for name in truth if name in values}.items() <= truth.items()
    if not optimized:
        assert {"list", "count"} <= told[1].keys()
