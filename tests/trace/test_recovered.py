"""Frames to which control came by a recovered panic, and calls that never return."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import goprobe
from tests.support.go import matrix, toolchain

PROGRAM = Path(__file__).parents[2] / "testdata" / "variables" / "recovered.go"
DECLARED_LATER = {"x": "42", "text": "assigned", "list": "[1 2]"}


@pytest.mark.parametrize("optimized", [False, True], ids=["-N -l", "optimised"])
@pytest.mark.parametrize("go", matrix())
def test_what_had_no_value_before_the_panic_is_not_told(go: str, optimized: bool) -> None:
    told: list[dict[str, str]] = []
    with (
        Path(os.devnull).open("w") as sink,
        goprobe.launch(
            str(PROGRAM), optimized=optimized, go=str(toolchain(go)), stdout=sink.fileno()
        ) as program,
    ):
        for stop in program.run(["main.here"]):
            frame = next(i for i, f in enumerate(stop.frames) if f.function == "main.f")
            values = [v for v in stop.variables if v.frame == frame]
            told.append({v.name: stop[v.name].text for v in values if v.state == "live"})
    assert len(told) == 3, "in f(false), at its end, and at the end of f(true)"
    if not optimized:
        assert DECLARED_LATER.items() <= told[0].items()
        assert all(stop["first"] == "11" for stop in told)
    assert not DECLARED_LATER.keys() & told[2].keys()
