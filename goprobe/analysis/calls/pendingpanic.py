"""Which frame a panic was leaving when a function that the frame had deferred panicked anew, or
called runtime.Goexit; and which one goes on where a panic is recovered.

A panic knows it since Go 1.22 (_panic.sp, panic.go); before, the frame's own record of what it
deferred does, which knows its panic (_defer._panic, runtime2.go).
"""

from __future__ import annotations

from functools import cached_property

import msgspec

from goprobe.arch.registers import GOROUTINE_WORD
from goprobe.errors import GoprobeError
from goprobe.process.calltracer.plan import Hit
from goprobe.runtime.image.program import GoProgram

_DEFERRED_LIMIT = 1 << 12


class _Offsets(msgspec.Struct, frozen=True):
    """Of `panic`, `defer` and (before Go 1.22) the stack pointer that is `recovered` in a g, of the
    stack pointer in a panic (`of_panic`, None before Go 1.22), and in what was deferred
    (`of_defer`) beside the panic and the next record."""

    panic: int
    of_panic: int | None
    defer: int
    link: int
    of_defer: int
    raised_by: int
    recovered: int


class PendingPanic:
    """Asked where a thread of a program enters runtime.gopanic or runtime.Goexit."""

    def __init__(self, program: GoProgram) -> None:
        self._program = program

    def frame_sp(self, hit: Hit) -> int:
        """The frame's stack pointer; 0: no panic is on its way yet, or it is not known."""
        offsets = self._offsets
        if offsets is None:
            return 0
        g = hit.words[GOROUTINE_WORD]
        before = _word(hit, g + offsets.panic)
        if not before:
            return 0
        if offsets.of_panic is not None:
            return _word(hit, before + offsets.of_panic)
        at = _word(hit, g + offsets.defer)
        for _ in range(_DEFERRED_LIMIT):
            if not at or _word(hit, at + offsets.raised_by) == before:
                break
            at = _word(hit, at + offsets.link)
        return _word(hit, at + offsets.of_defer) if at else 0

    def recovered_sp(self, g: int, hit: Hit) -> int:
        """Where runtime.recovery begins: the stack pointer of the frame that goes on; 0: it is not
        known."""
        offsets = self._offsets
        if offsets is None:
            return 0
        if offsets.of_panic is None:
            return _word(hit, g + offsets.recovered)
        panic = _word(hit, g + offsets.panic)
        return _word(hit, panic + offsets.of_panic) if panic else 0

    @cached_property
    def _offsets(self) -> _Offsets | None:
        named = self._program.debug.type_named
        try:
            g, panic, defer = (named(f"runtime.{name}") for name in ("g", "_panic", "_defer"))
            knows = any(field.name == "startSP" for field in panic.members)
            return _Offsets(
                panic=g.member("_panic").offset,
                of_panic=panic.member("sp").offset if knows else None,
                defer=g.member("_defer").offset,
                link=defer.member("link").offset,
                of_defer=defer.member("sp").offset,
                raised_by=0 if knows else defer.member("_panic").offset,
                recovered=0 if knows else g.member("sigcode0").offset,
            )
        except (GoprobeError, KeyError):
            return None


def _word(hit: Hit, address: int) -> int:
    return int.from_bytes(hit.read(address, 8), "little")
