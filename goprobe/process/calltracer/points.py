"""The breakpoints of a tracer of calls: where they are, and what each tells."""

from __future__ import annotations

from collections.abc import Container
from enum import IntEnum

from goprobe.process.calltracer.codepoints import CodePoints, Point
from goprobe.process.calltracer.plan import WatchedFunction, WatchPlan


class At(IntEnum):
    ENTRY, RETURN, JUMP, PANIC, GOEXIT, RECOVERY, LAST = range(7)


class CallPoint(Point, kw_only=True):
    """`number` is the function's, `target` a jump's; `ends` is what an entry is besides, where a
    function has but one instruction."""

    at: At
    number: int
    target: int = 0
    ends: At | None = None


class Points(CodePoints[CallPoint]):
    """All of them. `file` is a writable /proc/PID/mem; what is `noted` by stubs needs none."""

    def __init__(self, file: int, plan: WatchPlan, noted: Container[int] = ()) -> None:
        super().__init__(file, plan.rooms)
        self._noted = noted
        self.refused: list[int] = []
        for number, function in enumerate(plan.functions):
            ends, to = _end_at_entry(function)
            if not self._add(function.entry, At.ENTRY, number, to, ends):
                self.refused.append(number)
                continue
            for address in function.returns if not plan.counts else ():
                self._add(address, At.RETURN, number)
            for address, target in function.jumps if not plan.counts else ():
                self._add(address, At.JUMP, number, target)
        marks = plan.landmarks
        self.last: CallPoint | None = None
        if not plan.counts:
            self._add(marks.gopanic, At.PANIC, -1)
            self._add(marks.goexit, At.GOEXIT, -1)
            self._add(marks.recovery, At.RECOVERY, -1)
            if self._add(marks.goexit1, At.LAST, -1):
                self.last = self.by_address[marks.goexit1]

    def _add(
        self, address: int, at: At, number: int, target: int = 0, ends: At | None = None
    ) -> bool:
        """Whether there is a breakpoint there now."""
        if not address:
            return False
        if address in self._noted:
            return True
        if address in self.by_address:
            return at is not At.ENTRY
        point = CallPoint(address=address, at=at, number=number, target=target, ends=ends)
        return self.add(point)

    def insert_all(self) -> None:
        for point in self.by_address.values():
            if point.at is not At.LAST:
                self.insert(point)


def _end_at_entry(function: WatchedFunction) -> tuple[At | None, int]:
    """How a function ends whose first instruction is its last, and where it goes on to: one that
    does nothing, or gives what it takes, is a return alone."""
    if function.entry in function.returns:
        return At.RETURN, 0
    to = dict(function.jumps).get(function.entry)
    return (None, 0) if to is None else (At.JUMP, to)
