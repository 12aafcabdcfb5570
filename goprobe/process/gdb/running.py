"""A program under GDB that runs and stops: resuming it, stepping it, waiting for what comes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping
from typing import Any

from goprobe.arch.registers import NO_SYSCALL, PC, RESTARTS, RESULT, SYSCALL
from goprobe.errors import (
    GdbDiedError,
    TargetError,
    TargetGoneError,
    TargetTimeoutError,
)
from goprobe.process.gdb import mi
from goprobe.process.gdb.breakpoints import Breakpoints
from goprobe.process.gdb.connection import Connection
from goprobe.process.gdb.inferior import Inferior
from goprobe.process.gdb.mi import StopEvent, quoted
from goprobe.process.gdb.numbers import RegisterNumbers, ThreadNumbers
from goprobe.process.gdb.signals import (
    DEFERRABLE,
    OF_AN_INSTRUCTION,
    awaiting_stop,
    pending_signals,
    send_again,
)
from goprobe.process.ptrace.constants import PTRACE_EVENT_CLONE

_HALT = 10.0  # seconds that a running program has to stop when it is told to
_SILENCE = 1.0  # seconds of GDB's silence after which we look at the program ourselves
_SETTLINGS = 3  # a thread may have one signal more to tell of


class Running:
    """What one GDB holds. Every wait is bounded: TargetTimeoutError past it; GdbDiedError where
    GDB ends by itself."""

    _mi: Connection
    _breakpoints: Breakpoints
    _threads: ThreadNumbers
    _registers: RegisterNumbers

    def __init__(self) -> None:
        self._inferior = Inferior()
        self._at: StopEvent | None = None
        self._running = False
        self._interrupting = False  # a SIGTRAP of ours is on its way

    @property
    def pid(self) -> int:
        """The program's process id; 0 where there is none (any more)."""
        return self._inferior.pid

    def resume(self, *, timeout: float) -> StopEvent:
        """Let all threads run until the next stop; TargetTimeoutError after `timeout` seconds.

        After a timeout the program still runs: `interrupt` and `wait`, or leave the block.
        """
        deadline = time.monotonic() + timeout
        event = self._step_off(timeout)
        if event is not None:
            return event
        return self._run("-exec-continue", timeout, until=deadline)

    def step_instruction(self, thread: int = 0, *, timeout: float) -> StopEvent:
        """One instruction of a thread (default: the one that stopped)."""
        of = f" --thread {self._threads.number(thread)}" if thread else ""
        return self._run(f"-exec-step-instruction{of}", timeout)

    def wait(self, *, timeout: float) -> StopEvent:
        """The next stop of a program that runs.

        At a stop of kind "exec" the program is another one, and all breakpoints are gone.
        """
        return self._wait(timeout, time.monotonic() + timeout)

    def _wait(self, timeout: float, deadline: float) -> StopEvent:
        self._require_program()
        payload = self._next_stop(timeout, deadline)
        self._running = False
        if payload is None:
            return self._end()
        event = mi.parse_stop(payload, 0)
        if event.signal == "SIGTRAP":
            self._interrupting = False
        if event.over:
            self._inferior.reap()
            self._forget()
            return event
        if event.detail == mi.CANNOT_INSERT and self._inferior.dies(_SILENCE):
            return self._end()
        if event.kind == "exec":
            self._threads.forget()
            self._registers.forget()
            self._breakpoints.remove_all()
            # Of all threads the first is left; GDB may still mean the one that called exec.
            self._mi.command(f"-thread-select {self._threads.number(self.pid)}")
            return mi.parse_stop(payload, self.pid)
        self._at = mi.parse_stop(payload, self._threads.tid(payload.get("thread-id")))
        return self._at

    def interrupt(self) -> None:
        """Stop a running program soon: the stop has kind "signal" and signal "SIGTRAP".

        SIGTRAP because it is the one signal that GDB keeps; every other one is the program's.
        """
        if self._running:
            self._interrupting = True
            self._inferior.signal(signal.SIGTRAP)

    @property
    def running(self) -> bool:
        """Whether the program runs, under GDB."""
        return self._running

    def halt(self) -> StopEvent | None:
        """Stop the program after a wait for it was given up; None where it does not run."""
        if not self._running:
            return None
        self.interrupt()
        return self.wait(timeout=_HALT)

    def _require_program(self) -> None:
        if not self.pid:
            raise TargetGoneError("the program is gone")

    def _step_off(self, timeout: float) -> StopEvent | None:
        """Leave a breakpoint where signals wait for the thread; the next stop if that is one.

        GDB leaves breakpoints by itself. But if the thread turns to a signal just then, GDB waits
        for it to come back to this place and takes the next hit there for that (GDB 13.1 and
        18.1): in Go that may be another goroutine's. While all threads stand still no signal
        arrives, so it is enough to hold back those that wait already.
        """
        at, self._at = self._at, None
        if at is None or not self._breakpoints.is_software(at.breakpoint):
            return None
        waiting = pending_signals(self.pid, at.thread)
        return self._steps_deferring(at.thread, waiting, 1, timeout) if waiting else None

    def step_alone(
        self, count: int, *, timeout: float, more: Callable[[], bool] = lambda: True
    ) -> StopEvent | None:
        """Let the thread that stopped run some instructions, while there are to be `more`, and all
        others, and the signals that wait for it, are held back; the next stop if it came to one
        before."""
        at, self._at = self._at, None
        if at is None:
            return None
        waiting = pending_signals(self.pid, at.thread)
        return self._steps_deferring(at.thread, waiting, count, timeout, more)

    def settle(self, nowhere: int) -> None:
        """Have threads tell GDB that they stand which have not (Gdb.stands_whole), without any of
        the program's code: each runs the instruction at `nowhere`, which is to do nothing, and is
        put back. What else has stopped it is told no more: there are no breakpoints of ours then.
        One for which that could do harm is left as it is."""
        self._breakpoints.remove_all()
        for _ in range(_SETTLINGS):
            for tid in awaiting_stop(self.pid):
                self._settle(tid, nowhere)

    def _settle(self, tid: int, nowhere: int) -> None:
        number = self._threads.number(tid)
        words = self._registers.values((PC, SYSCALL, RESULT), f"--thread {number} ")
        if self._siginfo(number, "code") >> 8 == PTRACE_EVENT_CLONE:
            # Still in the call that made a thread: a step ends right behind that.
            self._steps_deferring(tid, DEFERRABLE, 1, _SILENCE)
            return
        restarts = words[SYSCALL] != NO_SYSCALL and words[RESULT] in RESTARTS
        if restarts or self._siginfo(number, "signo") in OF_AN_INSTRUCTION:
            return  # it is to run a system call, or its signal's handler, from where it stands
        self._put_pc(number, nowhere)
        try:
            self._steps_deferring(tid, DEFERRABLE, 1, _SILENCE)
        finally:
            if self.pid:
                self._put_pc(number, words[PC])

    def _siginfo(self, number: int, name: str) -> int:
        """Of what stopped a thread."""
        asked = f"-data-evaluate-expression --thread {number} $_siginfo.si_{name}"
        return int(self._mi.command(asked)["value"])

    def _put_pc(self, number: int, pc: int) -> None:
        self._mi.command(f"-thread-select {number}")
        self._mi.command(f"-interpreter-exec console {quoted(f'set ${PC} = {pc:#x}')}")

    @property
    def at(self) -> StopEvent | None:
        """The last stop, where the program has not run since."""
        return self._at

    def _steps_deferring(
        self, thread: int, waiting: Mapping[str, int], count: int, timeout: float,
        more: Callable[[], bool] = lambda: True,
    ) -> StopEvent | None:  # fmt: skip
        """Steps of one thread without its waiting signals; the stop if it is none of these."""
        names = " ".join(waiting)
        stopped_by: list[int] = []
        if waiting:
            self._mi.send(
                f"-interpreter-exec console {quoted(f'handle {names} stop print nopass')}"
            )
        step = f"-exec-step-instruction --thread {self._threads.number(thread)}"
        for _ in range(count):
            event = self._step_alone(step, timeout)
            while event.signal in waiting and len(stopped_by) < len(waiting):
                stopped_by.append(waiting[event.signal])
                event = self._step_alone(step, timeout)
            if event.kind != "step" or not more():
                break
        if event.kind == "step":
            self._at = None  # else it may stand at the next breakpoint, with these signals waiting
        if event.over:
            return event
        if waiting:
            self._mi.send(
                f"-interpreter-exec console {quoted(f'handle {names} nostop noprint pass')}"
            )
        for number in stopped_by:
            send_again(self.pid, thread, number)
        return None if event.kind == "step" or event.signal == "SIGTRAP" else event

    def _step_alone(self, step: str, timeout: float) -> StopEvent:
        """One step of one thread, all others held; one that waits for them is broken off."""
        try:
            return self._run(step, min(timeout, _SILENCE))
        except TargetTimeoutError:
            self.interrupt()
            return self.wait(timeout=timeout)

    def _run(self, command: str, timeout: float, *, until: float | None = None) -> StopEvent:
        """Let it run by `command` until it stops, for `timeout` seconds or to the time `until`."""
        self._require_program()
        self._mi.forget_stops()
        [token] = self._mi.send(command)
        outcome = self._mi.outcome(token)
        if outcome.failed:
            if self._inferior.dies(_SILENCE):  # somebody killed it while it stood
                return self._end()
            raise TargetError(f"GDB says: {outcome.error}")
        self._running = True
        return self._wait(timeout, time.monotonic() + timeout if until is None else until)

    def _next_stop(self, timeout: float, deadline: float) -> Mapping[str, Any] | None:
        """The next stop that GDB tells of; None where the program ended behind GDB's back."""
        while True:
            left = deadline - time.monotonic()
            try:
                return self._mi.stop(min(left, _SILENCE))
            except TargetTimeoutError:
                if self._inferior.is_dead():
                    return None
                if left <= _SILENCE:
                    raise TargetTimeoutError(
                        f"the program did not stop within {timeout:g} s"
                    ) from None
            except GdbDiedError:
                if not self._inferior.ended_by_itself():
                    raise
                return None

    def _end(self) -> StopEvent:
        """The end of a program that GDB has not told of: then GDB is of no use any more."""
        self._mi.close()
        try:
            return self._inferior.end()
        finally:
            self._forget()

    def _forget(self) -> None:
        self._inferior.forget()
        self._running = False
        self._at = None
        self._breakpoints.forget()
        self._threads.forget()
        self._registers.forget()
