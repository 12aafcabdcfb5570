"""Pointers that nothing uses any more: what they lead to may be freed, and they are not adjusted
when the stack moves. What is told by them is what the program put there, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import UNSET

import goprobe
from goprobe.model.value import Variable
from tests.support.gdb import gdbs
from tests.support.go import build, matrix

UNOPTIMIZED = ("-gcflags=all=-N -l",)
SOURCE = Path(__file__).parents[2] / "testdata" / "variables" / "dead.go"
NODES = "{n:1 next:0x"
TRUTH = {
    "main.moved": {
        "local": "8", "later": "8", "array": "[1 2 3 4]", "own": '{left:nil label:"own" n:5}',
        "at": "8", "kept": "8", "list": "[2 3]", "one": '{left:nil label:"own" n:5}',
        "face": '{left:nil label:"own" n:5}', "count": "main.moved.func1",
    },
    "main.freed": {
        "letters": "[97 98 99]", "first": NODES, "text": "abc!", "list": "[4 5 3]",
        "table": 'map["abc!":6]', "queue": "chan int", "both": '{left:0x', "face": "{left:0x",
        "total": "9", "add": "main.freed.func1", "last": "{n:3 next:nil}",
    },
    "main.later": {"letters": "[117 118 119]", "first": "{n:6 next:nil}", "text": "uvw"},
    "main.hold": {"p": "{n:", "text": ""},
    "main.passing": {"letters": "[120 121 122]", "first": "{n:4 next:nil}", "text": "xyz"},
    "main.reused": {"first": "{n:1 next:nil}", "last": "{n:5 next:nil}"},
    "main.carried": {"x": '{left:nil label:"c" n:10}', "done": "chan int"},
    "main.broken": {
        "none": "nil", "out": "8", "local": "7", "at": "7", "first": "{n:1 next:nil}",
    },
}  # fmt: skip

pytestmark = [
    pytest.mark.parametrize("go", matrix()),
    pytest.mark.parametrize("flags", [UNOPTIMIZED, ()], ids=["-N -l", "optimised"]),
]


@pytest.fixture(autouse=True)
def debugger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOPROBE_GDB", str(gdbs()[0].path))


def stops(go: str, flags: tuple[str, ...]) -> Iterator[tuple[int, list[Variable]]]:
    """Of each call of stop: its number, and the variables of the functions asked about."""
    with goprobe.launch(str(build(SOURCE, go=go, flags=flags))) as program:
        for number, stop in enumerate(program.run(breaks=["main.stop"]), 1):
            mine = [v for v in stop.variables if v.function in TRUTH and v.value is not UNSET]
            yield number, mine


def behind(v: Variable) -> str:
    """Its value, of a pointer what it points at."""
    assert v.value is not UNSET
    if v.data is not UNSET and (v.type.startswith("*") or v.value.text.startswith("0x")):
        return v.data.text
    return v.value.text


def test_what_is_told_is_what_the_program_put_there(go: str, flags: tuple[str, ...]) -> None:
    seen = set()
    for number, variables in stops(go, flags):
        seen.add(number)
        for v in variables:
            if v.name in ("two", "many", "i", "was"):
                continue
            text, truth = behind(v), TRUTH[v.function][v.name]
            if "unreadable" not in text and "…" not in text:
                assert text.startswith(truth), (number, v.function, v.name, v.type)
    assert seen == set(range(1, 13))


def test_a_pointer_that_is_told_is_the_address_of_what_it_points_at(
    go: str, flags: tuple[str, ...]
) -> None:
    for number, variables in stops(go, flags):
        places = {v.name: int(v.address) for v in variables if v.address is not UNSET}
        for v in variables:
            target = {"at": "local", "kept": "later", "one": "own"}.get(v.name)
            if target in places and v.value is not UNSET:
                assert int(v.value.text, 16) == places[target], (number, v.name)


def test_before_anything_moves_or_is_freed_all_is_told(go: str, flags: tuple[str, ...]) -> None:
    if flags != UNOPTIMIZED:
        pytest.skip("the optimiser keeps less")
    told = dict(stops(go, flags))
    moved = {v.name: behind(v) for v in told[1]}
    assert TRUTH["main.moved"].items() <= moved.items()
    still = {v.name: behind(v) for v in told[2]}
    assert {"kept": "8", "later": "8", "local": "8"}.items() <= still.items()
    kept = {v.name: behind(v) for v in told[5] if v.function == "main.freed"}
    assert kept["last"] == "{n:3 next:nil}"
    later = {v.name: behind(v) for v in told[12] if v.function == "main.later"}
    assert TRUTH["main.later"].items() <= later.items()
    passed = {v.name: behind(v) for v in told[8] if v.function == "main.passing"}
    assert {"first": "{n:4 next:nil}", "text": "xyz"}.items() <= passed.items()


def test_a_script_follows_no_such_pointer_either(go: str, flags: tuple[str, ...]) -> None:
    if flags != UNOPTIMIZED:
        pytest.skip("the optimiser keeps less")
    with goprobe.launch(str(build(SOURCE, go=go, flags=flags))) as program:
        stop = next(s for n, s in enumerate(program.run(breaks=["main.stop"]), 1) if n == 5)
        # What was freed may be a stack by now: then not even the pointer is told.
        asked: tuple[Callable[[], goprobe.Value], ...]
        asked = (lambda: stop["first"], lambda: stop["many"][70])
        for pointer in asked:
            with pytest.raises(goprobe.UsageError, match=r"no field|unreadable|does not use"):
                _ = pointer().n
            assert "does not use" in said(pointer)


def said(pointer: Callable[[], goprobe.Value]) -> str:
    try:
        return str(pointer().py)
    except goprobe.UsageError as error:
        return str(error)


WITHIN = SOURCE.with_name("dead-within.go")


def test_what_lies_in_a_frame_is_kept_only_while_a_pointer_to_it_is(
    go: str, flags: tuple[str, ...]
) -> None:
    names = {"table", "wide", "list", "own", "at", "add", "any", "nest"}
    with goprobe.launch(str(build(WITHIN, go=go, flags=flags))) as program:
        for number, stop in enumerate(program.run(breaks=["main.stop"])):
            mine = [v for v in stop.variables if v.function == "main.within"]
            told = {v.name: v for v in mine if v.name in names and v.value is not UNSET}
            assert number or flags != UNOPTIMIZED or told.keys() == names
            assert not any("n:666" in str(v) for v in told.values())
    assert number == 1
