"""One stop of all threads of a process: seized, interrupted, waited for, let go."""

from __future__ import annotations

import gc
import os
import threading
import time
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from goprobe.arch.registers import REGISTERS_SIZE
from goprobe.deferredsignals import signals_deferred
from goprobe.errors import CannotWorkError, NotPermittedError, TargetTimeoutError
from goprobe.process.guardian.guardian import guardian
from goprobe.process.memory.memory import ProcessMemory
from goprobe.process.proc.identity import (
    Refusal,
    refusal,
    thread_state,
)
from goprobe.process.proc.procfs import gone, read_proc, translated
from goprobe.process.ptrace import constants, requests
from goprobe.process.ptrace.priority import first_in_line
from goprobe.process.ptrace.reaper import ReapWhileSeizing
from goprobe.process.ptrace.stoplimit import (
    NO_LIMIT,
    HurriedMemory,
    check,
    estimate,
    ran_over,
    time_for,
)
from goprobe.process.ptrace.uninterruptible import sleeper

_THREADS_LIMIT = 100_000
_FIRST_WINDOW = 0.1
_AT_MOST = 4  # times what a stop is estimated to take
_TRACER_PATIENCE = 2.0
_YIELDS = 30
_STEP = 50e-6
_OTHERS_TURN = 0.001
_TRIES = 10
_FAREWELL = 0.2
_OWN_LINKS = 2  # of /proc/PID/task, "." and ".."; each thread adds one (fs/proc/base.c)
_ASLEEP = ("D", "")  # in the kernel, where no signal wakes it
_DEAD_STATES = ("Z", "X", "x", "")


class _TracedByAnotherError(Exception):
    def __init__(self, why: Refusal) -> None:
        super().__init__(why.message)
        self.why = why


# Stops with a thread that fell asleep in the kernel just as it was interrupted: it can be let go
# of only when it wakes. The kernel does so when we end; until then, each new stop tries.
_left_behind: list[ThreadStop] = []


def collect_left_behind() -> None:
    for stop in tuple(_left_behind):
        if stop.tracer == threading.get_native_id() and stop.drained():
            _left_behind.remove(stop)
            guardian().left_behind(len(_left_behind))


