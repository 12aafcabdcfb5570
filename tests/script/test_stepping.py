"""Steps end where control comes to another line, however long that takes and whatever leads there.

Lines are named by the last word of the Go source's line (testdata/sessions).
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import goprobe
from goprobe.errors import TargetTimeoutError, UsageError
from tests.support import go

SESSIONS = Path(__file__).parents[2] / "testdata" / "sessions"
UNOPTIMISED = ("-gcflags=all=-N -l",)
_NAME = re.compile(r"// ([\w-]+)$")


def names(file: str) -> dict[int, str]:
    lines = (SESSIONS / file).read_text().splitlines()
    return {n: m[1] for n, line in enumerate(lines, 1) if (m := _NAME.search(line))}


@pytest.fixture(params=go.matrix(), scope="module")
def release(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def at(
    release: str,
    where: str,
    file: str = "steps.go",
    flags: tuple[str, ...] = UNOPTIMISED,
    timeout: float = 60,
    args: tuple[str, ...] = (),
) -> Iterator[tuple[goprobe.Program, goprobe.Stop]]:
    """The program at a function, which is not broken at any more."""
    binary = go.build(SESSIONS / file, go=release, flags=flags)
    with goprobe.launch(str(binary), args, stdout=2, timeout=timeout) as program:
        stop = next(program.run([where]))
        program.clear(where)
        yield program, stop


def walk(stop: goprobe.Stop, how: str, end: str, file: str = "steps.go") -> list[str]:
    """The names of the lines that a way of stepping comes to, up to one."""
    known, told = names(file), list[str]()
    while len(told) < 40:
        after: goprobe.Stop | None = getattr(stop, how)()
        assert after is not None and not after.cut
        stop = after
        told.append(known.get(stop.line, f"{stop.function}:{stop.line}"))
        if told[-1] == end:
            return told
    raise AssertionError(f"never came to {end}: {told}")


def line_of(name: str, file: str = "steps.go") -> int:
    return next(line for line, known in names(file).items() if known == name)


def value(stop: goprobe.Stop, name: str) -> str:
    return stop[name].text


def test_over_a_loop_of_one_line(release: str) -> None:
    with at(release, "main.loop") as (_, stop):
        assert walk(stop, "next", "loop-for") == ["loop-s", "loop-for"]
    with at(release, "main.loop") as (_, stop):
        there = stop.until(line_of("loop-for"))
        assert there is not None
        began = time.monotonic()
        after = there.next()
        assert after is not None and time.monotonic() - began < 10
        assert names("steps.go")[after.line] == "loop-return"
        assert value(after, "s") == str(sum(range(3_000_000)))
        with pytest.raises(UsageError, match="is over"):
            _ = there["s"]


def test_over_a_panic_that_is_recovered(release: str) -> None:
    with at(release, "main.recovers") as (_, stop):
        told = walk(stop, "next", "main-recovers")
    assert told[:3] == ["recovers-defer", "recovers-if", "recovers-panic"]
    # The line of what the compiler made for the way out is the statement's up to Go 1.24.
    assert set(told[3:-1]) <= {"recovers-return", "recovers-end", "recovers-defer"}


def test_a_panic_that_is_recovered_further_out(release: str) -> None:
    with at(release, "main.recoversNot") as (_, stop):
        there = stop.until(line_of("recoversnot-panic"))
        assert there is not None
        after = there.next()
        assert after is not None and after.function == "main.outermost"
        assert names("steps.go")[after.line] in (
            "outermost-defer",
            "outermost-return",
            "outermost-end",
        )


def test_into_deferred_functions(release: str) -> None:
    with at(release, "main.recovers") as (_, stop):
        told = walk(stop, "step", "main-recovers")
    assert "recovers-recover" in told and "recovers-seven" in told
    assert not [line for line in told if line.startswith("runtime.")]


@pytest.mark.parametrize("flags", [(), UNOPTIMISED])
def test_into_each_of_many_deferred_functions(release: str, flags: tuple[str, ...]) -> None:
    """Those of a loop have wrappers, which may be asked to give way as they begin."""
    with at(release, "main.manyDeferred", flags=flags) as (_, stop):
        told = walk(stop, "step", "main-after")
    into = [line for line in told if line in ("add-i", "many-one", "many-two")]
    assert into == ["add-i", "add-i", "many-two", "many-one"], told
    assert not [line for line in told if line.startswith("runtime.")]


def test_over_recursion_of_the_same_line(release: str) -> None:
    with at(release, "main.fib") as (_, stop):
        assert value(stop, "n") == "12"
        told = walk(stop, "next", "fib-return")
        assert told == ["fib-if", "fib-a", "fib-b", "fib-return"]
    with at(release, "main.fib") as (_, stop):
        after = stop.finish()
        assert after is not None and (after.function, after.cut) == ("main.main", "")


def test_into_calls(release: str) -> None:
    with at(release, "main.fib") as (_, stop):
        told = walk(stop, "step", "fib-small")
    assert told == ["fib-if", *["fib-a", "fib", "fib-if"] * 11, "fib-small"]


def test_into_a_method_by_its_interface(release: str) -> None:
    with at(release, "main.viaInterface") as (_, stop):
        assert walk(stop, "step", "area") == ["via-call", "area"]


def test_out_of_an_inlined_function(release: str) -> None:
    with at(release, "main.outer", flags=()) as (_, stop):
        there = stop.until(line_of("inner-marker"))
        assert there is not None and there.function == "main.inner"
        assert there.frames[0].inlined and there.frames[1].function == "main.outer"
        frame = there.frames[0].cfa
        after = there.finish()
        assert after is not None and after.function == "main.outer"
        assert after.frames[0].cfa == frame
    with at(release, "main.outer", flags=()) as (_, stop):
        told = walk(stop, "next", "outer-return")
        assert not [line for line in told if line.startswith("inner")]


@pytest.mark.parametrize("how", ["finish", "next"])
def test_a_step_that_another_goroutine_cuts_short(release: str, how: str) -> None:
    with at(release, "main.waits", args=("short",)) as (program, stop):
        there = stop.until(line_of("waits-receive"))
        assert there is not None
        with pytest.raises(UsageError, match="no step was cut short"):
            there.resume()
        mine = there.goroutine
        program.break_at("main.marker")
        after = getattr(there, how)()
        for _ in range(3):
            assert after is not None and after.goroutine != mine
            assert (after.where, after.cut) == ("main.marker", how)
            assert after.reason == "breakpoint main.marker"
            assert f"{how}() cut short" in repr(after)
            with pytest.raises(UsageError, match="cut short" if how == "finish" else "finish"):
                _ = after.results
            after = after.resume()
        assert after is not None
        program.clear("main.marker")
        after = after.resume()
        assert after is not None and (after.goroutine, after.cut) == (mine, "")
        assert after.function == ("main.main" if how == "finish" else "main.waits")
        assert how == "next" or after.results[0] == 5


@pytest.mark.parametrize(
    "wanted", [{"goroutine": 1}, {"when": lambda stop: stop.function == "main.waits"}]
)
def test_stops_that_a_run_does_not_want_cut_no_step(
    release: str, wanted: dict[str, Any], tmp_path: Path
) -> None:
    binary = go.build(SESSIONS / "steps.go", go=release, flags=UNOPTIMISED)
    tape = tmp_path / "tape"
    for live in (True, False):
        launch = partial(goprobe.launch, str(binary), ["short"], stdout=2, record=tape)
        with launch() if live else goprobe.replay(tape) as program:
            stops = program.run(["main.waits", "main.marker"], **wanted)
            back = next(stop for stop in stops if stop.where == "main.waits").finish()
            assert back is not None and not back.cut and back.results[0] == 5


def test_bodies_of_loops_over_functions(release: str) -> None:
    if tuple(map(int, release.split("."))) < (1, 23):
        pytest.skip("Go has loops over functions since 1.23")
    with at(release, "main.nested", "rangefunc.go") as (_, stop):
        told = walk(stop, "next", "nested-return", "rangefunc.go")
    assert told.count("nested-body") == 4
    assert not [line for line in told if line.startswith(("seq", "main.seq"))]


def test_a_step_that_does_not_end_in_time(release: str) -> None:
    with at(release, "main.waits", timeout=3) as (program, stop):
        with pytest.raises(TargetTimeoutError, match="within 3 s"):
            stop.until(line_of("never"))
        with pytest.raises(UsageError, match="is over"):
            _ = stop["done"]
        halted = program.stop
        assert halted is not None and halted.reason == "halted"
        assert any(g.id == 1 for g in halted.goroutines())


def test_an_interrupted_step_keeps_the_session(release: str) -> None:
    with at(release, "main.waits", timeout=20) as (program, stop):
        with pytest.raises(KeyboardInterrupt), interrupted_in(1.0):
            stop.until(line_of("never"))
        halted = program.stop
        assert halted is not None and halted.reason == "halted"
        assert any(g.id == 1 for g in halted.goroutines())
        program.break_at("main.last")
        again = next(program.run(["main.last"]))
        assert again.function == "main.last"


@contextmanager
def interrupted_in(seconds: float) -> Iterator[None]:
    """As Ctrl-C does it."""
    timer = threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def test_only_the_time_in_which_the_program_runs_counts(release: str) -> None:
    with at(release, "main.fib", timeout=2) as (_, stop):
        time.sleep(2.5)
        assert walk(stop, "next", "fib-a") == ["fib-if", "fib-a"]
    binary = go.build(SESSIONS / "steps.go", go=release, flags=UNOPTIMISED)
    with goprobe.launch(str(binary), stdout=2, timeout=None) as program:
        assert next(program.run(["main.fib"])).function == "main.fib"
