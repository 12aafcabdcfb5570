"""What a tracer of calls does about those that stubs note (`stubs.py`).

It takes them in their order, with what it is told of by breakpoints, and sees to it that no thread
is left in a stub.
"""

from __future__ import annotations

import os
import signal
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Sequence

from goprobe.arch.byhand import PutWord, WordAt
from goprobe.arch.callstub import GOROUTINE_NUMBER, HIGH, POINT, TIME, TIME_WORD
from goprobe.arch.registers import GOROUTINE_WORD, PC_WORD, SP_WORD, Words
from goprobe.process.calltracer.hit import RegisterHit
from goprobe.process.calltracer.opencalls import Goroutine, OpenCall
from goprobe.process.calltracer.plan import After, Hit, WatchPlan
from goprobe.process.calltracer.points import At, CallPoint
from goprobe.process.calltracer.stubs import INSTALL_ERRORS, Stubs, may_be_used, wanted
from goprobe.process.calltracer.tracedcode import TracedCode
from goprobe.process.ptrace import constants, requests
from goprobe.process.tracer.waits import WaitEvent

_GLANCE = 256  # records
_TURN = 1000  # threads
_EASE, _PAUSE = 1.0, 0.001  # seconds
_PATIENCE = 1.0  # for a thread that has begun to note a call: it does so in a microsecond


