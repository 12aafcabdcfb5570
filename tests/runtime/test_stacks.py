"""Walked stacks against the runtime's own traces and GDB's."""

from __future__ import annotations

import ctypes
import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.stacks.frames import FrameView
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.stacks.unwind import Unwound
from goprobe.target.live import open_target, stopped_target
from tests.runtime.stackprograms import BUSY, CALLBACKS, PARKED
from tests.support.go import build, has_gcc, matrix, running

RELEASES = pytest.mark.parametrize("go", matrix())
BUILDS = {
    "plain": (),
    "unoptimized": ("-gcflags=all=-N -l",),
    "pie": ("-buildmode=pie",),
    "stripped": ("-ldflags=-s -w",),
}


@dataclass(frozen=True)
class Printed:
    """A frame of a crash trace; `sp`, `fp`, `pc` only of those that are not inlined."""

    function: str
    file: str
    line: int
    fp: int = 0
    sp: int = 0
    pc: int = 0


@dataclass(frozen=True)
class Trace:
    state: str
    frames: list[Printed]


def traces(dump: str) -> dict[int, Trace]:
    """A crash's goroutine traces with GOTRACEBACK=system, by goroutine."""
    found = {}
    for block in dump.split("\n\n"):
        head, *lines = block.strip().splitlines() or [""]
        match = re.match(r"goroutine (\d+).*? \[(.*)\]:", head)
        if not match:
            continue
        frames: list[Printed] = []
        for call, where in zip(lines[::2], lines[1::2], strict=False):
            place = re.match(r"\t(.*):(\d+)(?: \+0x\w+)?(?: fp=(\w+) sp=(\w+) pc=(\w+))?$", where)
            if not place or call.startswith("created by"):
                break
            name = "runtime.gopanic" if call.startswith("panic(") else call[: call.rindex("(")]
            numbers = [int(n or "0", 16) for n in place.groups()[2:]]
            frames.append(Printed(name, place[1], int(place[2]), *numbers))
        if match[1] != "0":  # the system stack that the crash is handled on
            found[int(match[1])] = Trace(match[2], frames)
    return found


def printed(frames: Iterable[FrameView]) -> list[Printed]:
    return [
        Printed(f.function, f.file, f.line, *((0, 0, 0) if f.inlined else (f.cfa, f.sp, f.pc)))
        for f in frames
    ]


def crash(pid: int) -> None:
    """SIGQUIT to the main thread, which must be the one to print: it prints its own stack then."""
    tgkill = 234
    assert ctypes.CDLL(None).syscall(tgkill, pid, pid, int(signal.SIGQUIT)) == 0


@dataclass(frozen=True)
class Compared:
    """The same goroutines, walked by us and then printed by the runtime."""

    walked: dict[int, tuple[Goroutine, Unwound]]
    ours: dict[int, list[Printed]]
    theirs: dict[int, Trace]


def compare(binary: Path) -> Compared:
    with running(binary, env={"GOMAXPROCS": "1", "GOTRACEBACK": "system"}) as program:
        with stopped_target(program.pid) as stopped:
            stacks = Stacks(stopped.world)
            walked = {g.id: (g, stacks.of_goroutine(g)) for g in stopped.world.goroutines.all}
            ours = {id_: printed(stacks.source(unwound)) for id_, (_, unwound) in walked.items()}
        crash(program.pid)
        program.process.wait(60)
        program.errors.seek(0)
        found = Compared(walked, ours, traces(program.errors.read().decode()))
    for id_, trace in found.theirs.items():
        goroutine, unwound = walked[id_]
        if id_ == 1:
            # The signal has the kernel go back to the SYSCALL instruction, two bytes long.
            mine, theirs = ours[1][0], trace.frames[0]
            assert mine.pc - theirs.pc in (0, 2)
            assert replace(mine, pc=theirs.pc, line=theirs.line) == theirs
            assert ours[1][1:] == trace.frames[1:]
        elif not goroutine.dead:
            assert ours[id_] == trace.frames, f"goroutine {id_} [{trace.state}]"
            assert unwound.complete, unwound.why
    return found


@pytest.mark.parametrize("kind", BUILDS)
@RELEASES
def test_goroutines_are_as_the_runtime_prints_them(go: str, kind: str) -> None:
    found = compare(build(PARKED, go=go, flags=BUILDS[kind]))
    assert len(found.theirs) > 20
    names = {f.function for trace in found.theirs.values() for f in trace.frames}
    assert {"runtime.sigpanic", "runtime.asyncPreempt", "main.generic[...]"} <= names


@pytest.mark.skipif(not has_gcc(), reason="cgo needs gcc")
@pytest.mark.parametrize("kind", BUILDS)
@RELEASES
def test_calls_of_c_and_back_are_as_the_runtime_prints_them(go: str, kind: str) -> None:
    flags = BUILDS[kind]
    found = compare(build(CALLBACKS, go=go, flags=flags, env={"CGO_ENABLED": "1"}))
    depths = sorted(
        [f.function for f in trace.frames].count("runtime.cgocallback")
        for trace in found.theirs.values()
    )
    assert depths[-2:] == [1, 3]
    in_c = [u for g, u in found.walked.values() if g.status == "syscall"]
    assert ["main._Cfunc_pauseInC" in {f.function for f in u.frames} for u in in_c] == [True]


@RELEASES
def test_printed_frames_leave_out_what_the_compiler_made(go: str) -> None:
    with running(build(PARKED, go=go), "dump", env={"GOMAXPROCS": "1"}) as program:
        with stopped_target(program.pid) as stopped:
            stacks = Stacks(stopped.world)
            walked = {g.id: stacks.of_goroutine(g) for g in stopped.world.goroutines.all}
            ours = {id_: list(stacks.printed(unwound)) for id_, unwound in walked.items()}
            everything = {id_: list(stacks.source(unwound)) for id_, unwound in walked.items()}
        wanted = traces("\n".join(program.lines))
    assert any(f.wrapper for frames in everything.values() for f in frames)
    for id_, trace in wanted.items():
        # The runtime leaves out most of its own frames here, too; main goes on after its trace.
        mine = [f.function for f in ours[id_] if not f.function.startswith("runtime.")]
        theirs = [f.function for f in trace.frames if not f.function.startswith("runtime.")]
        if not mine:  # Where it would print nothing it prints all.
            mine = [f.function for f in everything[id_] if f.function != "runtime.goexit"]
        assert id_ == 1 or mine == theirs


@RELEASES
def test_a_busy_program_is_walked_to_the_end_wherever_it_stands(go: str) -> None:
    walked: list[Unwound] = []
    with running(build(BUSY, go=go)) as program:
        target = open_target(program.pid)
        for _ in range(60):
            with stopped_target(target) as stopped:
                stacks = Stacks(stopped.world)
                alive = [g for g in stopped.world.goroutines.all if not g.dead]
                walked += [stacks.of_goroutine(g) for g in alive]
                walked += [stacks.of_thread(tid) for tid in stopped.world.threads]
    incomplete = [u.why for u in walked if not u.complete]
    # In a few instructions of a switch between stacks nothing says where the other one is.
    assert len(incomplete) <= len(walked) // 100, incomplete
    seen = {f.function for u in walked for f in u.frames}
    assert {"main.clock", "main.grow", "runtime.goexit", "runtime.mstart"} <= seen
