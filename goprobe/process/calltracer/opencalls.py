"""Which calls are on their way on each goroutine, and how those end that never return.

A call is known by its goroutine and by how far its frame lies below the end of its stack, which
stays the same when the stack moves. Who calls from some depth, or returns to it, has left all
deeper frames: a panic (recovered further out), or runtime.Goexit took them away.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from goprobe.process.calltracer.plan import End


class Moment(NamedTuple):
    """A `time`, and how long the goroutine had been `held` by us until then, both in ns."""

    time: int = 0
    held: int = 0


class OpenCall(msgspec.Struct):
    """A call that has not ended: `at` is its depth in bytes, `until` when the last of the calls in
    it ended."""

    call: int
    function: int
    at: int
    began: Moment = Moment()
    until: Moment = Moment()

    def ran(self, end: Moment) -> int:
        """For how many ns of its own, had it ended at a moment."""
        return max(0, end.time - self.began.time - (end.held - self.began.held))


class Unwinding(msgspec.Struct, frozen=True):
    """A panic, or a Goexit, that began at a depth. What a function that ran as an earlier one left
    a frame raises leaves that one, at `frame`, and those around it."""

    end: End
    at: int
    began: Moment
    why: str
    frame: int | None = None


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
        """The last one that began deeper, and leaves its frame."""
        since = (0, *(each.at for each in self.unwinding))
        for before, this in reversed(list(zip(since, self.unwinding, strict=False))):
            leaves = this.frame is None or call.at <= this.frame or call.at > before
            if this.at > call.at and leaves:
                return this
        return None

    def settle(self, at: int) -> None:
        """Control is back at this depth: what began deeper is over."""
        while self.unwinding and self.unwinding[-1].at > at:
            self.unwinding.pop()

    def moment(self, time: int) -> Moment:
        return Moment(time, self.held)

    def ended(self, end: Moment) -> None:
        """A call has ended inside of the one that is the innermost now."""
        if self.open:
            self.open[-1].until = max(self.open[-1].until, end)
