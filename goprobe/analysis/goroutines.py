"""`goprobe goroutines`: every goroutine of a running process, where it stands and why."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from msgspec import UNSET, structs

from goprobe.analysis.hold import Target, hold
from goprobe.errors import CannotWorkError, UnreadableError
from goprobe.model.address import Address
from goprobe.model.attached import (
    CallSite,
    GoroutineGroup,
    GoroutinesReport,
    GoroutineState,
    StackUse,
)
from goprobe.process.memory import ProcessMemory
from goprobe.runtime.frames import FrameView
from goprobe.runtime.goroutines import Goroutine
from goprobe.runtime.modules import Modules, read_modules
from goprobe.runtime.stacks import Stacks
from goprobe.runtime.world import World

# Goroutines that start in one of these run the user's code (isSystemGoroutine, traceback.go).
_USER_STARTS = frozenset({"runtime.main", "runtime.handleAsyncEvent"})
_FINALIZERS = frozenset({"runtime.runfinq", "runtime.runFinalizers", "runtime.runCleanups"})


def goroutines(target: Target, *, stacks: bool = False, each: bool = False) -> GoroutinesReport:
    """All goroutines of one stop; with `stacks` their frames, grouped unless `each` is wanted.

    Raises CannotWorkError where the runtime's list of goroutines cannot be read.
    """
    # Only this question needs numpy, which takes a moment to load.
    from goprobe.analysis.gsurvey import survey

    now = time.monotonic_ns()
    try:
        with hold(target) as held:
            states, dead = survey(held, known_modules(target), now)
    except UnreadableError as error:
        raise CannotWorkError(
            f"the goroutines of process {target.pid} cannot be read: {error.why}"
        ) from None
    groups = () if each else group(states)
    if not stacks:
        states = tuple(structs.replace(s, frames=UNSET) for s in states)
    return GoroutinesReport(
        pid=target.pid, pause_us=held.pause_us, goroutines=states, groups=groups, dead=dead
    )


def known_modules(target: Target) -> Modules:
    """The program's modules; they hardly ever change, so that this needs no stop."""
    memory = ProcessMemory(target.pid)
    try:
        return read_modules(memory, target.layout, target.root("firstmoduledata"))
    except (UnreadableError, KeyError) as error:
        return Modules((), f"the modules cannot be read: {error}")
    finally:
        memory.close()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a goroutine stands, shared by all with the same stack."""

    function: str
    frames: tuple[CallSite, ...]
    system: bool
    end: str


def standing_of(stacks: Stacks, g: Goroutine, start: str) -> Standing:
    """Walks one goroutine's stack. `start` names the function that it began with."""
    unwound = stacks.of_goroutine(g)
    frames = list(stacks.printed(unwound))
    return Standing(
        standing_in(frames),
        tuple(_site(f) for f in frames),
        is_system(start, frames),
        "" if unwound.complete else unwound.why,
    )


class Teller:
    """Makes the report's entries out of goroutines and where they stand."""

    def __init__(
        self, world: World, tids: dict[int, int], reasons: Sequence[str], now: int
    ) -> None:
        """`tids` are the kernel's thread ids by m; `now` is the monotonic clock in nanoseconds."""
        self._tids = tids
        self._reasons = reasons
        self._now = now
        self.name_of = lru_cache(maxsize=4096)(_namer(world))

    def tell(self, g: Goroutine, sp: int, stands: Standing) -> GoroutineState:
        waiting = g.status == "waiting"
        blocked = max(0, self._now - g.wait_since) // 1000 if g.wait_since and waiting else 0
        reason = self._reasons[g.wait_reason] if g.wait_reason < len(self._reasons) else ""
        # The first goroutine has a gopc too, but nobody's `go` statement made it.
        created_by = self.name_of(g.created_at - 1) if g.created_at and g.parent else ""
        return GoroutineState(
            id=g.id,
            status=g.status,
            wait_reason=reason if waiting else "",
            function=stands.function,
            created_by=created_by,
            stack=StackUse(
                Address(g.low), Address(g.high), g.high - sp if g.low <= sp < g.high else 0
            ),
            thread=self._tids.get(g.m, 0),
            system=stands.system,
            locked=bool(g.locked_m),
            parent=g.parent,
            waiting_us=blocked or UNSET,
            frames=stands.frames,
            frames_end=stands.end or UNSET,
        )


def _namer(world: World) -> Callable[[int], str]:
    def name_of(pc: int) -> str:
        function = world.lines.function_at(pc)
        return function.name if function else ""

    return name_of


def goroutine_states(world: World, now: int) -> tuple[GoroutineState, ...]:
    """Every goroutine of a process that stands still, one by one, dead ones left out."""
    stacks = Stacks(world)
    known = world.goroutines
    teller = Teller(world, {t.address: t.tid for t in known.threads}, known.wait_reasons, now)
    found = []
    for g in known.all:
        if not g.dead:
            stands = standing_of(stacks, g, teller.name_of(g.start))
            found.append(teller.tell(g, stacks.stack_pointer(g), stands))
    return tuple(found)


def _site(f: FrameView) -> CallSite:
    return CallSite(f.function, f.file, f.line, Address(f.pc), f.inlined)


def is_system(start: str, frames: Sequence[FrameView]) -> bool:
    """Whether the runtime started a goroutine for itself (isSystemGoroutine, traceback.go): one
    that runs finalizers or cleanups counts as the user's while it is in the user's code."""
    if not start.startswith("runtime.") or start in _USER_STARTS:
        return False
    if start in _FINALIZERS:
        return all(f.function.startswith("runtime.") for f in frames)
    return True


def standing_in(frames: Iterable[FrameView]) -> str:
    """The function that a traceback shows first: unexported ones of the runtime are left out
    (showfuncinfo, traceback.go)."""
    first = ""
    for frame in frames:
        first = first or frame.function
        if "." in frame.function and _shown(frame.function):
            return frame.function
    return first


def _shown(function: str) -> bool:
    return not function.startswith("runtime.") or function[len("runtime.") :][:1].isupper()


def group(states: Iterable[GoroutineState]) -> tuple[GoroutineGroup, ...]:
    """Goroutines with the same status, reason and stack together, largest group first."""
    found: dict[tuple[object, ...], list[GoroutineState]] = defaultdict(list)
    for s in states:
        frames = s.frames if s.frames is not UNSET else ()
        found[(s.status, s.wait_reason, _key(frames))].append(s)
    groups = [
        GoroutineGroup(
            len(members), members[0].status, members[0].wait_reason,
            tuple(m.id for m in members),
            members[0].frames if members[0].frames is not UNSET else (),
        )
        for members in found.values()
    ]  # fmt: skip
    return tuple(sorted(groups, key=lambda g: (-g.count, g.ids[0])))


@lru_cache(maxsize=4096)
def _key(frames: tuple[CallSite, ...]) -> tuple[int, ...]:
    return tuple(f.pc for f in frames)
