"""How a program is launched, what it ends by, and recordings of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import goprobe
from goprobe.errors import UsageError
from tests.support import go

SESSIONS = Path(__file__).parents[2] / "testdata" / "sessions"
UNOPTIMISED = ("-gcflags=all=-N -l",)


@pytest.fixture(params=go.matrix(), scope="module")
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("flags", [UNOPTIMISED, ()])
def test_surroundings_panics_and_fatal_errors(
    release: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    binary = str(go.build(SESSIONS / "ends.go", go=release, flags=flags))
    told: list[tuple[str, str]] = []
    with (
        (tmp_path / "out").open("w") as out,
        goprobe.launch(
            binary, stdout=out.fileno(), env={"MODE": "dev"}, cwd=tmp_path, stdin=b"a line\n"
        ) as program,
    ):
        for stop in program.run([goprobe.PANIC, goprobe.FATAL, "main.try"]):
            if stop.where == "main.try":
                assert stop.panic is None
                continue
            assert stop.panic is not None
            told.append((stop.where, stop.panic.message))
        assert program.exit is not None and program.exit.code == 2
    assert (tmp_path / "out").read_text() == f"dev {tmp_path} a line\n\n"
    assert [message for where, message in told if where == goprobe.PANIC] == [
        "a text", "an error", "wrapped: file already closed", "assignment to entry in nil map",
        "runtime error: index out of range [5] with length 1",
        "runtime error: invalid memory address or nil pointer dereference", "42",
    ]  # fmt: skip
    assert told[-1] == (goprobe.FATAL, "all goroutines are asleep - deadlock!")


def test_surroundings_that_make_no_sense(release: str) -> None:
    binary = str(go.build(SESSIONS / "ends.go", go=release, flags=UNOPTIMISED))
    with pytest.raises(UsageError, match="is built already"):
        goprobe.launch(binary, flags=["-race"])
    with pytest.raises(UsageError, match="there is no directory"):
        goprobe.launch(binary, cwd="/nowhere at all")


def session(program: goprobe.Program) -> list[object]:
    told: list[object] = []
    for stop in program.run(["main.here"], when="step == 1"):
        caller = stop.frame(1)
        told += [stop.line, stop.function, len(caller["big"]), int(caller["big"][77_777])]
        first = program.type("main.node").at(caller["list"].data.address)
        told += [str(first.Val), first.Next.Next.Next.Next.Next.Next.Val.py]
        told += [caller["byInt"].py, caller["text"].py[:9], program["main.counter"].py]
        told.append(stop.locate(first.address).name)
        told.append(stop.read(first.address, 8).hex())
    return told


def test_an_unedited_script_replays(release: str, tmp_path: Path) -> None:
    binary = str(go.build(SESSIONS / "values.go", go=release, flags=UNOPTIMISED))
    recording = tmp_path / "session"
    with goprobe.launch(binary, stdout=2, record=recording) as program:
        live = session(program)
    assert len(live) == 11 and live[3] == 3 * 77_777 + 1
    with goprobe.replay(recording) as program:
        assert session(program) == live


def test_a_recording_is_small(release: str, tmp_path: Path) -> None:
    binary = str(go.build(SESSIONS / "steps.go", go=release, flags=UNOPTIMISED))
    recording = tmp_path / "session"
    with goprobe.launch(binary, stdout=2, record=recording) as program:
        stops = sum(1 for stop in program.run(["main.fib"]) if stop["n"] is not None)
    assert stops == 465
    assert recording.stat().st_size / stops < 8_000


def test_what_is_kept_of_large_values_is_small(release: str, tmp_path: Path) -> None:
    binary = str(go.build(SESSIONS / "values.go", go=release, flags=UNOPTIMISED))
    recording = tmp_path / "session"
    with goprobe.launch(binary, stdout=2, record=recording) as program:
        stops = program.run(["main.here"])
        next(stops)
        before = next(stops)  # with a slice of 800,000 bytes in scope
        changed = {c.name for c in next(stops).diff(before).changed}
    assert {"big", "wide", "text"} <= changed and recording.stat().st_size < 600_000


def test_damaged_bytes_are_no_fault_of_the_script(release: str, tmp_path: Path) -> None:
    binary = str(go.build(SESSIONS / "values.go", go=release, flags=UNOPTIMISED))
    recording = tmp_path / "session"
    with goprobe.launch(binary, stdout=2, record=recording) as program:
        session(program)
    data = recording.read_bytes()
    told = set()
    starts = [0, *(m.end() for m in re.finditer(b"\n", data[:-1]))]
    for at in (start + 3 for start in starts):  # each line's, whatever its length
        recording.write_bytes(data[:at] + b"\xff\xfe" + data[at + 2 :])
        try:
            with goprobe.replay(recording) as program:
                session(program)
        except UsageError as error:
            told.add(error.message.partition(" ")[2].partition(":")[0].partition(" at line")[0])
    assert "is damaged" in told and told <= {"is damaged", "is no recording of goprobe"}, told


def test_one_string_is_not_taken_letter_by_letter() -> None:
    with pytest.raises(UsageError, match="args is a list of strings") as told:
        goprobe.launch("nowhere.go", "serve")
    assert told.value.hint == "['serve']"
