"""Stops that come many in a row, which a tracer of ours tells in place of GDB: each call is told
once, with what was passed, and whatever is asked between goes on as before."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import goprobe
from goprobe.errors import TargetTimeoutError
from tests.support import go

SOURCE = Path(__file__).parents[2] / "testdata" / "sessions" / "often.go"
CALLS = 120  # of each goroutine


@pytest.fixture(params=go.matrix(), scope="module")
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def binary() -> str:
    return str(go.build(SOURCE, go=go.matrix()[-1], flags=("-gcflags=all=-N -l",)))


@pytest.fixture
def launched(binary: str) -> Iterator[Callable[..., goprobe.Program]]:
    programs: list[goprobe.Program] = []

    def launch(calls: int = CALLS, **options: float) -> goprobe.Program:
        out = os.open(os.devnull, os.O_WRONLY)
        programs.append(goprobe.launch(binary, [str(calls)], stdout=out, **options))  # type: ignore[arg-type]
        os.close(out)
        return programs[-1]

    yield launch
    for program in programs:
        program.close()


def is_followed(program: goprobe.Program) -> bool:
    """Whether it is traced by another process than GDB."""
    return "goprobe" in Path(f"/proc/{tracer_of(program)}/comm").read_text()


def tracer_of(program: goprobe.Program) -> int:
    status = Path(f"/proc/{program.pid}/status").read_text()
    return int(status.split("TracerPid:")[1].split()[0])


def test_each_call_is_told_once(release: str) -> None:
    binary, told = go.build(SOURCE, go=release, flags=("-gcflags=all=-N -l",)), Counter[object]()
    with goprobe.launch(str(binary), [str(CALLS)], stdout=2) as program:
        for stop in program.run(["main.work"]):
            told[int(stop["id"]), int(stop["n"])] += 1
        assert program.exit is not None and program.exit.code == 7
    assert told == {(i, n): 1 for i in range(4) for n in range(CALLS)}


def test_optimised_code_and_two_places(release: str) -> None:
    binary = str(go.build(SOURCE, go=release))
    told = Counter[str]()
    with goprobe.launch(binary, [str(CALLS)], stdout=2) as program:
        for stop in program.run(["main.work", "main.leaf"]):
            told[stop.where] += 1
            assert stop.function == stop.where
        assert program.exit is not None and program.exit.code == 7
    assert told == {"main.work": 4 * CALLS, "main.leaf": 4 * CALLS}


CONDITIONS: dict[str, Callable[[goprobe.Stop], object]] = {
    'label == "label3" && id == 2': lambda s: s["label"] == "label3" and s["id"] == 2,
    'b.Next.Name == "3" && b.Next.Size > 50': (
        lambda s: s["b"].Next.Name == "3" and s["b"].Next.Size > 50
    ),
    'on && len(b.Tags) == 2 && b.Tags[1] == "b" && n > 80': (
        lambda s: s["on"] and s["b"].Tags[1] == "b" and s["n"] > 80
    ),
    "b.Next.Next == nil && !on && n < 30": lambda s: not s["on"] and s["n"] < 30,
    "b.Next.Part == 5.3": lambda s: s["n"] == 53,
    "b.Next.Part / 2 == 2.5": lambda s: s["n"] == 50,
}


@pytest.mark.parametrize("text", list(CONDITIONS))
def test_conditions_are_those_of_python(
    launched: Callable[..., goprobe.Program], text: str
) -> None:
    condition = CONDITIONS[text]
    seen = Counter((int(s["id"]), int(s["n"])) for s in launched().run(["main.work"], when=text))
    wanted = (s for s in launched().run(["main.work"]) if condition(s))
    assert seen == Counter((int(s["id"]), int(s["n"])) for s in wanted)
    assert seen


def test_a_place_that_is_learned_late_changes_no_hands(
    launched: Callable[..., goprobe.Program],
) -> None:
    program, tracers = launched(), set[int]()
    for number, _ in enumerate(stops := program.run(["main.work", "main.leaf"])):
        if number >= 300 and is_followed(program):  # when is up to how its threads stand
            break
    for stop in stops:
        tracers.add(tracer_of(program))
        assert 0 <= int(stop["n"]) < CALLS
    assert len(tracers) == 1


def test_one_goroutine_alone(launched: Callable[..., goprobe.Program]) -> None:
    program = launched()
    first = next(program.run(["main.work"], when="n == 20"))
    number, own = first.goroutine, int(first["id"])
    rest = [int(s["n"]) for s in program.run(["main.work"], goroutine=number) if s["id"] == own]
    assert rest == list(range(21, CALLS))


def test_a_condition_that_is_wrong_is_told(launched: Callable[..., goprobe.Program]) -> None:
    program = launched()
    with pytest.raises(goprobe.NoSuchElementError, match="nope"):
        for _ in program.run(["main.work"], when="n < 60 && nope == 1 && n == 100 || n == 100"):
            pass


def test_steps_and_questions_between(launched: Callable[..., goprobe.Program]) -> None:
    calls = 2 * CALLS
    program, told, stepped = launched(calls), Counter[tuple[int, int]](), 0
    # From which stop on what is done, and whether it is to be followed then: it changes hands at
    # the next stop at which all of its threads stand, and which one that is the scheduler decides.
    left: list[tuple[int, bool | None, str]]
    left = [(30, True, "step"), (31, False, "step"), (60, True, "ask"), (100, None, "set")]
    left.append((200, None, "step"))
    for number, stop in enumerate(program.run(["main.work"])):
        told[int(stop["id"]), int(stop["n"])] += 1
        if not left or number < left[0][0] or left[0][1] not in (None, is_followed(program)):
            continue
        _, _, what = left.pop(0)
        if what == "step":
            key, line, goroutine = int(stop["n"]), stop.line, stop.goroutine
            after = stop.next()
            assert after is not None
            if after.cut:
                told[int(after["id"]), int(after["n"])] += 1
                left += [] if stepped or left else [(number + 1, None, "step")]
            else:
                stepped += 1
                assert (after.goroutine, after.line > line) == (goroutine, True)
                assert after["n"] == key
        elif what == "ask":
            assert stop.heap().census.objects > 10
            assert sum(g.id == stop.goroutine for g in stop.goroutines()) == 1
            assert is_followed(program)
        else:
            program.break_at("main.leaf")
            program.clear("main.leaf")
    assert stepped and not left
    assert told == {(i, n): 1 for i in range(4) for n in range(calls)}


def test_a_watch_after_many_stops(launched: Callable[..., goprobe.Program]) -> None:
    program = launched(400)
    stop = next(program.run(["main.work"], when="n == 300"))
    hit = next(stop.watch(stop["b"].Next))
    assert hit.old != hit.new


def test_paused_and_too_late(launched: Callable[..., goprobe.Program]) -> None:
    program = launched(10**7)
    timer = threading.Timer(1.0, program.pause)
    timer.start()
    paused = next(s for s in program.run(["main.deep"], when="n == -1") if s.reason == "paused")
    assert paused.where == "" and is_followed(program)
    late = launched(10**7, timeout=2.0)
    began = time.monotonic()
    with pytest.raises(TargetTimeoutError):
        next(late.run(["main.work"], when="n == -1"))
    assert time.monotonic() - began < 10
    assert late.stop is not None and late.stop.reason == "halted"


def test_values_show_themselves_in_notebooks(launched: Callable[..., goprobe.Program]) -> None:
    stops = launched().run(["main.work"])
    first = next(stops)
    assert "<td><code>Tags</code></td><td><code>[]string</code></td>" in first["b"]._repr_html_()
    assert first["label"]._repr_html_() == "<code>&lt;string &quot;label0&quot;&gt;</code>"
    assert "main.work" in first._repr_html_()
    second = next(stops)
    told = second.diff(first)._repr_html_()
    assert "<th>before</th>" in told and "not by what lies there" in told


def test_places_that_are_one_address_are_each_told(tmp_path: Path) -> None:
    """A function's name and the line where it begins: the second was never stopped at."""
    (tmp_path / "two.go").write_text(_TWO)
    line = f"two.go:{_TWO.splitlines().index('func step(n int) int { return n + 1 }') + 1}"
    with goprobe.launch(str(go.build(tmp_path / "two.go")), stdout=2) as program:
        next(program.run(["main.step"]))
        [*told] = [
            (stop["n"].py, line in stop.wheres) for stop in program.run([line], when="n > 2")
        ]
        assert told == [(n, True) for n in range(3, 200)]
    heard: list[str] = []
    with goprobe.launch(str(go.build(tmp_path / "two.go")), stdout=2) as program:
        program.on("main.step")(lambda _: heard.append("name"))
        program.on(line)(lambda _: heard.append("line"))
        program.run_to_end()
    assert heard == ["name", "line"] * 200


_TWO = """\
package main

//go:noinline
func step(n int) int { return n + 1 }

func main() {
	for n := 0; n < 200; {
		n = step(n)
	}
}
"""
