"""Breakpoints that stay in while threads pass them: the instruction below is done for the thread by
hand, or run from padding behind some function.

A thread in that padding has to be moved out before it may take a signal, for Go looks up the pc
that a signal comes at (runtime, signal_unix.go, doSigPreempt; it throws).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import Generic, TypeVar

import msgspec

from goprobe.arch.byhand import Done, PutWord, WordAt, by_hand
from goprobe.arch.displaced import displace
from goprobe.arch.elsewhere import (
    MAX_INSTRUCTION,
    CallByHand,
    CodeCopy,
    Displaced,
    Jump,
    NotDisplaceableError,
)
from goprobe.arch.patches import BREAKPOINT
from goprobe.arch.registers import PC_WORD, Words
from goprobe.arch.systemcalls import KCMP
from goprobe.process.calltracer.plan import Room
from goprobe.process.libc import libc

_REACH = 1 << 30  # what an instruction refers to is as far away again
_KCMP_VM = 1  # Linux include/uapi/linux/kcmp.h
_BREAKPOINT = bytes((BREAKPOINT,))


class Point(msgspec.Struct, kw_only=True):
    """A breakpoint. One of `done` and `displaced` says how to pass it."""

    address: int
    original: bytes = b""
    done: Done | None = None
    displaced: Displaced | None = None
    inserted: bool = False


P = TypeVar("P", bound=Point)


class CodePoints(Generic[P]):
    """All of them. `file` is a writable /proc/PID/mem, `rooms` is padding that may be used."""

    def __init__(self, file: int, rooms: Iterable[Room]) -> None:
        self._file = file
        self._rooms = sorted(rooms, key=lambda room: room.size)
        self._used: list[tuple[Room, bytes]] = []
        self.slots: dict[int, CodeCopy] = {}
        self.by_address: dict[int, P] = {}

    def add(self, point: P) -> bool:
        """Whether there can be one; it is not in the code yet."""
        code = os.pread(self._file, MAX_INSTRUCTION, point.address)
        if not code or code[:1] == _BREAKPOINT:
            return False  # its own, or another tracer's
        point.original, point.done = code[:1], by_hand(code, point.address)
        if point.done is None and not self._displace(point, code):
            return False
        self.by_address[point.address] = point
        return True

    def _displace(self, point: Point, code: bytes) -> bool:
        with suppress(NotDisplaceableError):
            probe = displace(code, point.address, point.address)
            if isinstance(probe, CodeCopy):
                near = (r for r in self._rooms if abs(r.address - point.address) < _REACH)
                room = next((r for r in near if r.size >= len(probe.code)), None)
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

    def past(self, point: Point, words: Words, word_at: WordAt, put: PutWord) -> None:
        """Make the registers those of a thread that runs on past a breakpoint."""
        if point.done is not None:
            point.done(words, word_at, put)
        elif isinstance(point.displaced, CodeCopy):
            words[PC_WORD] = point.displaced.slot
        elif isinstance(point.displaced, Jump):
            words[PC_WORD] = point.displaced.target
        elif isinstance(point.displaced, CallByHand):
            put(*point.displaced.made(words, word_at))

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

    def shared_with(self, pid: int, other: int, file: int) -> bool:
        """Whether another process, with this /proc/PID/mem, has the very same memory. A kernel
        that does not say so is tried out with padding."""
        compared = libc.syscall(KCMP, pid, other, _KCMP_VM, 0, 0)
        if compared >= 0 or not self._rooms:
            return bool(compared == 0)
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

    def restore_of(self, pid: int) -> None:
        """The same, of one that is about to be let go."""
        with suppress(OSError), open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            self.restore_in(memory.fileno())

    def clear_slots(self) -> None:
        """Padding is padding again; no thread stands there any more."""
        for room, before in self._used:
            with suppress(OSError):
                os.pwrite(self._file, before, room.address)
