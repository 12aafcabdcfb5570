"""A script's questions answered by a program that runs under GDB."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from goprobe.analysis.calls.calls import CallsRequest
from goprobe.analysis.goroutines.goroutines import goroutine_states
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.trace.auditstops import StopFacts, audit_stop
from goprobe.analysis.trace.heldwords import held_words
from goprobe.analysis.trace.prepare import Launch, prepare
from goprobe.analysis.trace.session import Session
from goprobe.analysis.trace.stopview import StopView
from goprobe.api.script import typedreads
from goprobe.api.script.driver import EVENTS, GO_ON
from goprobe.api.script.judging import Judge
from goprobe.api.script.lent import LentProgram
from goprobe.api.script.quick import QuickReads
from goprobe.api.script.results import results_of
from goprobe.api.script.sourcelines import SourceLines
from goprobe.api.script.stepframes import Steps
from goprobe.api.script.stepping import Stepper
from goprobe.api.script.warned import StopWarning
from goprobe.api.script.watches import writer_at
from goprobe.api.script.wishes import Wished
from goprobe.binary.pcln.format import Function
from goprobe.counts import counted
from goprobe.errors import (
    TargetError,
    TargetGoneError,
    UnreadableError,
    UsageError,
)
from goprobe.model.address import Address
from goprobe.model.attached import GoroutineState
from goprobe.model.calls import CallFrame, CallRecord
from goprobe.model.heap import HeapReport
from goprobe.model.location import Location
from goprobe.model.script import Here, Moment, Results, SessionInfo, WatchNews, Wishes
from goprobe.model.trace import Exit, StopReport
from goprobe.model.value import Element, Variable
from goprobe.process.gdb.mi import StopEvent
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.roots.heldwords import HeldWord

if TYPE_CHECKING:
    from goprobe.analysis.heap.standing import StandingHeap

_READ_LIMIT = 1 << 26
_COMPARED = (
    "what the watched header leads to does not fit the processor's watchpoints: it is compared at "
    "each stop, and its changes stop nobody"
)


class LiveDriver:
    """Holds one session open. `close` ends it; a forked child of ours closes nothing."""

    def __init__(self, launch: Launch) -> None:
        self._prepared = prepare(launch)
        self._session = Session(self._prepared, launch)
        self._owner = os.getpid()
        self._session.__enter__()
        self._event: StopEvent | None = None
        self._view: StopView | None = None
        self._report: StopReport | None = None
        self._reason = ""
        self._registers: Mapping[str, int] | None = None
        assert self._session.memory is not None
        self._kind = cache(lambda name: typedreads.kind(self._at(), name))
        self._quick = QuickReads(self._session.pid, self._session.memory)
        self._walk = typedreads.MapWalk()
        self._wished = Wished(self._session, self._quick)
        self._lines = SourceLines(self._session.program, self._session.bias)
        self._judge = Judge(self._session, self._lines)
        self._partly: set[int] = set()
        self._heap: StandingHeap | None = None
        self._finished: Function | None = None
        self._cut: tuple[str, Steps] | None = None
        self._calls: LentProgram | None = None
        self._replaced = False
        self.info = SessionInfo(
            target=launch.target, args=launch.args, binary=str(self._prepared.built.binary),
            go=self._prepared.program.go.version, gdb=self._session.gdb_version,
            pid=self._session.pid,
        )  # fmt: skip

    def close(self) -> None:
        if os.getpid() == self._owner:
            self._session.__exit__(None, None, None)

    # Going on

    def break_at(self, where: str) -> None:
        self._require_same()
        if where in EVENTS:
            # A program without the function has no such event.
            lines = self._session.program.lines
            there = [name for name in EVENTS[where] if lines.function_named(name)]
            locations = tuple(p.named(where) for p in self._session.resolve(there))
        else:
            locations = self._session.resolve((where,))
        self._session.break_at(locations)

    def clear(self, where: str) -> None:
        self._require_owner()
        self._session.clear_breakpoints(where)

    def only(self, wishes: Wishes) -> None:
        self._wished.wishes = wishes

    def resume(self) -> Moment:
        self._require_owner()
        if second := self._second():
            return second
        if self._event is not None and self._event.kind == "breakpoint" and self._wished.wishes:
            self._learn(self._event.pc)
        self._leave()
        if not self._judge.watches.active:
            self._session.follow(self._wished.tests())
        while True:
            event = self._session.advance()
            if event.over:
                return _ended(event)
            if self._judge.watches.active:
                event, self._view = self._judge.judged(event, self._session.view_of(event))
                if event.kind == "step":
                    if second := self._second():
                        return second
                    continue
            return self._moment(event, self._view, self._session.reason_of(event))

    def _leave(self) -> None:
        """The program goes on: nothing is known of where it stands."""
        self._event = self._view = self._report = self._registers = None
        self._heap = self._finished = self._cut = None
        self._judge.forget()

    def _second(self) -> Moment | None:
        """The next of the threads that wrote in the same instant as the one that was told of."""
        second = self._judge.second()
        if second is None:
            return None
        self._heap = self._finished = None
        return self._moment(*second, "")

    def step(self, how: str, line: int) -> Moment:
        view, event = self._at(), self._event
        if how != GO_ON:
            steps = Stepper(self._session, self._lines, view, self._judge.judged).go(how, line)
        elif self._cut is None:
            raise UsageError("no step was cut short here that could be gone on with")
        else:
            how, steps = self._cut
            if second := self._second():
                return replace(second, cut=how, goes_on=True)
        self._leave()
        try:
            went, goes_on = next(steps), True
        except StopIteration as end:
            went, goes_on = end.value, False
        except UsageError as error:
            if not self._session.stands:  # it has run: there is no stop to go back to
                raise TargetError(error.message, hint=error.hint) from None
            self._view, self._event = view, event
            raise
        if went.view is None:
            return _ended(went.event)
        if not went.cut:
            moment = self._moment(went.event, went.view, how)
            self._finished = went.returned
            return moment
        self._cut = (how, steps) if goes_on else None
        moment = self._moment(went.event, went.view, self._session.reason_of(went.event))
        return replace(moment, cut=how, goes_on=goes_on)

    def pause(self) -> None:
        if self._calls is not None:
            self._calls.stop()
        else:
            self._session.pause()

    def begin_calls(self, request: CallsRequest) -> str:
        self._require_same()
        if self._judge.watches.active:
            raise UsageError("calls cannot be told while something is watched: cancel its watch")
        self._calls = LentProgram(self._session, request)
        self._leave()
        return self._calls.begin()

    def next_calls(self) -> tuple[CallRecord, ...]:
        self._require_owner()
        return self._calls.next() if self._calls is not None else ()

    def end_calls(self) -> Moment:
        calls, self._calls = self._calls, None
        if calls is None:
            raise UsageError("no calls are told")
        event = calls.end()
        return _ended(event) if event.over else self._moment(event, None, "calls")

    def halted(self) -> Moment | None:
        event, self._session.halted = self._session.halted, None
        if event is None:
            return None
        return _ended(event) if event.over else self._moment(event, None, "halted")

    def _moment(self, event: StopEvent, view: StopView | None, reason: str) -> Moment:
        self._event, self._view = event, view
        self._report = self._registers = None
        self._replaced |= event.kind == "exec"
        where, *also = self._session.wheres_of(event) or ("",)
        notice = self._judge.taken()
        if notice and not where:
            reason = notice.reason
        self._reason = reason
        before, self._partly = self._partly, self._judge.watches.uncovered
        if self._partly - before:  # a header has come to lead to more
            warnings.warn(f"{reason}: from here on, {_COMPARED}", StopWarning, stacklevel=4)
        return Moment(
            here=Here(reason, event.thread, Address(event.pc)),
            where=where,
            also=tuple(also),
            wrapper=bool(where) and self._lines.is_wrapper(event.pc),
            watch=notice.number if notice else 0,
            watched=notice.news if notice else WatchNews.WRITE,
            watches={n: Address(at) for n, at in self._judge.watches.addresses.items()},
        )

    def watch(self, address: int, size: int, element: int = 0, of: str = "") -> tuple[int, ...]:
        view = self._at()
        headers = typedreads.headers(view, of, size)
        return (self._judge.watches.add(view, address, size, element, headers),)

    def watch_limits(self, numbers: tuple[int, ...]) -> tuple[str, ...]:
        self._partly |= self._judge.watches.uncovered
        return tuple(_COMPARED for number in numbers if number in self._partly)

    def unwatch(self, number: int) -> None:
        self._require_owner()
        self._judge.watches.remove(number)

    # Questions

    def _require_owner(self) -> None:
        """A process that the script forked shares GDB's pipes, and would garble what is said."""
        if os.getpid() != self._owner:
            raise UsageError("a process that the script forked cannot ask of the program")

    def _require_same(self) -> None:
        self._require_owner()
        if self._replaced:
            raise UsageError(
                "the program has replaced itself by another one (exec), which this session does"
                " not know",
                hint=f"let it run to its end, or attach to process {self.info.pid} anew",
            )

    def _at(self) -> StopView:
        self._require_same()
        if self._event is None:
            raise TargetGoneError("the program does not stand at a stop")
        if self._view is None:
            self._view = self._session.view_of(self._event)
        self._view.world.renew()  # each question may cost as much as the one before
        return self._view

    def stop(self) -> StopReport:
        view = self._at()
        if self._report is None:
            self._report = view.stop(self._reason, variables=False)
        return self._report

    def variables(self, name: str) -> tuple[Variable, ...]:
        view = self._at()
        if name:
            return view.named(name)
        told = view.variables()
        stop = replace(view.stop(self._reason, variables=False), variables=told)
        facts = StopFacts(stop, built=view.world.program.elf.status.st_mtime_ns)
        for entry in audit_stop(facts):
            if not entry.holds:
                warnings.warn(f"stop at {stop.function}: {entry.says}", StopWarning, stacklevel=4)
        return told

    def quick(self, name: str) -> tuple[str, str] | None:
        self._require_owner()
        event = self._event
        if event is None or event.kind != "breakpoint":
            return None
        told = self._quick.read(name, event.pc, event.thread, self._registers_of)
        if told is None:
            self._learn(event.pc)
        return told

    def _learn(self, pc: int) -> None:
        if pc not in self._quick.slots:
            self._quick.learn(self._at(), pc)

    def _registers_of(self, names: frozenset[str]) -> Mapping[str, int]:
        """Of the thread that stopped; asked for once a stop."""
        if self._registers is None:
            assert self._event is not None
            self._registers = self._session.registers(self._event.thread, names)
        return self._registers

    def locate(self, address: int) -> tuple[Location, ...]:
        return self._at().locator.locate_all(address)

    def read(self, address: int, size: int) -> bytes:
        if not 0 <= size <= _READ_LIMIT:
            raise UsageError(f"cannot read {counted(size, 'byte')} at once")
        try:
            return self._at().world.memory.read(address, size)
        except UnreadableError as error:
            raise UsageError(f"cannot read {error}") from None

    def digest(self, address: int, size: int) -> str:
        return hashlib.blake2b(self.read(address, size), digest_size=16).hexdigest()

    def value(self, type_name: str, address: int) -> Element:
        return typedreads.value(self._at(), type_name, address)

    def headed(self, type_name: str, address: int) -> Element:
        return typedreads.headed(self._at(), type_name, address)

    def items(self, type_name: str, address: int, start: int, count: int) -> tuple[Element, ...]:
        return typedreads.items(self._at(), type_name, address, start, count)

    def entry(self, type_name: str, address: int, kind: str, key: str) -> Element | None:
        return typedreads.entry(self._at(), type_name, address, kind, key)

    def entries(self, type_name: str, address: int, start: int, count: int) -> tuple[Element, ...]:
        return self._walk.entries(self._at(), type_name, address, start, count)

    def extent(self, type_name: str) -> tuple[int, int]:
        return typedreads.extent(self._at(), type_name)

    def kind(self, type_name: str) -> str:
        return self._kind(type_name)

    def global_variable(self, name: str) -> Element:
        return typedreads.global_variable(self._at(), name)

    def goroutines(self) -> tuple[GoroutineState, ...]:
        return goroutine_states(self._at().world, 0)

    def heap(self, questions: HeapQuestions) -> HeapReport:
        return self._standing_heap().report(questions)

    def objects(self, type_name: str) -> tuple[Address, ...]:
        typedreads.extent(self._at(), type_name)  # there is such a type
        return tuple(map(Address, self._standing_heap().objects(type_name)))

    def _standing_heap(self) -> StandingHeap:
        view = self._at()
        if self._heap is None:
            # Only this needs numpy, which takes a moment to load.
            from goprobe.analysis.heap.standing import StandingHeap

            assert self._session.memory is not None
            process = self._session.process
            self._heap = StandingHeap(process, view.world, self._session.memory, self._held)
        return self._heap

    def _held(self, g: Goroutine) -> tuple[HeldWord, ...]:
        """What is known of the variables of the frames in which a running goroutine stands."""
        view = self._at()
        if view.goroutine is None or view.goroutine.address != g.address:
            thread = next((t for t in view.world.goroutines.threads if t.address == g.m), None)
            if thread is None or thread.tid not in view.world.threads:
                return ()
            view = self._session.view(thread.tid)
        on = view.goroutine
        return held_words(view) if on is not None and on.address == g.address else ()

    def writer(self) -> CallFrame | None:
        view = self._at()
        return self._judge.writer or writer_at(view) if self._judge.wrote else None

    def results(self) -> Results:
        if self._cut and self._cut[0] == "finish":
            told = f"finish() was cut short ({self._reason}): the function has not returned yet"
            raise UsageError(told, hint="resume() goes on with it")
        if self._finished is None:
            raise UsageError("results are told at the stop that finish() comes to")
        return results_of(self._at(), self._finished)


def _ended(event: StopEvent) -> Moment:
    signalled = event.kind == "signalled"
    return Moment(exit=Exit(signal=event.signal) if signalled else Exit(code=event.exit_code))