class ThreadStop:
    """One stop of one process: `seized` threads run, `halted` ones stand (with their signal)."""

    def __init__(self, pid: int, deadline: float, most: float) -> None:
        self.pid = pid
        self.registers: dict[int, bytearray] = {}
        self.released = False
        self.tracer = threading.get_native_id()
        self._deadline = deadline
        self._most = most
        self._seized: set[int] = set()
        self._halted: dict[int, int] = {}
        self._dead: set[int] = set()
        self._began = 0
        self._ended = 0
        self._other: Refusal | None = None
        self._collecting = gc.isenabled()
        self._ours = _parent(pid) == os.getpid()
        self._guarded = ExitStack()

    @property
    def pause_ns(self) -> int:
        return (self._ended or time.perf_counter_ns()) - self._began if self._began else 0

    def memory(self) -> ProcessMemory:
        """To be read while it stands."""
        if self._most == NO_LIMIT:
            return ProcessMemory(self.pid)
        until = self._began / 1e9 + time_for(self._most, len(self._halted))
        return HurriedMemory(self.pid, self._most, until, self._let_go_early)

    def _let_go_early(self) -> bool:
        """Whether that was of use."""
        before = self.released
        with signals_deferred():
            self.release()
        return not before

    def acquire(self) -> None:
        self._guarded.enter_context(guardian().holding(self.pid))
        threads = len(_thread_ids(self.pid))
        expected = estimate(threads)
        window = max(_FIRST_WINDOW, _AT_MOST * expected)
        if self._most != NO_LIMIT:
            check(self.pid, self._most, expected, f"for its {threads:,} threads alone")
            window = min(window, time_for(self._most, threads) / 2)
        patience = min(self._deadline, time.monotonic() + _TRACER_PATIENCE)
        while True:
            asleep = sleeper(self.pid, _thread_ids(self.pid), self._deadline)
            if asleep is not None:
                raise self._stuck(asleep)
            with signals_deferred():
                if self._try(window):
                    return
            if self._other is None and self._most != NO_LIMIT:
                raise ran_over(self.pid, self._most, "its threads did not stand by then")
            if self._other is None:
                if time.monotonic() + window > self._deadline:
                    raise self._too_slow()
                time.sleep(window)  # as long as they stood at the most
                window *= 2
            elif time.monotonic() > patience:
                raise NotPermittedError(self._other.message, hint=self._other.hint)
            else:
                time.sleep(_OTHERS_TURN)

    def _try(self, window: float) -> bool:
        self._other = None
        gc.disable()
        try:
            if self._stop_all(window):
                return True
        except _TracedByAnotherError as error:
            self._other = error.why
        # Let all run before the next try: a thread that does not stop, or another tracer, must
        # not cost the others their time.
        self._let_go()
        if not self._drain(self._deadline):
            raise self._stuck(min(self._seized))
        return False

    def _stop_all(self, window: float) -> bool:
        self._began = self._ended = 0
        fresh = self._seize_new()
        limit = min(self._deadline, time.monotonic() + window)
        self._began = time.perf_counter_ns()
        while fresh or not self._complete():
            for tid in fresh:
                requests.interrupt(tid)
                if time.monotonic() > limit:
                    return False
            if not self._await_halts(limit) or time.monotonic() > limit:
                return False
            with first_in_line():
                astray = self._read_registers()
            fresh = astray or self._seize_new()
        if not self._halted:
            raise gone(self.pid)
        return True

    def _complete(self) -> bool:
        """Whether the threads that we know are all there are. The kernel's list of them may
        leave one out when another ends while it is read; the count of its links does not."""
        with translated(self.pid, "count the threads"):
            count = Path(f"/proc/{self.pid}/task").stat().st_nlink - _OWN_LINKS
        return count == len(self._halted) + (self.pid in self._dead)

    def _seize_new(self) -> set[int]:
        """Become the tracer of the threads that are not ours yet, the first one first:
        of two tracers only one gets it, and the other waits."""
        strange = [t for t in _thread_ids(self.pid) if not self._knows(t)]
        fresh = set()
        if strange:
            with ReapWhileSeizing(self.pid, lambda: [*self._seized, *self._halted]):
                for tid in strange:
                    if self._seize(tid):
                        self._dead.discard(tid)
                        self._seized.add(tid)
                        fresh.add(tid)
        return fresh

    def _knows(self, tid: int) -> bool:
        if tid in self._seized or tid in self._halted:
            return True
        return tid in self._dead and thread_state(self.pid, tid) in _DEAD_STATES

    def _seize(self, tid: int) -> bool:
        """Whether the thread is our tracee now; False where it has ended."""
        for _ in range(_TRIES):
            if not requests.seize(tid):
                return True
            if thread_state(self.pid, tid) in _DEAD_STATES:
                self._dead.add(tid)
                return False
            why = refusal(self.pid, tid)
            if why and why.tracer == self.tracer:
                # Another thread's execve gave this number to one that we had seized before.
                return True
            if why and why.tracer:
                raise _TracedByAnotherError(why)
            if why:
                raise NotPermittedError(why.message, hint=why.hint)
        raise NotPermittedError(f"not permitted to attach to thread {tid} of process {self.pid}")

    def _await_halts(self, limit: float) -> bool:
        """Wait until no seized thread runs; False when it is `limit` (monotonic) first."""
        idle = 0
        while self._seized:
            idle = 0 if self._sweep(idle >= _YIELDS) else idle + 1
            if self._seized and time.monotonic() > limit:
                return False
            if self._seized and idle:
                if idle < _YIELDS:
                    os.sched_yield()
                else:
                    time.sleep(_STEP)
        return True

    def _sweep(self, thorough: bool) -> bool:
        """Look once at every running thread; whether any has stopped or ended."""
        before = len(self._seized)
        for tid in tuple(self._seized):
            status = requests.wait(tid)
            if status == requests.NOT_YET and thorough:
                status = self._look_closer(tid)
            if status != requests.NOT_YET:
                self._seized.discard(tid)
                if status == requests.ENDED:
                    self._bury(tid)
                else:
                    self._halted[tid] = 0 if status >> 8 else status & 0xFF
        return len(self._seized) < before

    def _look_closer(self, tid: int) -> int:
        """The status of a thread that reports none: the first thread, dead before the others, or
        one whose report somebody else in this Python process has waited for."""
        state = thread_state(self.pid, tid)
        if state == "t":
            return requests.pending_signal(tid) or constants.PTRACE_EVENT_STOP << 8
        return requests.ENDED if state in _DEAD_STATES else requests.NOT_YET

    def _bury(self, tid: int) -> None:
        self._dead.add(tid)
        if not (self._ours and tid == self.pid):
            # The end of our own child is for whoever started it to collect.
            requests.reap(tid)

    def _read_registers(self) -> set[int]:
        """Read the registers of every halted thread; returns those that do not stand any more."""
        astray = set()
        for tid in self._halted:
            raw = bytearray(REGISTERS_SIZE)
            if requests.read_registers(tid, raw):
                astray.add(tid)
            else:
                self.registers[tid] = raw
        for tid in astray:  # killed, or replaced by another thread's execve
            del self._halted[tid]
            self.registers.pop(tid, None)
            self._seized.add(tid)
        return astray

    def _let_go(self) -> None:
        """Resume what stands."""
        with first_in_line():
            self._detach()
            # Before we step back in line: from then on it is we who wait, not the target.
            self._ended = self._ended or time.perf_counter_ns()
        if self._collecting:
            gc.enable()
        self.registers = {}

    def _detach(self) -> None:
        for tid in tuple(self._halted):
            if requests.detach(tid, self._halted.pop(tid)):
                self._seized.add(tid)  # killed, but not dead yet: to be reaped

    def signal_of(self, tid: int) -> int | None:
        """The signal that a halted thread is to be given, 0 for none; None where none halted."""
        return self._halted.get(tid)

    def forget(self, tid: int) -> None:
        del self._halted[tid]

    def release(self) -> None:
        if not self.released:
            registers = self.registers
            self._let_go()
            if not self._drain(time.monotonic() + _FAREWELL):
                _left_behind.append(self)
                guardian().left_behind(len(_left_behind))
            self.registers = registers
            self.released = True
        self._guarded.close()

    def drained(self) -> bool:
        return self._drain(time.monotonic())

    def _drain(self, until: float) -> bool:
        """Let every seized thread go as soon as it stops; False when one has not by `until`."""
        for tid in self._seized:
            requests.interrupt(tid)
        while self._seized:
            self._await_halts(min(until, time.monotonic() + 0.01))
            self._detach()
            if self._seized and time.monotonic() > until:
                return False
        return True

    def _too_slow(self) -> TargetTimeoutError:
        return TargetTimeoutError(
            f"the {len(_thread_ids(self.pid)):,} threads of process {self.pid} do not all stand"
            " still in time: the machine is too busy, and it was let go",
            hint="try again when less runs here",
        )

    def _stuck(self, tid: int) -> TargetTimeoutError:
        if thread_state(self.pid, tid) not in _ASLEEP:
            return self._too_slow()
        return TargetTimeoutError(
            f"thread {tid} of process {self.pid} does not stop: it sleeps inside the kernel"
            f" (state {thread_state(self.pid, tid) or '?'})",
            hint="try again later; /proc/PID/task/TID/stack says what it waits for",
        )


def _thread_ids(pid: int) -> list[int]:
    with translated(pid, "list the threads"), os.scandir(f"/proc/{pid}/task") as entries:
        tids = [int(entry.name) for entry in islice(entries, _THREADS_LIMIT + 1)]
    if len(tids) > _THREADS_LIMIT:
        raise CannotWorkError(f"process {pid} has more than {_THREADS_LIMIT} threads")
    return sorted(tids, key=lambda tid: (tid != pid, tid))


def _parent(pid: int) -> int:
    stat = read_proc(pid, "stat", 1 << 16).rpartition(b")")[2].split()
    return int(stat[1]) if len(stat) > 1 else 0