class NotedCalls(TracedCode[CallPoint]):
    """The part of a tracer that has to do with stubs; without them it does nothing."""

    _goroutines: dict[int, Goroutine]

    def __init__(
        self, pid: int, plan: WatchPlan, after: After,
        stopping: Callable[[], bool], crowded: Callable[[], bool],
    ) -> None:  # fmt: skip
        super().__init__(pid)
        self._plan, self._after = plan, after
        self._stopping, self._crowded = stopping, crowded
        self._stubs: Stubs | None = None
        self._halted = self._replaced = False
        self._held_back = 0  # a thread that is not to run on behind its trap
        self._stops = self._stopped = 0  # how many there were, and how long they took, in ns
        self._later: deque[WaitEvent] = deque()
        self._since: dict[int, int] = {}  # when those who wait there were seen to have stopped

    @abstractmethod
    def _goroutine(self, g: int, number: int, now: int) -> Goroutine: ...

    @abstractmethod
    def _entered(
        self, goroutine: Goroutine, function: int, at: int, hit: Hit, now: int
    ) -> OpenCall | None: ...

    @abstractmethod
    def _ended(
        self, goroutine: Goroutine, function: int, at: int, hit: Hit, now: int, to: str = ""
    ) -> None: ...

    @abstractmethod
    def _call_at(self, point: CallPoint, tid: int, since: int) -> None: ...

    def _put_in_stubs(self) -> None:
        """Have calls noted where they can be. What cannot, or a program that has run already, has
        breakpoints."""
        if self._after is After.GO or self._plan.counts or not may_be_used(self._pid):
            return
        patched = wanted(
            self._plan.functions, lambda at, size: os.pread(self._machine.file, size, at)
        )
        if not patched:
            return
        self._halted = self._threads.halted(self._pid)
        if not self._machine.fetch(self._pid):
            return
        stubs = Stubs(self._machine, patched)
        try:
            stubs.install(self._pid, self._plan.landmarks.goid)
        except INSTALL_ERRORS:
            stubs.restore_in(self._machine.file)
            return
        self._stubs = stubs

    @property
    def notes(self) -> bool:
        """Whether calls are noted, and to be looked for from time to time."""
        return self._stubs is not None

    def _take(self) -> None:
        """Tell what was noted."""
        if self._stubs is not None:
            self._stubs.clock.look()
            self._take_until(self._stubs, self._stubs.ring.claimed)

    def _catch_up(self) -> None:
        """Tell all that began to be noted before now: whoever stands has been there later."""
        stubs = self._stubs
        if stubs is None or stubs.ring.taken == stubs.ring.claimed:
            return
        stubs.clock.look()
        until, patience = stubs.ring.claimed, time.monotonic() + _PATIENCE
        while True:
            self._take_until(stubs, until)
            if stubs.ring.taken >= until:
                return
            if self._glance():
                continue
            if time.monotonic() > patience or not self._threads.any:
                stubs.ring.skip(lost=self._threads.any)  # its thread is no more

    def _take_until(self, stubs: Stubs, until: int) -> None:
        for count, words in enumerate(stubs.ring.whole(until)):
            self._noted(stubs, words)
            if not count % _GLANCE:
                self._glance()

    def _glance(self) -> bool:
        """Whether somebody has stopped meanwhile, whose turn comes later. Only to note a call has
        to be done first."""
        event = self._threads.poll()
        if event is None:
            return False
        self._queue(event)
        return True

    def _queue(self, event: WaitEvent) -> None:
        tid = event.tid
        to_rest = event.event == constants.PTRACE_EVENT_STOP and event.signal != signal.SIGTRAP
        signalled = not event.event and not event.over and event.signal != signal.SIGTRAP
        if (to_rest or signalled) and self._out_of_stub(tid) and to_rest:
            requests.interrupt(tid)  # it stops there again
            self._threads.go_on(tid)
            return
        self._since[tid] = time.monotonic_ns()
        self._later.append(event)

    def _gather(self) -> None:
        """Meet all who have stopped by now before the first of them goes on: the kernel tells of
        threads in the order of its list, and the last ones would never have their turn."""
        for _ in range(_TURN):
            if not self._glance():
                return

    def _await_room(self) -> None:
        """Where nobody takes what is told the program waits, a little."""
        until = time.monotonic() + _EASE
        while self._crowded() and time.monotonic() < until and not self._stopping():
            if not self._glance():
                time.sleep(_PAUSE)

    def _noted(self, stubs: Stubs, words: tuple[int, ...]) -> None:
        now, patched = stubs.clock.ns(words[TIME]), stubs.patched[words[POINT]]
        goroutine = self._goroutine(words[GOROUTINE_WORD], words[GOROUTINE_NUMBER], now)
        hit = RegisterHit(words, words[HIGH])
        at = hit.high - words[SP_WORD]
        if patched.covered.returns:
            self._ended(goroutine, patched.number, at, hit, now)
            return
        call = self._entered(goroutine, patched.number, at, hit, now)
        if call is not None:
            call.began = goroutine.moment(now)

    def _out_of_stub(self, tid: int) -> bool:
        """Whether a thread that stands did so in a stub; now it stands behind it."""
        stubs = self._stubs
        if stubs is None or not self._machine.fetch(tid):
            return False
        if not stubs.holds(self._machine.words[PC_WORD]):
            return False
        before, self._held_back = self._held_back, tid
        ended = stubs.step_out(tid, lambda: self._stub_trapped(tid, time.monotonic_ns()))
        self._held_back = before
        if ended is not None:
            self._later.append(ended)
        return True

    def _empty_stubs(self, tids: Sequence[int]) -> None:
        """The code is the program's own again, and all of its threads, which stand, have noted what
        they were about to. Those that have run into a trap of a stub's stay there."""
        if self._stubs is None:
            return
        self._stubs.restore_in(self._machine.file)
        for tid in tids:
            if self._machine.fetch(tid) and not self._stubs.trap(self._machine.words[PC_WORD]):
                self._stubs.step_out(tid, None)
        self._catch_up()

    def _left_stub(self, tid: int) -> bool:
        """Whether such a thread, its registers at hand, was still in a stub; it goes on behind."""
        if self._stubs is None or not self._stubs.holds(self._machine.words[PC_WORD]):
            return False
        before, self._held_back = self._held_back, tid
        self._stub_trapped(tid, time.monotonic_ns())
        self._held_back = before
        self._out_of_stub(tid)
        return True

    def _take_out_stubs(self, tids: Sequence[int]) -> None:
        """Nobody is in them any more: these threads stand, and are all that there are."""
        self._take()
        stubs, words = self._stubs, self._machine.words
        if stubs is None or self._replaced:
            return
        inside = [tid for tid in tids if self._machine.fetch(tid) and stubs.holds(words[PC_WORD])]
        if not inside:
            any(stubs.unmap(tid) for tid in tids)

    def _stub_trapped(self, tid: int, since: int) -> bool:
        """Whether a thread, its registers at hand, has run into a trap of a stub's; it goes on."""
        stubs, words = self._stubs, self._machine.words
        at = stubs.trap(words[PC_WORD]) if stubs is not None else 0
        if not at or stubs is None:
            return False
        own = self._machine.copied()
        self._catch_up()
        words[:] = own
        if at in stubs.fulls:
            self._await_room()
            words[:] = own
            since = min(since, stubs.clock.ns(words[TIME_WORD]))
            words[PC_WORD] = stubs.fulls[at]
            self._machine.store(tid)
            known = self._goroutines.get(words[GOROUTINE_WORD])
            if known is not None:
                known.held += time.monotonic_ns() - since
            self._go_on(tid)
            return True
        patched, on = stubs.looks[at]
        self._hit.goes_on()
        kind = At.RETURN if patched.covered.returns else At.ENTRY

        def done(words: Words, _word_at: WordAt, _put: PutWord) -> None:
            words[PC_WORD] = on

        point = CallPoint(address=at, at=kind, number=patched.number, done=done)
        if tid in self._threads.guests:
            self._pass(point, tid)
        else:
            self._call_at(point, tid, since)
        return True

    def _restore_of(self, tid: int) -> None:
        self._points.restore_of(tid)
        if self._stubs is not None:
            self._stubs.restore_of(tid)

    def _restore_in(self, file: int) -> None:
        super()._restore_in(file)
        if self._stubs is not None:
            self._stubs.restore_in(file)

    def _go_on(self, tid: int) -> None:
        if tid != self._held_back:
            self._threads.go_on(tid)

    def _pass(self, point: CallPoint, tid: int) -> None:
        self._past(point, tid)
        self._go_on(tid)

    def _released(self, point: CallPoint, tid: int, since: int) -> int:
        """Let a thread run on that has stood since then at a breakpoint. When that was."""
        self._past(point, tid)
        now = time.monotonic_ns()
        self._go_on(tid)
        self._stops += 1
        self._stopped += now - since
        return now
