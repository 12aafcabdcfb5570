"""Which calls are on their way on each goroutine, and how those end that never return.

A call is known by its goroutine and by how far its frame lies below the end of its stack, which
stays the same when the stack moves. Who calls from some depth, or returns to it, has left all
deeper frames: a panic (recovered further out), or runtime.Goexit took them away.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from goprobe.process.calltracer.plan import End


class OpenCall(msgspec.Struct):
    """A call that has not ended: `at` is its depth in bytes, `held` how long its goroutine had been
    held by us until it `began`."""

    call: int
    function: int
    at: int
    began: int = 0
    held: int = 0


class Unwinding(msgspec.Struct, frozen=True):
    """A panic, or a Goexit, that began at a depth."""

    end: End
    at: int
    time: int
    why: str


class Goroutine(msgspec.Struct):
    """One goroutine (or system stack) that calls: `held` is how long we held it so far, in ns."""

    id: int
    held: int = 0
    open: list[OpenCall] = msgspec.field(default_factory=list)
    unwinding: list[Unwinding] = msgspec.field(default_factory=list)

    def left(self, at: int) -> Iterator[tuple[OpenCall, Unwinding | None]]:
        """The calls that are over because control is at this depth again, innermost first, each
        with what took it away."""
        while self.open and self.open[-1].at >= at:
            call = self.open.pop()
            yield call, self.taken_by(call)

    def taken_by(self, call: OpenCall) -> Unwinding | None:
        return next((u for u in reversed(self.unwinding) if u.at > call.at), None)

    def settle(self, at: int) -> None:
        """Control is back at this depth: what began deeper is over."""
        while self.unwinding and self.unwinding[-1].at > at:
            self.unwinding.pop()
