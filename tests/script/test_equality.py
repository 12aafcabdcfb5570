"""Whether values are equal is held against what the program's own Go says; what of a call was told
whole is Python's own, and what was not is refused."""

from __future__ import annotations

import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

import goprobe
from tests.support.go import build, matrix

_PROGRAM = Path("testdata/calls/equal.go")
_PAIRS = ["pointers", "arrays", "names", "structs", "boxed", "channels", "failed", "floats"]


def _said(binary: str) -> list[str]:
    told = subprocess.run([binary], capture_output=True, text=True, check=True).stdout
    # Of a nil error and a nil pointer, each of which is nil: Go does not compare the two.
    return [line.replace("failed true", "failed false") for line in told.splitlines()]


def _line(function: str, equal: list[bool]) -> str:
    return f"{function.rpartition('.')[2]} {str(all(equal)).lower()}"


@pytest.mark.parametrize("go", matrix())
def test_values_at_a_stop_are_equal_as_go_has_it(go: str) -> None:
    binary = str(build(_PROGRAM, go=go, flags=("-gcflags=all=-N -l",)))
    with goprobe.launch(binary, stdout=2) as program:
        told = []
        for stop in program.run([f"main.{name}" for name in _PAIRS]):
            own = [stop[v.name] for v in stop.variables if v.parameter]
            equal = [one == other for one, other in list(pairwise(own))[::2]]
            told.append(_line(stop.function, equal))
            assert [one != other for one, other in list(pairwise(own))[::2]] == [
                not e for e in equal
            ]
    assert told == _said(binary)


@pytest.mark.parametrize("go", matrix())
def test_values_of_calls_are_equal_as_go_has_it(go: str) -> None:
    binary = str(build(_PROGRAM, go=go))
    with goprobe.launch(binary, stdout=2) as program:
        told = []
        for call in program.calls(*(f"main.{name}" for name in _PAIRS)):
            own = list(call.args.values())
            told.append(_line(call.function, [one == two for one, two in list(pairwise(own))[::2]]))
            if call.function != "main.failed":
                assert told[-1].endswith(call.results[0].text)
    assert told == _said(binary)


def test_what_go_does_not_compare_is_equal_by_what_it_holds() -> None:
    with goprobe.launch(str(build(_PROGRAM)), stdout=2) as program:
        told = [
            [stop[a] == stop[b] for a, b in ("ab", "fg", "mn")]
            for stop in program.run(["main.lists"])
        ]
    assert told == [[True, True, True], [False, False, False]]
    with goprobe.launch(str(build(_PROGRAM)), stdout=2) as program:
        calls = [call.args for call in program.calls("main.lists")]
    assert [[args[a] == args[b] for a, b in ("ab", "fg", "mn")] for args in calls] == told


def test_maps_of_calls_have_their_keys() -> None:
    with goprobe.launch(str(build(_PROGRAM)), stdout=2) as program:
        [call] = program.calls("main.maps")
        args = call.args
    assert args["byText"].py == {"a": 1, 'b\n"q': 2} == args["byText"]
    assert args["byText"]["a"] == 1 and "a" in args["byText"] and "z" not in args["byText"]
    assert list(args["byText"]) == ["a", 'b\n"q'] and args["empty"].py == {} and not args["empty"]
    assert args["byPart"].py == {(5, 6): True} and args["byPart"][5, 6]
    assert next(iter(args["byPart"])).X == 5
    assert args["byList"].py == {(1, 2): {"X": 3, "Y": 4}}
    # 1 and true are one key in Python: none here; int8(5) is 5.
    assert args["byAny"].py == {"s": 1, 2: 2, 5: 3, (1, 2): 4, True: 5}
    [pointer] = args["byPointer"]
    assert isinstance(pointer, int) and pointer > 1 << 12
    assert call.results[0].py == {1.5: "x", 2: "y"} and call.results[0][2] == "y"
    with pytest.raises(goprobe.UsageError, match="only 16 of 500 elements were told"):
        _ = args["many"].py
    shown, value = next(iter(args["many"].items()))
    assert args["many"][shown] == value and len(args["many"]) == 500
    with pytest.raises(goprobe.UsageError, match="only 16 of 500 elements were told"):
        _ = "nope" in args["many"]


def test_what_was_told_in_part_does_not_pass_for_the_whole() -> None:
    with goprobe.launch(str(build(_PROGRAM)), stdout=2) as program:
        [call] = program.calls("main.cut")
        args = call.args
    assert len(args["list"]) == 40 and len(args["held"]) == 30
    for name, count in (("list", 40), ("held", 30)):
        with pytest.raises(goprobe.UsageError, match=f"only 16 of {count} elements were told"):
            _ = args[name].py
    assert args["whole"].py["Last"] == 9 and len(args["whole"].py) == 72
    assert args["at"] == 'at\t"x"' and args["box"] == "boxed\n"
    assert args["raw"].py == b"\xffraw\xe2\x80\xa8"
    with pytest.raises(goprobe.UsageError, match="told in part"):
        _ = args["long"].py
