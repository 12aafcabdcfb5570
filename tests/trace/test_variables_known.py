"""Variables that were told wrong once: on every Go, what is told is what the program has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from msgspec import UNSET

import goprobe
from goprobe.model.value import Element, Value, Variable
from tests.support.gdb import gdbs
from tests.support.go import build, matrix

SOURCES = Path(__file__).parents[2] / "testdata" / "variables"
UNOPTIMIZED = ("-gcflags=all=-N -l",)


def value(variable: Variable | Element) -> Value:
    assert variable.value is not UNSET, variable
    return variable.value


pytestmark = pytest.mark.parametrize("go", matrix())


@pytest.fixture(autouse=True)
def debugger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROBE_GDB", str(gdbs()[0].path))


def test_of_captured_and_shadowing_variables_the_one_in_scope_is_meant(go: str) -> None:
    binary = build(SOURCES / "capture.go", go=go, flags=UNOPTIMIZED)
    lines = [f"capture.go:{line}" for line in (9, 13, 17, 19, 22)]
    with goprobe.launch(str(binary)) as program:
        seen = [(stop.line, value(stop["v"].part).text) for stop in program.run(breaks=lines)]
    assert seen == [(9, "1"), (13, "2"), (17, "20"), (17, "21"), (19, "2"), (22, "1")]


def test_float_parameters_are_told_at_the_entry(go: str) -> None:
    binary = build(SOURCES / "floats.go", go=go, flags=UNOPTIMIZED)
    with goprobe.launch(str(binary)) as program:
        stop = next(program.run(breaks=["main.area"]))
        told = {name: value(stop[name].part).text for name in ("w", "h", "n")}
    assert told == {"w": "2.5", "h": "4", "n": "3"}


def test_a_variable_told_as_live_is_what_the_running_call_received(go: str) -> None:
    binary = build(SOURCES / "stale.go", go=go)
    received: list[str] = []
    met: set[str] = set()
    with goprobe.launch(str(binary)) as program:
        for stop in program.run(breaks=["main.see"]):
            n = value(stop["n"].part).text
            received.append(n)
            for variable in stop.variables:
                met.add(variable.name)
                if variable.name in ("i", "k") and variable.state in ("live", "register"):
                    assert value(variable).text == n, variable
    assert received == ["5", "6", "7", "3", "10"] and {"i", "k"} <= met


@pytest.mark.filterwarnings("ignore:stop at")
def test_half_of_what_an_inlined_call_changes_is_not_told(go: str) -> None:
    """The store of what nothing reads any more is left out, also where the other half's is not."""
    binary = build(SOURCES / "halfchanged.go", go=go)
    stops = 0
    with goprobe.launch(str(binary)) as program:
        for number, stop in enumerate(program.run(breaks=["halfchanged.go:48"]), 1):
            stops += 1
            if stop["v"].state in ("live", "register"):
                told = value(stop["v"].part).text
                assert told == f"{{x:{2 * number} y:{2 * number**2}}}"
    assert stops == 8


def test_of_a_variable_in_pieces_no_piece_is_shifted(go: str) -> None:
    binary = build(SOURCES / "pieces.go", go=go)
    truth = {"x": "8", "y": "21", "z": "51"}
    stops = live = 0
    with goprobe.launch(str(binary)) as program:
        for stop in program.run(breaks=["main.use"]):
            stops += 1
            for variable in stop.variables:
                if variable.name == "p" and variable.state in ("live", "register"):
                    for field, told in re.findall(r"(\w):(\d+)", value(variable).text):
                        assert told == truth[field], variable
                        live += 1
                if variable.name == "tail" and variable.state in ("live", "register"):
                    assert value(variable).len in (2, UNSET), variable
                    live += 1
    assert stops == 4
    assert live or go in ("1.25", "1.26")  # they keep nothing of it


def test_a_variable_by_an_address_that_is_no_longer_kept_is_not_told(go: str) -> None:
    binary = build(SOURCES / "staleref.go", go=go, flags=UNOPTIMIZED)
    told: dict[str, str] = {}
    with goprobe.launch(str(binary)) as program:
        for stop in program.run(breaks=["staleref.go:21"]):
            told = {
                v.function: value(v).text
                for v in stop.variables
                if v.name == "x" and v.value is not UNSET
            }
            assert any(v.name == "x" and v.function == "main.work.func1" for v in stop.variables)
    assert told.pop("main.work") == "[7]"
    assert set(told.values()) <= {"[7]"}


