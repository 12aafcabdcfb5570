"""The breakpoints of a tracer of calls: where they are, and how a thread gets past one.

They stay in while threads pass: the instruction below is done for the thread by hand, or run from
padding behind some function. A thread there has to be moved out before it may take a signal, for
Go looks up the pc that a signal comes at (runtime, signal_unix.go, doSigPreempt; it throws).
"""

from __future__ import annotations

import os
from contextlib import suppress
from enum import IntEnum

import msgspec

from goprobe.arch.byhand import Done, by_hand
from goprobe.arch.displaced import (
    MAX_INSTRUCTION,
    CodeCopy,
    Displaced,
    NotDisplaceableError,
    displace,
)
from goprobe.arch.patches import BREAKPOINT
from goprobe.process.calltracer.plan import Room, WatchPlan

_BREAKPOINT = bytes((BREAKPOINT,))


class At(IntEnum):
    ENTRY, RETURN, JUMP, PANIC, GOEXIT, LAST = range(6)


class Point(msgspec.Struct):
    """A breakpoint: `number` is the function's, `target` a jump's. One of `done` and `displaced`
    says how to pass it."""

    address: int
    at: At
    number: int
    original: bytes
    target: int = 0
    done: Done | None = None
    displaced: Displaced | None = None
    inserted: bool = False


class Points:
    """All of them. `file` is a writable /proc/PID/mem."""

    def __init__(self, file: int, plan: WatchPlan) -> None:
        self._file = file
        self._rooms = sorted(plan.rooms, key=lambda room: room.size)
        self._used: list[tuple[Room, bytes]] = []
        self.slots: dict[int, CodeCopy] = {}
        self.by_address: dict[int, Point] = {}
        self.refused: list[int] = []
        for number, function in enumerate(plan.functions):
            if not self._add(function.entry, At.ENTRY, number):
                self.refused.append(number)
                continue
            for address in function.returns if not plan.counts else ():
                self._add(address, At.RETURN, number)
            for address, target in function.jumps if not plan.counts else ():
                self._add(address, At.JUMP, number, target)
        marks = plan.landmarks
        self.last: Point | None = None
        if not plan.counts:
            self._add(marks.gopanic, At.PANIC, -1)
            self._add(marks.goexit, At.GOEXIT, -1)
            if self._add(marks.goexit1, At.LAST, -1):
                self.last = self.by_address[marks.goexit1]

    def _add(self, address: int, at: At, number: int, target: int = 0) -> bool:
        """Whether there is a breakpoint there now."""
        if not address:
            return False
        if address in self.by_address:
            return at is not At.ENTRY
        code = os.pread(self._file, MAX_INSTRUCTION, address)
        if not code or code[:1] == _BREAKPOINT:
            return False  # its own, or another tracer's
        point = Point(address, at, number, code[:1], target, by_hand(code, address))
        if point.done is None and not self._displace(point, code):
            return False
        self.by_address[address] = point
        return True

    def _displace(self, point: Point, code: bytes) -> bool:
        with suppress(NotDisplaceableError):
            probe = displace(code, point.address, point.address)
            if isinstance(probe, CodeCopy):
                room = next((r for r in self._rooms if r.size >= len(probe.code)), None)
                if room is None:
                    return False
                probe = displace(code, point.address, room.address)
                if not isinstance(probe, CodeCopy) or len(probe.code) > room.size:
                    return False
                self._rooms.remove(room)
                self._used.append((room, os.pread(self._file, len(probe.code), room.address)))
                os.pwrite(self._file, probe.code, room.address)
                for offset in range(len(probe.code)):
                    self.slots[room.address + offset] = probe
            point.displaced = probe
            return True
        return False

    def insert_all(self) -> None:
        for point in self.by_address.values():
            if point.at is not At.LAST:
                self.insert(point)

    def insert(self, point: Point) -> None:
        point.inserted = True
        os.pwrite(self._file, _BREAKPOINT, point.address)

    def extract(self, point: Point) -> None:
        if point.inserted:
            point.inserted = False
            with suppress(OSError):  # it has been killed meanwhile
                os.pwrite(self._file, point.original, point.address)

    def extract_all(self) -> None:
        for point in self.by_address.values():
            self.extract(point)

    def shared_with(self, file: int) -> bool:
        """Whether another process, of this /proc/PID/mem, has the very same memory."""
        if not self._rooms:
            return False
        at = self._rooms[-1].address
        before = os.pread(self._file, 1, at)
        token = bytes(byte ^ 0xFF for byte in before)
        os.pwrite(self._file, token, at)
        seen = os.pread(file, 1, at)
        os.pwrite(self._file, before, at)
        return seen == token

    def restore_in(self, file: int) -> None:
        """Put the program's own code back, in a child that has a copy of its memory."""
        for point in self.by_address.values():
            with suppress(OSError):
                os.pwrite(file, point.original, point.address)

    def clear_slots(self) -> None:
        """Padding is padding again; no thread stands there any more."""
        for room, before in self._used:
            with suppress(OSError):
                os.pwrite(self._file, before, room.address)
