"""`goprobe goroutines`: every goroutine of a running process, where it stands and why."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import UNSET, structs

from goprobe.analysis.ask import ask
from goprobe.analysis.hold import Target
from goprobe.model.address import Address
from goprobe.model.attached import (
    CallSite,
    GoroutineGroup,
    GoroutinesReport,
    GoroutineState,
    StackUse,
)
from goprobe.runtime.frames import FrameView
from goprobe.runtime.goroutines import Goroutine
from goprobe.runtime.stacks import Stacks
from goprobe.runtime.world import World

# Goroutines that start in one of these run the user's code (isSystemGoroutine, traceback.go).
_USER_STARTS = frozenset({"runtime.main", "runtime.handleAsyncEvent"})


def goroutines(target: Target, *, stacks: bool = False, each: bool = False) -> GoroutinesReport:
    """All goroutines of one stop; with `stacks` their frames, grouped unless `each` is wanted."""
    now = time.monotonic_ns()
    answer = ask(target, lambda world: goroutine_states(world, now))
    states, dead = answer.value
    groups = () if each else group(states)
    if not stacks:
        states = tuple(_without_frames(s) for s in states)
    return GoroutinesReport(
        pid=target.pid, pause_us=answer.pause_us, goroutines=states, groups=groups, dead=dead
    )


def goroutine_states(world: World, now: int) -> tuple[tuple[GoroutineState, ...], int]:
    stacks = Stacks(world)
    every = world.goroutines.all
    alive = [g for g in every if not g.dead]
    return tuple(_state(world, stacks, g, now) for g in alive), len(every) - len(alive)


def _state(world: World, stacks: Stacks, g: Goroutine, now: int) -> GoroutineState:
    unwound = stacks.of_goroutine(g)
    frames = list(stacks.printed(unwound))
    thread = next((t for t in world.goroutines.threads if t.address == g.m), None)
    sp = g.sp
    if thread and g.status == "running" and thread.tid in world.threads:
        registers = world.threads[thread.tid]
        sp = registers.rsp if g.low <= registers.rsp < g.high else sp
    start = world.lines.function_at(g.start)
    # The first goroutine has a gopc too, but nobody's `go` statement made it.
    made = g.created_at and g.parent
    creator = world.lines.function_at(g.created_at - 1) if made else None
    waiting = max(0, now - g.wait_since) // 1000 if g.wait_since and g.status == "waiting" else 0
    return GoroutineState(
        id=g.id,
        status=g.status,
        wait_reason=world.goroutines.wait_reason(g),
        function=standing_in(frames),
        created_by=creator.name if creator else "",
        stack=StackUse(Address(g.low), Address(g.high), g.high - sp if g.low <= sp else 0),
        thread=thread.tid if thread else 0,
        system=is_system(start.name if start else "", frames),
        locked=bool(g.locked_m),
        parent=g.parent,
        waiting_us=waiting or UNSET,
        frames=tuple(_site(f) for f in frames),
        frames_end=UNSET if unwound.complete else unwound.why,
    )


def _site(f: FrameView) -> CallSite:
    return CallSite(f.function, f.file, f.line, Address(f.pc), f.inlined)


def is_system(start: str, frames: Sequence[FrameView]) -> bool:
    """Whether the runtime started a goroutine for itself (isSystemGoroutine, traceback.go): one
    that runs finalizers or cleanups counts as the user's while it is in the user's code."""
    if not start.startswith("runtime.") or start in _USER_STARTS:
        return False
    if start in ("runtime.runfinq", "runtime.runFinalizers", "runtime.runCleanups"):
        return all(f.function.startswith("runtime.") for f in frames)
    return True


def standing_in(frames: Iterable[FrameView]) -> str:
    """The function that a traceback shows first: unexported ones of the runtime are left out
    (showfuncinfo, traceback.go)."""
    first = ""
    for frame in frames:
        first = first or frame.function
        if "." in frame.function and shown(frame.function):
            return frame.function
    return first


def shown(function: str) -> bool:
    """Whether Go's own tracebacks show a function by default."""
    if not function.startswith("runtime."):
        return True
    tail = function.removeprefix("runtime.")
    return tail[:1].isupper()


def group(states: Iterable[GoroutineState]) -> tuple[GoroutineGroup, ...]:
    """Goroutines with the same status, reason and stack together, largest group first."""
    found: dict[tuple[object, ...], list[GoroutineState]] = defaultdict(list)
    for s in states:
        frames = s.frames if s.frames is not UNSET else ()
        found[(s.status, s.wait_reason, *(f.pc for f in frames))].append(s)
    groups = [
        GoroutineGroup(
            len(members), members[0].status, members[0].wait_reason,
            tuple(m.id for m in members),
            members[0].frames if members[0].frames is not UNSET else (),
        )
        for members in found.values()
    ]  # fmt: skip
    return tuple(sorted(groups, key=lambda g: (-g.count, g.ids[0])))


def _without_frames(s: GoroutineState) -> GoroutineState:
    return structs.replace(s, frames=UNSET)
