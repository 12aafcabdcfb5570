"""What values stand for: as the program itself prints them (testdata/sessions/meanings.go)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import goprobe
from tests.support import go

_MEANINGS = Path(__file__).parents[2] / "testdata" / "sessions" / "meanings.go"
_OF_NOW = ("time", 2)
_PRINTED = {
    "duration": "durations",
    "time": "times",
    "big": "bigs",
    "ip": "ips",
    "addr": "addrs",
    "port": "ports",
    "mode": "modes",
    "text": "texts",
}
_TYPES_OF_ADDRESSES = (1, 23)  # unique.Handle, by which IPv4 and IPv6 are told apart


class _Session:
    def __init__(self, program: goprobe.Program, printed: str, release: tuple[int, ...]) -> None:
        self.program = program
        self.release = release
        self.printed = [line.split(" ", 2) for line in printed.partition("\nend\n")[0].splitlines()]

    def __getitem__(self, name: str) -> goprobe.Value:
        return self.program[f"main.{name}"]


@pytest.fixture(params=go.matrix(), scope="module")
def session(request: pytest.FixtureRequest) -> Iterator[_Session]:
    binary = go.build(_MEANINGS, go=request.param)
    told = subprocess.run([binary], capture_output=True, text=True, check=True, timeout=60).stdout
    release = tuple(int(part) for part in request.param.removeprefix("go").split(".")[:2])
    with goprobe.launch(str(binary), stdout=2) as program:
        next(program.run(["main.see"]))
        yield _Session(program, told, release)


def test_each_is_told_as_the_program_prints_it(session: _Session) -> None:
    assert len(session.printed) == 8 * 64
    for kind, index, told in session.printed:
        if (kind, int(index)) == _OF_NOW:
            continue
        if kind in ("addr", "port") and session.release < _TYPES_OF_ADDRESSES:
            told = "None"
        assert str(session[_PRINTED[kind]][int(index)].meaning) == told, (kind, index)


def test_a_reading_of_the_monotonic_clock_changes_nothing(session: _Session) -> None:
    year, rest = str(session["times"][2].meaning).split("-", 1)
    assert int(year) >= 2025 and rest.endswith(" UTC")


def test_constants_are_told_by_name(session: _Session) -> None:
    assert [c.meaning for c in session["colors"]] == ["main.Red", "main.Green", "main.Blue", None]
    read, both, none, more = (each.meaning for each in session["access"])
    assert (read, both) == ("main.Read", "main.Read | main.Execute")
    assert none is None and more is None
    assert session["bare"].meaning is None
    assert session["colors"].value.reading == "[main.Red main.Green main.Blue 7]"


def test_what_holds_text_or_a_number(session: _Session) -> None:
    told = {name: session[name].meaning for name in ("builder", "buffer", "count", "flag", "kind")}
    assert told == {
        "builder": '"built"',
        "buffer": '"buffer"',
        "count": "-42",
        "flag": "true",
        "kind": "func(string) error",
    }
    assert session["boxed"].meaning == "1.5s"


def test_the_whole_is_told_with_what_its_parts_stand_for(session: _Session) -> None:
    assert session["list"].value.reading == "[1ns 1s]"
    assert session["byName"].value.reading == 'map["a":1h0m0s]'
    whole = session["whole"]
    assert whole.value.reading == f"{{When:{session['times'][3].meaning} Every:1m0s}}"
    assert whole.text.startswith("{When:{wall:")


def test_entries_of_a_sync_map(session: _Session) -> None:
    left = " ".join(f'{i}:"{i}"' for i in range(0, 100, 10))
    assert session["entries"].meaning == f'map[{left} "k":nil]'
    assert session["none"].meaning == "map[]"


def test_locks(session: _Session) -> None:
    assert session["locked"].meaning == "locked"
    assert session["group"].meaning == "counter 3"
    assert session["once"].meaning == "done"


def test_a_method_value_has_its_receiver(session: _Session) -> None:
    (receiver,) = session["running"].data.elements
    assert (receiver.name, receiver.type) == ("receiver", "*main.server")
    assert receiver.data.text == '{name:"first"}'
    assert "receiver" not in str(session["boxed"].data)
