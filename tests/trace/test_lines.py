"""A breakpoint stops once for each pass of its line, and once for each call of its function."""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from pathlib import Path

import pytest

import goprobe
from tests.support.gdb import gdbs
from tests.support.go import build, matrix

SOURCE = Path(__file__).parents[2] / "testdata" / "variables" / "ways.go"
_COUNTS = re.compile(r"\bpass\((\d)\)")


def counted_lines() -> dict[str, int]:
    """Each line that counts its passes, as a WHERE, and the number that it counts under."""
    lines = enumerate(SOURCE.read_text().splitlines(), 1)
    return {f"ways.go:{at}": int(found[1]) for at, line in lines if (found := _COUNTS.search(line))}


@pytest.mark.parametrize("flags", [(), ("-gcflags=all=-N -l",)], ids=["optimised", "-N -l"])
@pytest.mark.parametrize("go", matrix())
def test_every_way_to_a_line_stops_once_for_a_pass(
    go: str, flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROBE_GDB", str(gdbs()[0].path))
    counted, stops = counted_lines(), Counter[int]()
    with tempfile.TemporaryFile() as output:
        binary = str(build(SOURCE, go=go, flags=flags))
        with goprobe.launch(binary, stdout=output.fileno()) as program:
            for stop in program.run(breaks=list(counted)):
                stops[counted[stop.where]] += 1
        output.seek(0)
        said = output.read().decode().splitlines()[-1]
    passed = dict(enumerate(map(int, said.strip("[]").split())))
    assert len(passed) == len(counted) == 9
    assert dict(stops) == passed


@pytest.mark.parametrize("go", matrix())
def test_each_call_is_one_stop_though_its_goroutine_is_asked_to_make_way(
    go: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stripped program is stopped before the stack check, which fails for a preemption too."""
    monkeypatch.setenv("GOPROBE_GDB", str(gdbs()[0].path))
    binary = str(build(SOURCE.with_name("preempted.go"), go=go, flags=("-ldflags=-s -w",)))
    with goprobe.launch(binary) as program:
        stops = sum(1 for _ in program.run(breaks=["main.work"]))
    assert stops == 60


@pytest.mark.parametrize("flags", [(), ("-gcflags=all=-N -l",)], ids=["optimised", "-N -l"])
@pytest.mark.parametrize("go", matrix())
def test_stops_that_look_alike_are_stops_of_their_own(
    go: str, flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROBE_GDB", str(gdbs()[0].path))
    binary = str(build(SOURCE.with_name("looped.go"), go=go, flags=flags))
    with goprobe.launch(binary) as program:
        stops = sum(1 for _ in program.run(breaks=["looped.go:19"]))
    assert stops == 80


@pytest.mark.parametrize("go", matrix())
def test_a_step_ends_at_no_line_of_a_literal_that_is_inlined_there(
    go: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the compiler adds behind an inlined call has no line; it is marked as the call's."""
    monkeypatch.setenv("GOPROBE_GDB", str(gdbs()[0].path))
    lines = SOURCE.read_text().splitlines()
    literal, call = lines.index("\t\t\tpass(8)") + 1, lines.index("\t\ta := f([4]int{n})") + 1
    with tempfile.TemporaryFile() as output:
        binary = str(build(SOURCE, go=go))
        with goprobe.launch(binary, stdout=output.fileno()) as program:
            stop = next(program.run(breaks=["main.inPlace"]))
            stepped = [stop.line]
            while (after := stop.next()) and after.function == "main.inPlace":
                stop = after
                stepped.append(stop.line)
    assert literal not in stepped
    assert stepped.count(call) == 3
