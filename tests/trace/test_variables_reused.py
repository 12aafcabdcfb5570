"""Variables of optimised code whose place may hold another value by now: each value that is told
is what the program has there, and what can be known is told."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import UNSET

import goprobe
from goprobe.model.value import Variable
from tests.support.gdb import gdbs
from tests.support.go import build, matrix

SOURCE = Path(__file__).parents[2] / "testdata" / "variables" / "reused.go"

# What the variables of a function are at each call of stop in it, in turn; what is not named here
# is not declared there, or has no value yet.
THREE = ['["1" "b" "c"]', '["2" "b" "c"]', '["3" "b" "c"]']
CHANGED = '["16" "e" "c"]'
MORE = ['["16" "18" "d"]', '["16" "20" "d"]']
PAIR = {"b": '[1 "x"]', "c": "{x:2 y:[3] z:nil}", "d": "[7]", "e": "nil", "f": "1.5", "a": "1"}
FIRST = {"a": "40", "b": "41", "c": "forty", "d": "4.5", "e": "[4 5]"}
SECOND = {"a": "42", "b": "43", "c": "two", "d": "4.25", "e": "[6 7 8]"}
LATER = ["4294967248", "4294967263", "4294967264"]
NODES = {"r": '{name:"first" next:nil}', "k": '{name:"second" next:nil}'}
TRUTH: dict[tuple[str, int], list[dict[str, str]]] = {
    ("main.merged", 2): [{"x": THREE[0], "n": "2"}],
    ("main.merged", 3): [{"x": THREE[0], "y": THREE[1], "n": "3"}],
    ("main.methods", 17): [{"x": CHANGED}],
    ("main.methods", 18): [{"x": CHANGED}],
    ("main.methods", 19): [{"x": CHANGED, "y": MORE[0]}],
    ("main.methods", 20): [{"x": CHANGED, "y": MORE[0], "n": "2"}],
    ("main.methods", 21): [{"x": CHANGED, "y": MORE[0], "n": "2", "z": MORE[1]}],
    ("main.unused", 4): [FIRST, SECOND],
    ("main.later", 5): [{"k": k, "i": str(i)} for i, k in enumerate(LATER)],
    ("main.early", 8): [{"i": str(i), **NODES} for i in range(2)],
    ("main.never", 6): [{"a": "49", "b": "5"}],
    ("main.never", 7): [{"a": "48", "b": "80"}],
    ("main.passed", 9): [PAIR],
    ("main.passed", 10): [PAIR],
    ("main.twice.func1", 11): [{"n": "42", "x": "{a:21 b:2}"}],
    ("main.twice", 12): [{"n": "21"}],
    ("main.captures.func1", 14): [{"word": "ab", "n": "7"}],
    ("main.captures.func1", 15): [{"word": "abab", "n": "7.5"}],
    ("main.captures", 16): [{"word": "ab", "n": "7"}],
    ("main.again", 22): [{"x": str(n), "n": str(n), "y": "[4 5 6]"} for n in range(3)],
    ("main.parts", 13): [{"m": "{x:{} y:6 z:[]}", "n": "{x:{} y:5 z:[]}"}],
}  # fmt: skip

pytestmark = pytest.mark.parametrize("go", matrix())


@pytest.fixture(autouse=True)
def debugger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROBE_GDB", str(gdbs()[0].path))


def text_of(variable: Variable) -> str:
    """Its value, of a pointer what it points at."""
    assert variable.value is not UNSET
    if variable.type.startswith("*") and variable.data is not UNSET:
        return variable.data.text
    return variable.value.text


def told(go: str, flags: tuple[str, ...]) -> Iterator[tuple[str, int, dict[str, list[str]]]]:
    """Of each call of stop: a function that stands there, the number, and what is told of its
    variables."""
    with goprobe.launch(str(build(SOURCE, go=go, flags=flags))) as program:
        for stop in program.run(breaks=["main.stop"]):
            number = stop["n"].value
            assert number is not UNSET
            for function in {f.function for f in stop.frames}:
                found: dict[str, list[str]] = {}
                for v in stop.variables:
                    if v.function == function and v.value is not UNSET:
                        found.setdefault(v.name, []).append(text_of(v))
                yield function, int(number.text), found


@pytest.mark.parametrize("flags", [(), ("-trimpath",)], ids=["", "no source"])
def test_what_is_told_is_what_the_program_has(go: str, flags: tuple[str, ...]) -> None:
    turns: dict[tuple[str, int], int] = {}
    for function, number, found in told(go, flags):
        truths = TRUTH.get((function, number))
        if truths is None:
            continue
        turn = turns[function, number] = turns.get((function, number), 0) + 1
        truth = truths[turn - 1]
        for name, texts in found.items():
            assert len(texts) == 1, (function, number, name, texts)
            assert name in truth or name == "room", (function, number, name, texts)
            if name in truth and "unreadable" not in texts[0] and "…" not in texts[0]:
                assert texts[0] == truth[name], (function, number, name)
    assert turns == {place: len(truths) for place, truths in TRUTH.items()}


def test_what_is_passed_and_not_used_is_told_where_the_stack_did_not_have_to_grow(go: str) -> None:
    found: list[list[str]] = []
    with goprobe.launch(str(build(SOURCE, go=go))) as program:
        for stop in program.run(breaks=["main.unused"]):
            mine = (v for v in stop.variables if v.function == stop.function)
            found.append([f"{v.name} {v.value.text}" for v in mine if v.value is not UNSET])
    assert len(found) == 2
    assert set(found[0]) <= {f"{name} {value}" for name, value in FIRST.items()}
    assert {"a 42", "b 43"} <= set(found[1])


def test_padding_behind_an_empty_part_is_in_no_register(go: str) -> None:
    with warnings.catch_warnings(), goprobe.launch(str(build(SOURCE, go=go))) as program:
        warnings.simplefilter("error")  # the stop finds no fault with itself
        stop = next(program.run(breaks=["main.parts"]))
        value = stop["n"].value
        assert value is not UNSET
        assert value.text == "{x:{} y:5 z:[]}"
