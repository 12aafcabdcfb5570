"""Where a goroutine stands, and what the report says of it: the rules of Go's own tracebacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.analysis.ownership import is_own_code
from goprobe.model.address import Address
from goprobe.model.attached import CallSite, GoroutineState, StackUse
from goprobe.runtime.goroutines.goroutines import PARKED, Goroutine
from goprobe.runtime.goroutines.labels import Labels
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.stacks.frames import FrameView
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.values.text import escape

# isSystemGoroutine (src/runtime/traceback.go, Go 1.21 to 1.27) takes goroutines that start in
# functions of the runtime for its own, except for these, which run the user's code ...
_USER_STARTS = frozenset({"runtime.main", "runtime.handleAsyncEvent", "runtime.corostart"})
# ... and for these while they call a finalizer (by reflectcall) or, in Go 1.24, a cleanup:
# fingStatus says so (mfinal.go), and so does the stack. runCleanups has a flag in its g.
_FINALIZERS = frozenset({"runtime.runfinq", "runtime.runFinalizers"})
_OF_FINALIZERS = re.compile(r"(?!runtime\.).*|runtime\.(call\d+|reflectcall|AddCleanup\b.*)")
# showfuncinfo, traceback.go: shown since Go 1.25, which named them so.
_ALWAYS_SHOWN = frozenset({"runtime.runFinalizers", "runtime.runCleanups"})
_MAIN = 1
_KEPT = 4096
_NO_LABELS: tuple[dict[str, str], str] = ({}, "")


class Traceback(msgspec.Struct, frozen=True):
    """Where a goroutine stands, shared by all with the same stack."""

    function: str
    frames: tuple[CallSite, ...]
    system: bool
    end: str


def traceback_of(stacks: Stacks, g: Goroutine, start: str) -> Traceback:
    """Walks one goroutine's stack. `start` names the function that it began with."""
    unwound = stacks.of_goroutine(g)
    frames = list(stacks.printed(unwound))
    return Traceback(
        standing_in(frames),
        tuple(_site(f, stacks.program) for f in frames),
        _starts_as_system(start, [f.function for f in unwound.frames]),
        "" if unwound.complete else unwound.why,
    )


class Describer:
    """Makes the report's entries out of goroutines and where they stand."""

    def __init__(
        self,
        stacks: Stacks,
        tids: dict[int, int],
        reasons: Sequence[str],
        now: int,
        labels: Mapping[int, Labels],
    ) -> None:
        """`tids` are the kernel's thread ids by m; `now` is the monotonic clock in nanoseconds,
        0 where it is not known;
        `labels` are those that goroutines have, by their addresses."""
        self._tids = tids
        self._reasons = reasons
        self._now = now
        self._labels = {at: _shown_labels(label_set) for at, label_set in labels.items()}
        self.name_of = lru_cache(maxsize=_KEPT)(stacks.function_at)
        self._source = stacks.code.source
        self._made: dict[int, tuple[str, CallSite | UnsetType]] = {}

    def describe(self, g: Goroutine, sp: int, stands: Traceback) -> GoroutineState:
        waiting = g.status in PARKED
        # As goroutineheader (traceback.go) says it, of system calls and calls of C too.
        still = g.wait_since and self._now and (waiting or g.status == "syscall")
        blocked = max(0, self._now - g.wait_since) // 1000 if still else 0
        known = waiting and g.wait_reason < len(self._reasons)
        # The first goroutine has a gopc too, but nobody's `go` statement made it. Timers' have no
        # parent, for a scheduler (g0) makes them.
        created_by, created_at = self._origin(g.created_at if g.id != _MAIN else 0)
        labels, why_no_labels = self._labels.get(g.labels, _NO_LABELS)
        return GoroutineState(
            id=g.id,
            status=g.status,
            wait_reason=self._reasons[g.wait_reason] if known else "",
            function=stands.function,
            created_by=created_by,
            stack=StackUse(
                Address(g.low), Address(g.high), g.high - sp if g.low <= sp < g.high else 0
            ),
            thread=self._tids.get(g.m, 0),
            system=stands.system and not g.running_cleanups,
            locked=bool(g.locked_m),
            parent=g.parent,
            created_at=created_at,
            waiting_us=blocked or UNSET,
            frames=stands.frames,
            frames_end=stands.end or UNSET,
            labels=labels,
            why_no_labels=why_no_labels,
        )

    def _origin(self, created_at: int) -> tuple[str, CallSite | UnsetType]:
        """The function with the `go` statement that ends there, and where that is; many goroutines
        are of one."""
        made = self._made.get(created_at)
        if made is None:
            name = self.name_of(created_at - 1) if created_at else ""
            made = name, self._statement(created_at - 1, name) if name else UNSET
            if len(self._made) >= _KEPT:
                self._made.clear()
            self._made[created_at] = made
        return made

    def _statement(self, pc: int, function: str) -> CallSite | UnsetType:
        """The place of a `go` statement, as printed: that of the innermost body inlined there, and
        the name of the function which that was inlined into (printcreatedby1, traceback.go)."""
        frames = self._source(pc)
        if not frames or not frames[0].line:
            return UNSET
        return CallSite(function, frames[0].file, frames[0].line, Address(pc))


def _shown_labels(labels: Labels) -> tuple[dict[str, str], str]:
    return {escape(key): escape(value) for key, value in labels.pairs}, labels.why


def _site(f: FrameView, program: GoProgram) -> CallSite:
    own = bool(f.function) and is_own_code(program, f.function, f.file)
    return CallSite(f.function, f.file, f.line, Address(f.pc), f.inlined, own)


def _starts_as_system(start: str, functions: Sequence[str]) -> bool:
    """Whether a goroutine that began with the function `start` is the runtime's own, as far as its
    stack tells."""
    if not start.startswith("runtime.") or start in _USER_STARTS:
        return False
    return start not in _FINALIZERS or not any(map(_OF_FINALIZERS.fullmatch, functions))


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
    """Exported functions of the runtime and exported methods of its exported types
    (isExportedRuntime, traceback.go)."""
    if not function.startswith("runtime.") or function in _ALWAYS_SHOWN:
        return True
    receiver, _, name = function[len("runtime.") :].rpartition(".")
    if receiver.startswith("(*") and receiver.endswith(")"):
        receiver = receiver[2:-1]
    return name[:1].isupper() and (not receiver or receiver[0].isupper())
