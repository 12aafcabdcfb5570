"""Walks from live registers, held against GDB at every instruction and stopped in odd places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.stacks.unwind import Unwound
from tests.runtime.stackprograms import STEPPED
from tests.support.gdbsession import GdbSession, gdb_at
from tests.support.go import build, matrix

RELEASES = pytest.mark.parametrize("go", matrix())
KINDS = {"plain": (), "unoptimized": ("-gcflags=all=-N -l",), "pie": ("-buildmode=pie",)}
_START = (
    *("handle SIGURG nostop noprint pass", "set scheduler-locking step", "set language c"),
    *("set backtrace past-main on", "set environment GOMAXPROCS 1"),
    # Nothing but the program's own doings: no collector, no preemption.
    *("set environment GOGC off", "set environment GODEBUG asyncpreemptoff=1"),
)


def stepped(go: str, kind: str = "plain") -> Path:
    return build(STEPPED, go=go, flags=KINDS[kind])


def walk(gdb: GdbSession) -> Unwound:
    return Stacks(gdb.world()).of_thread(gdb.thread)


def in_order(names: Sequence[str], wanted: Sequence[str]) -> bool:
    rest = iter(names)
    return all(name in rest for name in wanted)


@pytest.mark.parametrize("kind", KINDS)
@RELEASES
def test_every_instruction_of_a_call_is_walked_as_gdb_does(go: str, kind: str) -> None:
    seen: set[str] = set()
    compared = 0
    with gdb_at(stepped(go, kind), *_START, "tbreak *'main.first'", "run") as gdb:
        for _ in range(250):
            unwound, wanted = walk(gdb), gdb.backtrace()
            names = [f.function for f in unwound.frames]
            if names[0] == "main.main":
                break
            seen.add(names[0])
            assert unwound.complete
            assert names[-3:] == ["main.main", "runtime.main", "runtime.goexit"]
            if "runtime.goexit" in [name for _, name in wanted]:
                assert [f.pc for f in unwound.frames] == [pc for pc, _ in wanted if pc]
                compared += 1
            else:  # GDB knows nothing of the system stack that stacks grow on
                assert "runtime.morestack" in names
            if "runtime.morestack" in names:
                # It stood at a breakpoint for long and is asked to yield: past all that.
                caller = next(f.spot for f in unwound.frames if f.function.startswith("main."))
                assert caller
                gdb(f"tbreak *{caller.function.entry:#x}")
                gdb("continue")
            else:
                gdb("stepi")
        else:
            raise AssertionError(f"main.first did not return: {names}")
    assert {"main.first", "main.second", "main.third", "main.leaf"} <= seen
    assert compared > 50


@RELEASES
def test_on_the_system_stack_the_goroutines_own_stack_follows(go: str) -> None:
    stop = "break *'runtime.(*mheap).alloc.func1'"
    names: list[str] = []
    with gdb_at(stepped(go), *_START, "tbreak main.allocate", "run", stop) as gdb:
        for _ in range(20):
            gdb("continue")
            unwound = walk(gdb)
            names = [f.function for f in unwound.frames]
            if "runtime.systemstack" in names and "main.allocate" in names:
                break
    order = [
        "runtime.(*mheap).alloc.func1",
        "runtime.systemstack",
        "runtime.(*mheap).alloc",
        "runtime.mallocgc",
        "main.allocate",
        "main.main",
        "runtime.goexit",
    ]
    assert in_order(names, order), names
    assert "runtime.systemstack_switch" not in names
    assert [f.stack for f in unwound.frames] == sorted(f.stack for f in unwound.frames)
    assert unwound.frames[-1].stack == 1 and unwound.complete


@RELEASES
def test_while_a_stack_grows_the_function_that_needs_it_follows(go: str) -> None:
    stops = ("tbreak main.grow", "run", "tbreak *'runtime.copystack'", "continue")
    with gdb_at(stepped(go), *_START, *stops) as gdb:
        unwound = walk(gdb)
    names = [f.function for f in unwound.frames]
    order = [
        "runtime.copystack",
        "runtime.newstack",
        "runtime.morestack",
        "main.grow",
        "main.grow",
        "main.main",
    ]
    assert in_order(names, order), names
    assert names.count("main.grow") >= 2
    assert unwound.complete


@RELEASES
def test_a_parking_goroutine_is_found_below_the_scheduler(go: str) -> None:
    names: list[str] = []
    with gdb_at(stepped(go), *_START, "tbreak main.park", "run") as gdb:
        gdb("break *'runtime.park_m'")
        for _ in range(20):
            gdb("continue")
            names = [f.function for f in walk(gdb).frames]
            assert names[:2] == ["runtime.park_m", "runtime.mcall"]
            if "main.park" in names:
                break
    assert in_order(names, ["runtime.gopark", "main.park", "runtime.goexit"]), names


@RELEASES
def test_below_a_signal_handler_is_what_it_interrupted(go: str) -> None:
    stops = ("tbreak main.spin", "run", "tbreak *'runtime.sighandler'", "signal SIGUSR1")
    with gdb_at(stepped(go), *_START, *stops) as gdb:
        unwound = walk(gdb)
    names = [f.function for f in unwound.frames]
    order = [
        "runtime.sighandler",
        "runtime.sigtrampgo",
        "runtime.sigtramp",
        "main.spin",
        "main.main",
        "runtime.goexit",
    ]
    assert in_order(names, order), names
    interrupted = next(f for f in unwound.frames if f.function == "main.spin")
    assert interrupted.trap and interrupted.lookup == interrupted.pc
    assert unwound.complete
