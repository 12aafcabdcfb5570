"""Follows the calls of functions in a process that runs on: the strace of Go functions.

A breakpoint at a function's entry stops the calling thread alone, one at each of its return
instructions shows its results; return addresses on the stack are Go's unwinder's and are not
touched. Other threads run all the while, and none gets past a breakpoint unseen (`points.py`).

It runs in a process of its own (`child.py`), so that the target is let go, its code as it was,
even when goprobe is killed.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from goprobe.arch.registers import FIRST_WORD, GOROUTINE_WORD, PC_WORD, SP_WORD, THREAD_WORD, WORD
from goprobe.errors import CannotWorkError, TargetGoneError
from goprobe.process.calltracer.noting import NotedCalls
from goprobe.process.calltracer.opencalls import Goroutine, OpenCall, Unwinding
from goprobe.process.calltracer.plan import (
    After,
    Begun,
    Counted,
    End,
    Ended,
    Hit,
    Lost,
    Over,
    Ready,
    Tell,
    Values,
    WatchPlan,
    replaced,
)
from goprobe.process.calltracer.points import At, CallPoint, Points
from goprobe.process.proc.identity import facts
from goprobe.process.proc.schedstat import waited_for_processor
from goprobe.process.ptrace import constants, requests
from goprobe.process.tracer.waits import WaitEvent

_STACK_HI = 1  # word of runtime.g: src/runtime/runtime2.go, Go 1.21 to 1.27
_G_BELOW_THREAD = 8  # where the linker puts runtime.tlsg in an executable
_G_LIMIT = 4096
_OF_CALLS = (At.ENTRY, At.RETURN, At.JUMP)


class CallTracer(NotedCalls):
    """One watch of a process. `stopping` says when it shall end."""

    _points: Points

    def __init__(
        self, pid: int, plan: WatchPlan, values: Values, tell: Tell, after: After,
        *, stopping: Callable[[], bool], crowded: Callable[[], bool],
    ) -> None:  # fmt: skip
        """`after` is what becomes of the process; but where it is to run on it stands in SIGSTOP
        now, and is to end when we do. `crowded`: much waits to be taken by whoever is told; the
        program waits a little then."""
        super().__init__(pid, plan, after, stopping, crowded)
        self._values, self._tell = values, tell
        self._goroutines: dict[int, Goroutine] = {}
        self._counts = [0] * len(plan.functions)
        self._calls = 0
        self._g_size = min(plan.landmarks.goid + 8, _G_LIMIT)
        self._goid = self._g_size // WORD - 1
        self._sees_recoveries = True
        self._leaving = 0  # goroutines that have called runtime.Goexit and not ended

    def run(self) -> None:
        """To the program's end, or until it is told to stop. Whatever happens, the process is let
        go as it was."""
        if "shstk" in facts(self._pid).get("x86_Thread_features", ""):
            raise CannotWorkError("it uses a shadow stack: its returns cannot be watched")
        self._seize(ours=self._after is not After.GO)
        self._put_in_stubs()
        noted = {patched.covered.at for patched in self._stubs.patched} if self._stubs else ()
        self._points = Points(self._machine.file, self._plan, noted)
        over, late = Over(""), 0
        try:
            self._points.insert_all()
            self._tell(Ready(tuple(self._points.refused)))
            if self._after is not After.GO:
                os.kill(self._pid, signal.SIGCONT)
            if self._halted:
                self._threads.go_on(self._pid)
            waited = waited_for_processor()
            over = self._follow()
            late = waited_for_processor() - waited
        finally:
            self._let_go()
            self._machine.close()
        self._finish(replace(over, stops=self._stops, stopped_ns=self._stopped, late_ns=late))

    def _follow(self) -> Over:
        threads = self._threads
        while True:
            if not self._later and (event := threads.next()) is not None:
                self._queue(event)
                self._gather()
            event = self._later.popleft() if self._later else None
            if event is None:
                self._take()
            else:
                if event.over and event.tid == self._pid:
                    return Over("it ended", event.code, event.signal)
                self._handle(event)
                if self._since:
                    self._since.pop(event.tid, None)
                if self._replaced:
                    return Over(replaced(self._after))
            if self._stopping():  # looked at each time: where much happens no wait is broken off
                return Over("")
            if not threads.any and not self._later:
                raise TargetGoneError(f"process {self._pid} is gone")

    def _handle(self, event: WaitEvent) -> None:
        tid = event.tid
        if event.over:
            self._threads.forget(tid)
        elif event.event:
            self._event(event)
        elif event.signal == signal.SIGTRAP:
            self._trapped(tid)
        else:
            self._out_of_slot(tid)
            self._out_of_stub(tid)
            self._threads.go_on(tid, event.signal)

    def _event(self, event: WaitEvent) -> None:
        tid = event.tid
        if event.event == constants.PTRACE_EVENT_EXEC:
            self._replaced = self._is_replaced(tid)
        elif event.event == constants.PTRACE_EVENT_STOP and not self._threads.knows(tid):
            if self._born(tid):
                self._threads.go_on(tid)
        elif event.event == constants.PTRACE_EVENT_STOP and event.signal != signal.SIGTRAP:
            if self._out_of_stub(tid):
                requests.interrupt(tid)  # it stops there again
                self._threads.go_on(tid)
            else:
                self._threads.rest(tid)
        else:
            self._threads.go_on(tid)

    # Breakpoints

    def _trapped(self, tid: int) -> None:
        since = self._since.pop(tid, 0) or time.monotonic_ns()
        if not self._machine.fetch(tid) or self._stub_trapped(tid, since):
            return
        if self._stubs is not None:
            self._catch_up()
            self._machine.fetch(tid)
        point = self._met()
        if point is None:
            self._threads.go_on(tid, signal.SIGTRAP)
            return
        if tid in self._threads.guests:
            self._pass(point, tid)
        elif self._plan.counts:
            self._count(point)
            self._pass(point, tid)
        else:
            self._call_at(point, tid, since)

    def _count(self, point: CallPoint) -> None:
        """One call more, if this one was not counted before a signal put it off."""
        if not self._was_put_off(point):
            self._counts[point.number] += 1

    def _call_at(self, point: CallPoint, tid: int, since: int) -> None:
        """What takes no more than its registers is told while the thread runs again."""
        goroutine = self._caller(point, tid, since)
        if goroutine is None:
            self._pass(point, tid)
            return
        if point.at in _OF_CALLS and self._is_told_by_registers(point):
            hit = self._hit.registers()
            released = self._released(point, tid, since)
            call = self._told_at(point, goroutine, hit, since)
        else:
            call = self._told_at(point, goroutine, self._hit, since)
            released = self._released(point, tid, since)
        goroutine.held += released - since
        if call is not None:
            call.began = goroutine.moment(released)

    def _is_told_by_registers(self, point: CallPoint) -> bool:
        told, words = self._values.in_registers, self._machine.words
        kinds = {point.at, point.ends} - {None}
        return all(told(point.number, words, entry=kind is At.ENTRY) for kind in kinds)

    def _caller(self, point: CallPoint, tid: int, since: int) -> Goroutine | None:
        words, hit = self._machine.words, self._hit
        own_g = point.number >= 0 and self._plan.functions[point.number].own_g
        g = hit.word(words[THREAD_WORD] - _G_BELOW_THREAD) if own_g else words[GOROUTINE_WORD]
        if point.at is At.RECOVERY:  # on the system stack, for the goroutine that it is given
            g = words[FIRST_WORD]
        if not hit.read_block(g, self._g_size):
            return None
        hit.stands(tid, hit.block[_STACK_HI])
        return self._goroutine(g, hit.block[self._goid], since)

    def _told_at(
        self, point: CallPoint, goroutine: Goroutine, hit: Hit, since: int
    ) -> OpenCall | None:
        """The call that begins there, if one does."""
        at = hit.high - hit.words[SP_WORD]
        kind = point.at
        if kind is At.ENTRY:
            call = self._entered(goroutine, point.number, at, hit, since)
            if point.ends is None or call is None:
                return call
            call.began, kind = goroutine.moment(since), point.ends
        if kind is At.RETURN or kind is At.JUMP:
            target = point.target if point.word < 0 else hit.words[point.word]
            to = f"{target:#x}" if kind is At.JUMP else ""
            self._ended(goroutine, point.number, at, hit, since, to)
        elif kind is At.PANIC:
            self._unwinds(goroutine, End.PANIC, self._values.panic(hit), hit, since)
        elif kind is At.RECOVERY:
            self._recovered(goroutine, hit, since)
        elif kind is At.GOEXIT:
            self._unwinds(goroutine, End.GOEXIT, "runtime.Goexit", hit, since)
            self._await_last(+1)
        else:
            self._gone(goroutine, since)
        return None

    def _unwinds(self, goroutine: Goroutine, end: End, why: str, hit: Hit, now: int) -> None:
        at, leaving = hit.high - hit.words[SP_WORD], self._values.leaving(hit)
        frame = hit.high - leaving if leaving else None
        goroutine.unwinding.append(Unwinding(end, at, goroutine.moment(now), why, frame))

    def _recovered(self, goroutine: Goroutine, hit: Hit, now: int) -> None:
        """The frames deeper than the one that goes on are left. A Goexit that has been begun deeper
        goes on in its place (recovery, src/runtime/panic.go, Go 1.21 to 1.27)."""
        sp = self._values.recovered(self._machine.words[FIRST_WORD], hit)
        self._sees_recoveries &= bool(sp)
        if not 0 < sp <= hit.high or any(u.end is End.GOEXIT for u in goroutine.unwinding):
            return
        self._close(goroutine, hit.high - sp + 1, now)
        goroutine.settle(hit.high - sp)

    def _goroutine(self, g: int, number: int, now: int) -> Goroutine:
        """The one whose g that is; another one may have had it before."""
        known = self._goroutines.get(g)
        if known is None or known.id != number:
            if known is not None:
                self._gone(known, now)
            known = self._goroutines[g] = Goroutine(number)
        return known

    def _entered(
        self, goroutine: Goroutine, function: int, at: int, hit: Hit, now: int
    ) -> OpenCall | None:
        calls = goroutine.open
        if calls and calls[-1].at >= at:
            last = calls[-1]
            if last.at == at and last.function == function and not goroutine.taken_by(last):
                return None  # its stack grew, or it was preempted there, or it loops to its start
            self._close(goroutine, at, now)
        if goroutine.unwinding:
            goroutine.settle(at)
        self._calls += 1
        self._tell(
            Begun(
                self._calls, function, goroutine.id, len(calls), now,
                self._values.arguments(function, hit), self._values.stack(hit),
            )
        )  # fmt: skip
        call = OpenCall(self._calls, function, at)
        calls.append(call)
        return call

    def _ended(
        self, goroutine: Goroutine, function: int, at: int, hit: Hit, now: int, to: str = ""
    ) -> None:
        calls = goroutine.open
        if calls and calls[-1].at > at:
            self._close(goroutine, at + 1, now)
        if goroutine.unwinding:
            goroutine.settle(at)
        if not calls or calls[-1].at != at or calls[-1].function != function:
            return  # it had begun before we looked
        call, end = calls.pop(), goroutine.moment(now)
        goroutine.ended(end)
        if to:
            self._tell(Ended(call.call, End.TAIL, call.ran(end), None, to))
            return
        results = self._values.results(function, hit)
        self._tell(Ended(call.call, End.RETURN, call.ran(end), results))

    def _close(self, goroutine: Goroutine, at: int, now: int) -> None:
        """End the calls that were left at this depth or deeper without returning."""
        for call, taken in goroutine.left(at):
            if taken is not None:  # what it had deferred ran on after that
                end = max(taken.began, call.until)
                self._tell(Ended(call.call, taken.end, call.ran(end), None, taken.why))
            else:
                end = goroutine.moment(now)
                self._tell(Ended(call.call, End.UNSEEN, call.ran(end)))
            goroutine.ended(end)

    def _gone(self, goroutine: Goroutine, now: int) -> None:
        """The goroutine is at its end."""
        if any(u.end is End.GOEXIT for u in goroutine.unwinding):
            self._await_last(-1)
        self._close(goroutine, 0, now)
        goroutine.unwinding.clear()

    def _await_last(self, more: int) -> None:
        """Watch the ends of goroutines for as long as one of them has called runtime.Goexit."""
        self._leaving = max(0, self._leaving + more)
        for last in self._points.last:
            if self._leaving and not last.inserted:
                self._points.insert(last)
            elif not self._leaving:
                self._points.extract(last)

    # Letting go

    def _let_go(self) -> None:
        self._points.extract_all()
        if self._after is After.KILL or self._replaced:
            self._catch_up()
        if self._after is After.KILL:
            self._threads.kill()
            return
        if self._after is After.STAND:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGSTOP)
        if self._replaced and self._threads.leave_replaced():
            return
        stopped = self._waiting()
        stopped += self._threads.stop_all(self._leave, (tid for tid, _ in stopped))
        self._empty_stubs([tid for tid, _ in stopped])
        stopped = [(tid, self._outside(tid, number)) for tid, number in stopped]
        self._take_out_stubs([tid for tid, _ in stopped])
        for tid, number in stopped:
            requests.detach(tid, number)
        self._points.clear_slots()

    def _waiting(self) -> list[tuple[int, int]]:
        """Threads that have stopped and not had their turn, with the signals that they get. Those
        in the middle of a system call leave it first: nobody else's result may be put there."""
        stopped: list[tuple[int, int]] = []
        while self._later:
            event = self._later.popleft()
            if event.over:
                self._threads.forget(event.tid)
            elif event.event not in (0, constants.PTRACE_EVENT_STOP):
                self._event(event)
            elif self._threads.is_own(event.tid):
                stopped.append((event.tid, 0 if event.event else event.signal))
            else:
                self._leave(event.tid, 0 if event.event else event.signal)
        return stopped

    def _leave(self, tid: int, number: int) -> None:
        """Let a task go that is no thread of the program, as far as is known."""
        if not self._threads.knows(tid):
            self._restore_of(tid)
        requests.detach(tid, self._outside(tid, number))
        self._threads.forget(tid)

    def _outside(self, tid: int, number: int) -> int:
        if not self._machine.fetch(tid):
            return number
        return number if self._left_stub(tid) else self._stand_outside(tid, number)

    def _stand_outside(self, tid: int, number: int) -> int:
        """A thread that has run into a breakpoint stands before the instruction that is there. The
        signal that it is to get."""
        point = self._met()
        if self._replaced or number != signal.SIGTRAP or point is None:
            self._out_of_slot(tid)
            return number
        self._machine.words[PC_WORD] = point.address
        self._machine.store(tid)
        return 0

    def _finish(self, over: Over) -> None:
        now = time.monotonic_ns()
        for goroutine in self._goroutines.values():
            for call, taken in goroutine.left(0):
                if taken and taken.end is End.PANIC and not over.why and self._sees_recoveries:
                    taken = None  # it may be recovered yet
                end, why = (taken.end, taken.why) if taken else (End.OPEN, "")
                self._tell(Ended(call.call, end, call.ran(goroutine.moment(now)), None, why))
        if self._plan.counts:
            self._tell(Counted(tuple(self._counts)))
        if self._stubs is not None and self._stubs.ring.lost:
            self._tell(Lost(self._stubs.ring.lost))
        self._tell(over)
