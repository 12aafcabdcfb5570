"""Optimised code whose source is not at hand: what is told is right, and what the source alone
could show is not told."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import UNSET

import goprobe
from goprobe.model.value import Variable
from tests.support.gdb import gdbs
from tests.support.go import build, matrix

SOURCE = Path(__file__).parents[2] / "testdata" / "variables" / "unsourced.go"

pytestmark = pytest.mark.parametrize("go", matrix())


@pytest.fixture(autouse=True)
def debugger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROBE_GDB", str(gdbs()[0].path))


def variable_of(stop: goprobe.Stop, function: str, name: str) -> Variable:
    return next(v for v in stop.variables if (v.function, v.name) == (function, name))


def text(variable: Variable) -> str:
    assert variable.value is not UNSET, variable
    return variable.value.text


def test_what_was_passed_is_told_at_the_entry_and_not_behind_it(go: str) -> None:
    with goprobe.launch(str(build(SOURCE, go=go, flags=("-trimpath",)))) as program:
        stops = program.run(breaks=["main.given", "main.stop"])
        entry = next(stops)
        assert text(variable_of(entry, "main.given", "x")) == "5"
        assert text(variable_of(entry, "main.given", "word")) == "five"
        later = variable_of(next(stops), "main.given", "x")
        assert later.value is UNSET
        assert later.why.startswith("its source is not at hand") or "keeps it" in later.why


def test_a_variable_on_the_heap_is_told_wherever_a_call_stands(go: str) -> None:
    found: list[str] = []
    with goprobe.launch(str(build(SOURCE, go=go, flags=("-trimpath",)))) as program:
        for stop in program.run(breaks=["main.stop"]):
            found += [
                text(v) for v in stop.variables if (v.function, v.name) == ("main.moved", "n")
            ]
    assert found == ["2", "3"]


def test_of_several_variables_of_a_name_one_is_told_where_it_is_sure(go: str) -> None:
    found: list[tuple[str, list[str]]] = []
    with goprobe.launch(str(build(SOURCE, go=go, flags=("-trimpath",)))) as program:
        for stop in program.run(breaks=["main.shadowed", "main.stop"]):
            mine = [v for v in stop.variables if (v.function, v.name) == ("main.shadowed", "n")]
            if mine:
                values = [v.value.text for v in mine if v.value is not UNSET]
                assert len(mine) == 1
                found.append((stop.function, values))
    assert found == [("main.shadowed", ["5"]), ("main.stop", []), ("main.stop", [])]
