"""What a line declares is there further on in the same line; what a closure captured was there
before. A variable of the line that runs is told right, or not told; it is never "not yet"."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import UNSET

import goprobe
from goprobe.model.value import State, Variable
from tests.support.go import build, matrix

SOURCE = Path(__file__).parents[2] / "testdata" / "variables" / "one-line.go"
TRUTH = (
    {"x": "7", "s": "abc"}, {"z": "8"}, {"i": "0", "w": "0"}, {"i": "1", "w": "3"},
    {"y": "8", "s": "abc"},
)  # fmt: skip
ADDER = "func adder(n int) func(int) int { return func(k int) int { return n + k } }"
_TELLS_OF_CAPTURES = ("1.24", "1.25", "1.26", "1.27")


def _told(stop: goprobe.Stop) -> list[Variable]:
    return [v for v in stop.variables if v.frame == 1]


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", [(), ("-gcflags=all=-N -l",)])
def test_variables_of_the_line_that_runs(go: str, flags: tuple[str, ...]) -> None:
    with goprobe.launch(str(build(SOURCE, go=go, flags=flags)), stdout=2) as program:
        told = [_told(stop) for stop in program.run(["main.stop"])]
    assert len(told) == len(TRUTH)
    for variables, truth in zip(told, TRUTH, strict=True):
        mine = [v for v in variables if v.name in truth]
        for variable in mine:
            assert variable.state is not State.NOT_YET, variable
            assert variable.type == ("string" if variable.name == "s" else "int"), variable
            if variable.value is not UNSET:
                assert variable.value.text == truth[variable.name], variable
        captured = "s" in truth or "z" in truth
        if flags and captured and go in _TELLS_OF_CAPTURES:
            assert {v.name for v in mine if v.state is State.LIVE} == set(truth)


@pytest.mark.parametrize("go", matrix())
def test_a_literal_behind_its_maker_in_the_same_line(go: str) -> None:
    line = SOURCE.read_text().split("\n").index(ADDER) + 1
    with goprobe.launch(
        str(build(SOURCE, go=go, flags=("-gcflags=all=-N -l",))), stdout=2
    ) as program:
        told = [stop.function for stop in program.run([f"one-line.go:{line}"])]
    assert told == ["main.adder", "main.adder.func1", "main.adder.func1"]


RENAMED = Path(__file__).parents[2] / "testdata" / "variables" / "renamed-lines.go"
VALUES = {"state": "6", "sum": "7", "top": "14"}


@pytest.mark.parametrize("go", matrix())
@pytest.mark.parametrize("flags", [(), ("-gcflags=all=-N -l",)])
def test_lines_of_several_files_have_no_order(go: str, flags: tuple[str, ...]) -> None:
    with goprobe.launch(str(build(RENAMED, go=go, flags=flags)), stdout=2) as program:
        told = [_told(stop) for stop in program.run(["main.show"])][:3]
    for variables, names in zip(told, ("state sum", "state sum top", "state sum top"), strict=True):
        for variable in (v for v in variables if v.name in VALUES):
            if variable.name in names.split():
                assert variable.state is not State.NOT_YET, variable
            if variable.value is not UNSET:
                assert variable.value.text == VALUES[variable.name], variable
        if flags:
            mine = {v.name for v in variables if v.state is State.LIVE and v.name in VALUES}
            assert mine == set(names.split())
