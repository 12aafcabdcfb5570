"""Runs a program from stop to stop, many a second: all of its threads stand at each.

A breakpoint stays in while threads pass it. Threads that come to one in the same instant as another
are stopped before it, and tell of it when the program is to go on. What Go does with signals and
stacks is left alone: a stop at a function's entry is one behind its stack check, which so is passed
once a call, from where the thread is put back to the entry while it stands.
"""

from __future__ import annotations

import signal

from goprobe.arch.registers import PC_WORD
from goprobe.errors import TargetGoneError
from goprobe.process.gdb.signals import is_pending
from goprobe.process.ptrace import constants, requests
from goprobe.process.stoptracer.plan import Gone, Stands, StopPoint
from goprobe.process.stoptracer.standing import StandingProgram, Task
from goprobe.process.tracer.waits import WaitEvent

_USER_SENT = 0  # si_code is at most this where a process sent a signal (Linux, siginfo.h)


class StopTracer(StandingProgram):
    """Its runs from stop to stop."""

    # While it runs

    def go(self, *, owed: bool) -> Stands | Gone:
        """To the next stop. `owed`: see plan.Go."""
        self._owed = owed
        for tid, task in self._tasks.items():
            if task.untold and (stands := self._tells(tid, task)):
                return stands
        for tid, task in list(self._tasks.items()):
            if not task.runs:
                self._release(tid, task)
        while True:
            event = self._next()
            stands = self._handle(event)
            if stands is not None:
                self._halt()
                return self._end or stands
            if self._end is not None:
                return self._end

    def _next(self) -> WaitEvent:
        while True:
            event = self._threads.next()
            if event is not None:
                return event
            if not self._threads.any or not self.heard():
                raise TargetGoneError(f"process {self._pid} is gone")

    def _tells(self, tid: int, task: Task) -> Stands | None:
        """Of a thread that came to a breakpoint in the instant of another stop."""
        task.untold = False
        if not self._machine.fetch(tid):
            return None
        if task.past is None or self._is_wanted(task.past, tid):
            return self._stands(tid, task.past)
        return None

    def _stands(self, tid: int, point: StopPoint | None) -> Stands:
        self._last = tid
        words = self._machine.words
        return Stands(tid, words[PC_WORD], point.number if point else 0, words.tobytes())

    def _release(self, tid: int, task: Task) -> None:
        task.runs = True
        past, task.past = task.past, None
        if past is not None and self._machine.fetch(tid):
            self._past(past, tid)
        if task.rests:
            task.rests = False
            self._threads.rest(tid)
            return
        number, task.signal = task.signal, 0
        self._threads.go_on(tid, number)

    def _handle(self, event: WaitEvent) -> Stands | None:
        tid = event.tid
        if event.over:
            self._over(tid)
        elif event.event:
            self._event(event)
        elif event.signal == signal.SIGTRAP:
            return self._trapped(tid)
        else:
            self._out_of_slot(tid)
            self._threads.go_on(tid, event.signal)
        return None

    def _over(self, tid: int) -> None:
        self._threads.forget(tid)
        self._tasks.pop(tid, None)
        if tid == self._pid:
            self._end = Gone()

    def _event(self, event: WaitEvent) -> None:
        tid = event.tid
        if event.event == constants.PTRACE_EVENT_EXEC:
            self._exec(tid)
        elif event.event == constants.PTRACE_EVENT_STOP and not self._threads.knows(tid):
            if self._born(tid):
                self._tasks[tid] = Task()
                self._threads.go_on(tid)
        elif event.event == constants.PTRACE_EVENT_STOP and event.signal != signal.SIGTRAP:
            self._threads.rest(tid)
        else:
            if self._threads.is_own(tid):
                self._tasks.setdefault(tid, Task())
            self._threads.go_on(tid)

    def _exec(self, tid: int) -> None:
        if self._is_replaced(tid):
            self._end = Gone(replaced=True)
            self._tasks = {tid: Task(runs=False)}

    # Breakpoints

    def _trapped(self, tid: int) -> Stands | None:
        if not self._machine.fetch(tid):
            return None
        point = self._met()
        if tid in self._threads.guests:
            if point is not None:
                self._past(point, tid)
            self._threads.go_on(tid)
            return None
        task = self._tasks.setdefault(tid, Task())
        if point is None:
            return self._foreign(tid, task)
        if self._was_put_off(point) or not self._is_wanted(point, tid):
            self._pass(point, tid)
            return None
        self._put_before(tid, task, point)
        return self._stands(tid, point)

    def _foreign(self, tid: int, task: Task) -> Stands | None:
        """A SIGTRAP that is no breakpoint's of ours is a stop, and goes no further."""
        if self._was_owed(tid):
            self._threads.go_on(tid)
            return None
        self._out_of_slot(tid)
        task.runs = False
        return self._stands(tid, None)

    def _was_owed(self, tid: int) -> bool:
        """Whether that is the SIGTRAP that none is to come of."""
        if self._owed and requests.signal_code(tid) <= _USER_SENT:
            self._owed = False
            return True
        return False

    def _put_before(self, tid: int, task: Task, point: StopPoint) -> None:
        self._machine.words[PC_WORD] = point.pc
        self._machine.store(tid)
        task.runs, task.past = False, point

    def _is_wanted(self, point: StopPoint, tid: int) -> bool:
        if point.test is None:
            return True
        self._hit.stands(tid, 0)
        return point.test(self._hit)

    # Standing

    def _halt(self) -> None:
        """Have all threads stand."""
        waiting = {tid for tid, t in self._tasks.items() if t.runs and requests.interrupt(tid) == 0}
        while (waiting or self._threads.unborn) and self._end is None:
            event = self._next()
            tid = event.tid
            if event.over:
                self._over(tid)
            elif tid in self._tasks and event.event != constants.PTRACE_EVENT_EXEC:
                self._halted(event, self._tasks[tid], waiting)
                continue
            else:
                self._event_while_halting(event, waiting)
            waiting.discard(tid)

    def _event_while_halting(self, event: WaitEvent, waiting: set[int]) -> None:
        tid = event.tid
        if event.event == constants.PTRACE_EVENT_STOP and not self._threads.knows(tid):
            if self._born(tid):
                self._tasks[tid] = Task(runs=False)
        else:  # a child that runs in the same memory, or an exec
            self._handle(event)

    def _halted(self, event: WaitEvent, task: Task, waiting: set[int]) -> None:
        tid = event.tid
        if event.event == constants.PTRACE_EVENT_STOP:
            could_be = self._machine.fetch(tid) and self._met() is not None
            if could_be and is_pending(tid, signal.SIGTRAP):
                self._threads.go_on(tid)  # its breakpoint has stopped it already: that comes first
                return
            task.rests = event.signal != signal.SIGTRAP
        elif event.event:
            pass  # it has made another one, and stands
        elif event.signal == signal.SIGTRAP:
            self._halted_by_trap(tid, task)
        else:
            task.signal = event.signal
        task.runs = False
        waiting.discard(tid)
        self._out_of_slot(tid)

    def _halted_by_trap(self, tid: int, task: Task) -> None:
        if not self._machine.fetch(tid):
            return
        point = self._met()
        if point is None:
            task.untold = not self._was_owed(tid)
            return
        task.untold = not self._was_put_off(point)
        self._put_before(tid, task, point)
