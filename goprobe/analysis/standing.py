"""Where a goroutine stands, and what the report says of it: the rules of Go's own tracebacks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

import msgspec
from msgspec import UNSET

from goprobe.model.address import Address
from goprobe.model.attached import CallSite, GoroutineState, StackUse
from goprobe.runtime.frames import FrameView
from goprobe.runtime.goroutines import Goroutine
from goprobe.runtime.stacks import Stacks
from goprobe.runtime.world import World

# Goroutines that start in one of these run the user's code (isSystemGoroutine, traceback.go).
_USER_STARTS = frozenset({"runtime.main", "runtime.handleAsyncEvent"})
_FINALIZERS = frozenset({"runtime.runfinq", "runtime.runFinalizers", "runtime.runCleanups"})


class Standing(msgspec.Struct, frozen=True):
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
