"""The breakpoints of a tracer of calls: where they are, and what each tells."""

from __future__ import annotations

from collections.abc import Container
from enum import IntEnum

from goprobe.process.calltracer.codepoints import CodePoints, Point
from goprobe.process.calltracer.plan import WatchedFunction, WatchPlan


class At(IntEnum):
    ENTRY, RETURN, JUMP, PANIC, GOEXIT, RECOVERY, LAST = range(7)


class CallPoint(Point, kw_only=True):
    """`number` is the function's (-1: the runtime's), `target` a jump's, `word` the register's that
    says it (-1: none); `ends` is what an entry is besides, where a function has but one
    instruction."""

    at: At
    number: int = -1
    target: int = 0
    word: int = -1
    ends: At | None = None


class Points(CodePoints[CallPoint]):
    """All of them. `file` is a writable /proc/PID/mem; what is `noted` by stubs needs none."""

    def __init__(self, file: int, plan: WatchPlan, noted: Container[int] = ()) -> None:
        super().__init__(file, plan.rooms)
        self._noted = noted
        self.refused: list[int] = []
        for number, function in enumerate(plan.functions):
            if not self._add(_entry(function, number)):
                self.refused.append(number)
                continue
            for address in function.returns if not plan.counts else ():
                self._add(CallPoint(address=address, at=At.RETURN, number=number))
            for address, target in function.jumps if not plan.counts else ():
                self._add(CallPoint(address=address, at=At.JUMP, number=number, target=target))
            for address, word in function.computed if not plan.counts else ():
                self._add(CallPoint(address=address, at=At.JUMP, number=number, word=word))
        self.last: list[CallPoint] = []
        for marks in (plan.landmarks, *plan.copies) if not plan.counts else ():
            self._add(CallPoint(address=marks.gopanic, at=At.PANIC))
            self._add(CallPoint(address=marks.goexit, at=At.GOEXIT))
            self._add(CallPoint(address=marks.recovery, at=At.RECOVERY))
            if self._add(CallPoint(address=marks.goexit1, at=At.LAST)):
                self.last.append(self.by_address[marks.goexit1])

    def _add(self, point: CallPoint) -> bool:
        """Whether there is a breakpoint there now."""
        if not point.address:
            return False
        if point.address in self._noted:
            return True
        if point.address in self.by_address:
            return point.at is not At.ENTRY
        return self.add(point)

    def insert_all(self) -> None:
        for point in self.by_address.values():
            if point.at is not At.LAST:
                self.insert(point)


def _entry(function: WatchedFunction, number: int) -> CallPoint:
    """A function's first instruction may be its last: one that does nothing, or gives what it
    takes, is a return alone."""
    at, jumps = function.entry, dict(function.jumps)
    ends = At.RETURN if at in function.returns else At.JUMP if at in jumps else None
    target = jumps.get(at, 0)
    return CallPoint(address=at, at=At.ENTRY, number=number, target=target, ends=ends)
