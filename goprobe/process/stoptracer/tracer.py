"""Runs a program from stop to stop, many a second: all of its threads stand at each.

A breakpoint stays in while threads pass it. Threads that come to one in the same instant as another
are stopped before it, and tell of it when the program is to go on. What Go does with signals and
stacks is left alone: a stop at a function's entry is one behind its stack check, which so is passed
once a call, from where the thread is put back to the entry while it stands.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

import msgspec

from goprobe.arch.patches import BREAKPOINT_SIZE
from goprobe.arch.registers import GOROUTINE_WORD, PC_WORD, SP_WORD
from goprobe.errors import TargetGoneError
from goprobe.process.calltracer.codepoints import CodePoints
from goprobe.process.calltracer.hit import ThreadHit
from goprobe.process.calltracer.plan import Room
from goprobe.process.calltracer.threads import Threads
from goprobe.process.gdb.signals import send_again
from goprobe.process.proc.identity import thread_state
from goprobe.process.ptrace import constants, requests
from goprobe.process.stoptracer.plan import Gone, Pass, Stands, StopPoint, Told
from goprobe.process.tracer.threadregs import Machine
from goprobe.process.tracer.waits import WaitEvent

_STOPPING_TIMEOUT = 0.05  # seconds
_STEP_ATTEMPTS = 8
_USER_SENT = 0  # si_code is at most this where a process sent a signal (Linux, siginfo.h)


class _Task(msgspec.Struct):
    """A thread that is traced. Of one that stands: the `signal` that it is to get, whether it
    `rests` in a group stop, the breakpoint that it is to get `past`, and whether it has not `told`
    of what stopped it yet."""

    runs: bool = True
    signal: int = 0
    rests: bool = False
    past: StopPoint | None = None
    untold: bool = False


class StopTracer:
    """One program of ours; the stop where it stands was `told` already. `heard` says whether
    somebody still listens."""

    def __init__(
        self, pid: int, points: Sequence[StopPoint], rooms: Sequence[Room], told: Told
    ) -> None:
        self._pid, self._wanted, self._rooms, self._told = pid, points, rooms, told
        self.heard: Callable[[], bool] = lambda: True
        self._threads = Threads(pid)
        self._tasks: dict[int, _Task] = {}
        self._put_off: set[tuple[int, int, int]] = set()
        self._owed = False
        self._last = told.tid
        self._end: Gone | None = None

    def begin(self) -> bool:
        """Take hold of the program, which stands in SIGSTOP; False where there is a place that
        can have no breakpoint of this kind."""
        threads = self._threads
        threads.seize_all(ours=True)
        self._machine = Machine(self._pid)
        self._hit = ThreadHit(self._machine)
        self._points = CodePoints[StopPoint](self._machine.file, self._rooms)
        refused = [point for point in self._wanted if not self._points.add(point)]
        whole = not refused
        for tid, number in threads.stop_all():
            if threads.knows(tid) or threads.is_born_in(tid):
                self._tasks[tid] = _Task(runs=False, signal=number)
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

    def _tells(self, tid: int, task: _Task) -> Stands | None:
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

    def _release(self, tid: int, task: _Task) -> None:
        task.runs = True
        past, task.past = task.past, None
        if past is not None and self._machine.fetch(tid):
            self._points.past(past, self._machine.words, self._hit.word, self._hit.put_word)
            self._machine.store(tid)
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
        tid, known = event.tid, event.tid in self._tasks
        if event.event == constants.PTRACE_EVENT_EXEC:
            self._exec(tid)
        elif event.event == constants.PTRACE_EVENT_STOP and not self._threads.knows(tid):
            if self._born(tid):
                self._tasks[tid] = _Task()
                self._threads.go_on(tid)
        elif event.event == constants.PTRACE_EVENT_STOP and event.signal != signal.SIGTRAP:
            self._threads.rest(tid)
        else:
            if event.event == constants.PTRACE_EVENT_STOP and not known:
                self._tasks.setdefault(tid, _Task())
            self._threads.go_on(tid)

    def _exec(self, tid: int) -> None:
        if tid != self._pid and not self._threads.is_own(tid):
            requests.detach(tid)
            self._threads.forget(tid)
            return
        self._end = Gone(replaced=True)
        self._tasks = {tid: _Task(runs=False)}

    def _born(self, tid: int) -> bool:
        """Whether a new task is a thread of the program. A child in the same memory runs on under
        our eyes until it execs; one with a copy of it gets its own code back, and is let go."""
        if self._threads.is_born_in(tid):
            return True
        with suppress(OSError):
            file = os.open(f"/proc/{tid}/mem", os.O_RDWR | os.O_CLOEXEC)
            try:
                if self._points.shared_with(file):
                    self._threads.guests.add(tid)
                    self._threads.go_on(tid)
                    return False
                self._points.restore_in(file)
            finally:
                os.close(file)
        self._out_of_slot(tid)
        requests.detach(tid)
        return False

    # Breakpoints

    def _trapped(self, tid: int) -> Stands | None:
        machine = self._machine
        if not machine.fetch(tid):
            return None
        point = self._points.by_address.get(machine.words[PC_WORD] - BREAKPOINT_SIZE)
        if tid in self._threads.guests:
            if point is not None:
                self._points.past(point, machine.words, self._hit.word, self._hit.put_word)
                machine.store(tid)
            self._threads.go_on(tid)
            return None
        task = self._tasks.setdefault(tid, _Task())
        if point is None:
            return self._foreign(tid, task)
        if self._was_put_off(point) or not self._is_wanted(point, tid):
            self._points.past(point, machine.words, self._hit.word, self._hit.put_word)
            machine.store(tid)
            self._threads.go_on(tid)
            return None
        self._put_before(tid, task, point)
        return self._stands(tid, point)

    def _foreign(self, tid: int, task: _Task) -> Stands | None:
        """A SIGTRAP that is no breakpoint's of ours is a stop, and goes no further."""
        if self._owed and requests.signal_code(tid) <= _USER_SENT:
            self._owed = False
            self._threads.go_on(tid)
            return None
        self._out_of_slot(tid)
        task.runs = False
        return self._stands(tid, None)

    def _put_before(self, tid: int, task: _Task, point: StopPoint) -> None:
        self._machine.words[PC_WORD] = point.pc
        self._machine.store(tid)
        task.runs, task.past = False, point

    def _is_wanted(self, point: StopPoint, tid: int) -> bool:
        if point.test is None:
            return True
        self._hit.stands(tid, 0)
        return point.test(self._hit)

    def _was_put_off(self, point: StopPoint) -> bool:
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
                self._tasks[tid] = _Task(runs=False)
        else:  # a child that runs in the same memory, or an exec
            self._handle(event)

    def _halted(self, event: WaitEvent, task: _Task, waiting: set[int]) -> None:
        tid = event.tid
        if event.event == constants.PTRACE_EVENT_STOP:
            at = self._machine.words[PC_WORD] if self._machine.fetch(tid) else 0
            could_be = at - BREAKPOINT_SIZE in self._points.by_address
            if could_be and self._threads.is_trap_pending(tid):
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

    def _halted_by_trap(self, tid: int, task: _Task) -> None:
        if not self._machine.fetch(tid):
            return
        point = self._points.by_address.get(self._machine.words[PC_WORD] - BREAKPOINT_SIZE)
        if point is None:
            if self._owed and requests.signal_code(tid) <= _USER_SENT:
                self._owed = False
            else:
                task.untold = True
            return
        task.untold = not self._was_put_off(point)
        self._put_before(tid, task, point)