def test_a_variable_of_no_size_on_the_heap_is_told_once(go: str) -> None:
    binary = build(SOURCES / "nosize.go", go=go, flags=UNOPTIMIZED)
    with goprobe.launch(str(binary)) as program:
        stop = next(program.run(breaks=["main.stop"]))
        told = [v for v in stop.variables if (v.function, v.name) == ("main.main", "none")]
    assert [value(v).text for v in told] == ["{}"]


@pytest.mark.parametrize("flags", [(), UNOPTIMIZED], ids=["optimised", "-N -l"])
def test_one_word_of_a_parameter_in_memory_is_not_told_as_the_whole(
    go: str, flags: tuple[str, ...]
) -> None:
    told: dict[int, list[str]] = {}
    with goprobe.launch(str(build(SOURCES / "lone-word.go", go=go, flags=flags))) as program:
        for stop in program.run(breaks=["main.(*box).size", "main.size"]):
            b = stop["b"].part
            shown = (value(b).len, value(b).cap) if b.value is not UNSET else b.why
            told[stop.line] = [str(shown)]
    generic, plain = told.values()
    if flags:
        assert (generic, plain) == (["(3, 5)"], ["(4, 6)"])
    else:
        reason = "its debug information does not tell which of its words it describes"
        assert generic in ([reason], ["(3, UNSET)"])  # since Go 1.27 another entry names it
        assert plain == ["(4, UNSET)"]


def test_of_loops_in_loops_each_has_its_own_variable(go: str) -> None:
    """The head of the inner one gives the outer one's variable no value."""
    binary = build(SOURCES / "nested.go", go=go)
    told, outer = 0, -1
    with goprobe.launch(str(binary)) as program:
        for stop in program.run(breaks=["nested.go:10", "nested.go:12", "nested.go:13"]):
            outer += stop.line == 10
            for variable in stop.variables:
                if variable.name == "n" and variable.state in ("live", "register"):
                    assert value(variable).text == str(outer if variable.line == 9 else 0), stop
                    told += 1
    assert outer == 2
    assert told >= 3


def test_a_value_from_before_a_choice_without_a_branch_is_not_told(go: str) -> None:
    if go in ("1.21", "1.22"):
        pytest.skip(f"Go {go} has no loops over functions")
    binary = build(SOURCES / "chosen.go", go=go)
    passes = {24: -1, 33: -1}
    with goprobe.launch(str(binary)) as program:
        for stop in program.run(breaks=["chosen.go:24", "chosen.go:33"]):
            passes[stop.line] += 1
            truth = passes[stop.line] * (1 if stop.line == 24 else 8)
            for variable in stop.variables:
                if variable.name in ("n", "m") and variable.state in ("live", "register"):
                    assert value(variable).text == str(truth), variable
    assert passes == {24: 1, 33: 3}


def test_each_result_of_a_call_is_told_by_the_convention(go: str) -> None:
    binary = build(SOURCES / "results.go", go=go)
    with goprobe.launch(str(binary)) as program:
        stop = next(program.run(breaks=["results.go:27"]))
        told = {name: value(stop[name].part).text for name in ("k", "item", "third")}
    assert told == {"k": "3", "item": "7.5", "third": "8.5"}


@pytest.mark.filterwarnings("ignore:stop at")
def test_what_a_function_passes_itself_is_not_its_own(go: str) -> None:
    binary = build(SOURCES / "recursive.go", go=go)
    truth = [str(n) for first in (5, 4) for n in range(first, -1, -1)]
    with goprobe.launch(str(binary)) as program:
        stops = [list(stop.variables) for stop in program.run(breaks=["main.fact"])]
    assert len(stops) == len(truth)
    for variables, n in zip(stops, truth, strict=True):
        told = [v for v in variables if v.name == "n" and v.frame == 0 and v.value is not UNSET]
        assert all(value(v).text == n for v in told), told
    assert sum(v.value is not UNSET for some in stops for v in some if v.name == "n") >= 8
