"""Calls that stubs note without a stop: none is lost, invented or told wrongly, and nothing of the
stubs stays behind."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import goprobe
from goprobe.process.calltracer.ring import is_steady
from tests.support.go import build, matrix

_PROGRAM = Path("testdata/calls/noted.go")
_BUILDS = {"unoptimised": ("-gcflags=all=-N -l",), "pie": ("-buildmode=pie",)}
_ALL = tuple(f"main.{name}" for name in ("add", "maybe", "deep", "risk", "leave"))


def _notes(pid: int) -> bool:
    """Whether there are stubs in the program."""
    return "memfd:" in Path(f"/proc/{pid}/maps").read_text()


def _is_right(call: goprobe.Call) -> bool:
    given, gives = [call.args[n].py for n in range(len(call.args))], call.results
    match call.function.removeprefix("main."), given:
        case "add", [a, b]:
            return bool(gives[0] == a + b)
        case "maybe", [n, u, ok]:
            if n % 100 == 7:
                return "odd" in gives[1].text
            return bool(gives[1] == None and gives[0] == (2 * n if ok else u))  # noqa: E711
        case _, [n]:
            return bool(gives[0] == n)
    return False


@pytest.mark.parametrize("built", _BUILDS)
@pytest.mark.parametrize("go", matrix())
def test_each_call_is_noted_once_with_its_values(go: str, built: str, tmp_path: Path) -> None:
    output = tmp_path / "output"
    binary = str(build(_PROGRAM, go=go, flags=_BUILDS[built]))
    told: Counter[str] = Counter()
    with output.open("w") as said, goprobe.launch(binary, stdout=said.fileno()) as program:
        for call in program.calls(*_ALL):
            if not told and is_steady():
                assert _notes(program.pid)
            told[call.function.removeprefix("main.")] += 1
            told[call.end] += 1
            assert call.end != "return" or _is_right(call), call
            assert call.duration >= 0
        assert program.exit is not None and program.exit.code == 0
    added, asked, deepened, risked = map(int, output.read_text().split())
    assert (told["add"], told["maybe"], told["deep"]) == (added, asked, deepened)
    assert (told["risk"], told["leave"]) == (risked, 1)
    assert (told["goexit"], told["panic"]) == (1, 8 * 2)
    assert told["return"] == added + asked + deepened + risked - 16


@pytest.mark.parametrize("go", matrix())
def test_a_watch_that_is_left_leaves_no_stub(go: str) -> None:
    binary = str(build(_PROGRAM, go=go, flags=_BUILDS["unoptimised"]))
    for count in (1, 300, 9000):
        with goprobe.launch(binary, ["serve"], stdout=2) as program:
            for told, _ in enumerate(program.calls("main.add", "main.maybe"), 1):
                if told == count:
                    break
            assert not _notes(program.pid)
            for number, stop in enumerate(program.run(["main.tick"])):
                assert stop.function == "main.tick"
                if number == 20:
                    break
