"""A process whose code has breakpoints of ours in it, and what its threads come to there: what the
tracers of calls and of stops have in common."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Generic

from goprobe.arch.patches import BREAKPOINT_SIZE
from goprobe.arch.registers import GOROUTINE_WORD, PC_WORD, SP_WORD
from goprobe.process.calltracer.codepoints import CodePoints, P
from goprobe.process.calltracer.hit import ThreadHit
from goprobe.process.calltracer.threads import Threads
from goprobe.process.ptrace import requests
from goprobe.process.tracer.threadregs import Machine


class TracedCode(Generic[P]):
    """Of process `pid`. Whoever has seized its threads puts in the breakpoints."""

    _points: CodePoints[P]

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._threads = Threads(pid)
        self._put_off: set[tuple[int, int, int]] = set()

    def _seize(self, *, ours: bool) -> None:
        self._threads.seize_all(ours=ours)
        self._machine = Machine(self._pid)
        self._hit = ThreadHit(self._machine)

    def _met(self) -> P | None:
        """The breakpoint that a thread, its registers at hand, has run into."""
        return self._points.by_address.get(self._machine.words[PC_WORD] - BREAKPOINT_SIZE)

    def _past(self, point: P, tid: int) -> None:
        """Put a thread, its registers at hand, past a breakpoint."""
        self._points.past(point, self._machine.words, self._hit.near_word, self._hit.put_word)
        self._hit.goes_on()
        self._machine.store(tid)

    def _pass(self, point: P, tid: int) -> None:
        """Let a thread run on past the breakpoint that has stopped it."""
        self._past(point, tid)
        self._threads.go_on(tid)

    def _was_put_off(self, point: P) -> bool:
        """Whether this very hit was told of before a signal took the thread elsewhere."""
        if not self._put_off:
            return False
        words = self._machine.words
        key = (point.address, words[GOROUTINE_WORD], words[SP_WORD])
        put_off = key in self._put_off
        self._put_off.discard(key)
        return put_off

    def _out_of_slot(self, tid: int) -> None:
        """A thread that stands, or is about to take a signal, does so where the program itself
        could."""
        machine, slots = self._machine, self._points.slots
        if slots and machine.fetch(tid) and (copy := slots.get(machine.words[PC_WORD])):
            words = machine.words
            words[PC_WORD] = copy.original(words[PC_WORD])
            if words[PC_WORD] == copy.address:
                self._put_off.add((copy.address, words[GOROUTINE_WORD], words[SP_WORD]))
            machine.store(tid)

    def _born(self, tid: int) -> bool:
        """Whether a new task is a thread of the program. A child in the same memory runs on under
        our eyes until it execs (vfork); one with a copy of it gets its own code back, and is let
        go."""
        if self._threads.is_born_in(tid):
            return True
        with suppress(OSError):
            file = os.open(f"/proc/{tid}/mem", os.O_RDWR | os.O_CLOEXEC)
            try:
                if self._points.shared_with(self._pid, tid, file):
                    self._threads.guests.add(tid)
                    self._threads.go_on(tid)
                    return False
                self._restore_in(file)
            finally:
                os.close(file)
        self._out_of_slot(tid)
        requests.detach(tid)
        return False

    def _restore_in(self, file: int) -> None:
        """Put the program's own code back, in a child's memory that is open at `file`."""
        self._points.restore_in(file)

    def _is_replaced(self, tid: int) -> bool:
        """Whether a task's exec has replaced the program; a child that had its memory is let go."""
        if tid == self._pid or self._threads.is_own(tid):
            return True
        requests.detach(tid)
        self._threads.forget(tid)
        return False
