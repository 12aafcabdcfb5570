"""A program of ours that stands under a tracer of ours: taken hold of, asked, and let go.

Whoever had it before has told of stops that are not to be told again, and so have we when we let
go of it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import msgspec

from goprobe.arch.registers import GOROUTINE_WORD, PC_WORD, SP_WORD
from goprobe.process.calltracer.codepoints import CodePoints
from goprobe.process.calltracer.plan import Room
from goprobe.process.calltracer.tracedcode import TracedCode
from goprobe.process.gdb.signals import send_again
from goprobe.process.proc.identity import thread_state
from goprobe.process.ptrace import constants, requests
from goprobe.process.stoptracer.plan import Gone, Pass, StopPoint, Told

_STOPPING_TIMEOUT = 0.05  # seconds
_STEP_ATTEMPTS = 8


class Task(msgspec.Struct):
    """A thread that is traced. Of one that stands: the `signal` that it is to get, whether it
    `rests` in a group stop, the breakpoint that it is to get `past`, and whether it has not `told`
    of what stopped it yet."""

    runs: bool = True
    signal: int = 0
    rests: bool = False
    past: StopPoint | None = None
    untold: bool = False


class StandingProgram(TracedCode[StopPoint]):
    """One program of ours; the stop where it stands was `told` already. `heard` says whether
    somebody still listens."""

    def __init__(
        self, pid: int, points: Sequence[StopPoint], rooms: Sequence[Room], told: Told
    ) -> None:
        super().__init__(pid)
        self._wanted, self._rooms, self._told = points, rooms, told
        self.heard: Callable[[], bool] = lambda: True
        self._tasks: dict[int, Task] = {}
        self._owed = False
        self._last = told.tid
        self._end: Gone | None = None

    def begin(self) -> bool:
        """Take hold of the program, which stands in SIGSTOP; False where there is a place that
        can have no breakpoint of this kind."""
        threads = self._threads
        self._seize(ours=True)
        self._points = CodePoints[StopPoint](self._machine.file, self._rooms)
        refused = [point for point in self._wanted if not self._points.add(point)]
        whole = not refused
        for tid, number in threads.stop_all():
            if threads.knows(tid) or threads.is_born_in(tid):
                self._tasks[tid] = Task(runs=False, signal=number)
        for point in self._wanted if whole else ():
            self._points.insert(point)
            if point.pc == self._told.pc:
                self._set_past(point, self._told)
            for pc, g, sp in self._told.passes:
                if point.pc == pc:
                    self._put_off.add((point.address, g, sp))
        for point, _ in self._between():
            words = self._machine.words  # one of our kin leaves those at the breakpoint that passed
            if self._told.at_entries or words[PC_WORD] == point.address:
                self._put_off.add((point.address, words[GOROUTINE_WORD], words[SP_WORD]))
        os.kill(self._pid, signal.SIGCONT)
        return whole

    def _set_past(self, point: StopPoint, told: Told) -> None:
        """The thread may have taken a signal since, and comes back to the place then."""
        words = self._machine.words
        stands = told.tid in self._tasks and self._machine.fetch(told.tid)
        if stands and (words[PC_WORD], words[SP_WORD]) == (told.pc, told.sp):
            self._tasks[told.tid].past = point
        else:
            self._put_off.add((point.address, told.goroutine, told.sp))

    def _between(self) -> Iterator[tuple[StopPoint, int]]:
        """Threads that stand between a place's pc and its breakpoint, their registers at hand."""
        for tid in self._tasks:
            if self._machine.fetch(tid):
                pc = self._machine.words[PC_WORD]
                for point in self._points.by_address.values():
                    if point.pc < pc <= point.address:
                        yield point, tid

    # While it stands

    def registers(self, tid: int) -> bytes:
        room = bytearray(len(self._machine.words) * 8)
        return b"" if requests.read_registers(tid, room) else bytes(room)

    def vector(self, tid: int, name: str) -> bytes:
        self._hit.stands(tid, 0)
        return self._hit.vector(name)

    def leave(self) -> tuple[Pass, ...]:
        """Let go of it, as it was, in SIGSTOP: the passes that were told and are to come."""
        if self._end is None:
            self._points.extract_all()
            for point, tid in self._between():  # what comes next breaks at the pc itself
                self._machine.words[PC_WORD] = point.pc
                self._machine.store(tid)
            for tid, task in self._tasks.items():
                if task.past is not None and not task.untold and tid != self._last:
                    self._step_past(tid, task.past)
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGSTOP)
        for tid, number in self._threads.stop_those(self._threads.guests):
            self._out_of_slot(tid)
            requests.detach(tid, number)
        for tid, task in self._tasks.items():
            if tid != self._last:
                requests.detach(tid, task.signal)
        if self._last in self._tasks:
            self._await_stopped()
            requests.detach(self._last)
        self._points.clear_slots()
        self._machine.close()
        places = self._points.by_address
        return tuple((places[at].pc, g, sp) for at, g, sp in self._put_off)

    def _step_past(self, tid: int, point: StopPoint) -> None:
        """A thread whose stop was told, and that has not run since."""
        machine = self._machine
        if not machine.fetch(tid):
            return
        if point.address != point.pc:
            machine.words[PC_WORD] = point.address
            machine.store(tid)
            return
        held: list[int] = []
        for _ in range(_STEP_ATTEMPTS):
            if requests.request(constants.PTRACE_SINGLESTEP, tid):
                return
            status = os.waitpid(tid, constants.WALL)[1]
            stepped = not machine.fetch(tid) or machine.words[PC_WORD] != point.pc
            if not os.WIFSTOPPED(status) or stepped:
                break
            if not status >> 16 and os.WSTOPSIG(status) != signal.SIGTRAP:
                held.append(os.WSTOPSIG(status))
        for number in held:
            send_again(self._pid, tid, number)

    def _await_stopped(self) -> None:
        """Until the group stop has begun: so the thread whose stop was told takes no signal ahead
        of that, and stays where it is (get_signal, Linux kernel/signal.c)."""
        deadline = time.monotonic() + _STOPPING_TIMEOUT
        while len(self._tasks) > 1 and time.monotonic() < deadline:
            if any(thread_state(self._pid, tid) == "T" for tid in self._tasks):
                return
            time.sleep(0)
