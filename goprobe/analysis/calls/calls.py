"""`goprobe calls`: each call of functions as it is made, on a process that runs on.

with CallWatch(process, request, After.GO) as watch:
    for event in watch.events():       # CallBegan and, at its end, CallRecord
        ...
watch.report
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from typing import Self

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from goprobe.analysis.audit import finished
from goprobe.analysis.calls.allvalues import AllValues
from goprobe.analysis.calls.parameters import ASSEMBLY, is_assembly
from goprobe.analysis.calls.patterns import Chosen, choose
from goprobe.arch.byhand import behind_stack_check, ends
from goprobe.arch.callstub import coverable
from goprobe.binary.pcln.format import Function
from goprobe.counts import counted
from goprobe.errors import TargetGoneError, UsageError
from goprobe.model.calls import CalledFunction, CallFrame, CallRecord, CallsReport, CallValue
from goprobe.process.calltracer.child import Watch
from goprobe.process.calltracer.plan import (
    After,
    Begun,
    Counted,
    End,
    Ended,
    Landmarks,
    Lost,
    Over,
    Ready,
    Record,
    Room,
    Told,
    WatchedFunction,
    WatchPlan,
)
from goprobe.process.memory.memory import ProcessMemory
from goprobe.runtime.image.padding import rooms
from goprobe.runtime.world import World
from goprobe.target.goprocess import GoProcess

_MOST_FUNCTIONS = 5000
_MOST_NOTED = 500  # to know what a function takes and gives costs up to a millisecond each
_RUNTIME = ("runtime", "internal/runtime", "syscall", "internal/syscall", "golang.org/x/sys")
"""Packages whose functions may run without a goroutine, or in a child before its exec."""
_NOT_WATCHED = "no breakpoint can be put at its entry: it is not watched"


class CallsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls, and what of them: `seconds` is for how long, None until the program ends.
    `counts`: how many there are, and nothing of each."""

    patterns: tuple[str, ...]
    arguments: bool = False
    results: bool = False
    stack: bool = False
    counts: bool = False
    seconds: float | None = None


class CallBegan(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is on its way; its CallRecord comes when it has ended."""

    call: int
    function: str
    goroutine: int
    depth: int
    arguments: tuple[CallValue, ...] | UnsetType = UNSET
    no_arguments: str = ""
    stack: tuple[CallFrame, ...] | UnsetType = UNSET


class CallWatch:
    """One watch; but where the process is to run on `after` it, it stands in SIGSTOP when it
    begins. Raises UsageError where a pattern means nothing."""

    def __init__(self, process: GoProcess, request: CallsRequest, after: After) -> None:
        self._process, self._request, self._after = process, request, after
        self._world = process.loaded(ProcessMemory(process.pid))
        self._chosen = choose((self._world, *self._world.plugins), request.patterns)
        functions = self._chosen.functions
        if len(functions) > _MOST_FUNCTIONS:
            raise UsageError(
                f"{len(functions):,} functions match: at most {_MOST_FUNCTIONS:,} can be watched",
                hint="name fewer: main.(*Store).* rather than *",
            )
        self._plan, self._notes = _planned(self._world, self._chosen, counts=request.counts)
        self._values = AllValues(
            process,
            self._world,
            functions,
            arguments=request.arguments,
            results=request.results,
            stack=request.stack,
        )
        if after is not After.GO and len(functions) <= _MOST_NOTED:
            self._plan = _with_stubs(self._chosen, self._plan, self._values)
        self._names = [f.name for f in functions]
        self._open: dict[int, Begun] = {}
        self._totals = {name: _Total() for name in self._names}
        self._over: Over | None = None
        self._lost = 0
        self._began = self._ended = 0.0
        self._watch: Watch | None = None

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._zero = time.monotonic_ns()
        self._watch = Watch(self._process.pid, self._plan, self._values, self._after)
        return self

    def __exit__(self, *_error: object) -> None:
        if self._watch is not None:
            self._watch.close()

    def stop(self) -> None:
        """End the watch; events that are on their way still come."""
        if self._watch is not None:
            self._watch.stop()

    def events(self) -> Iterator[CallBegan | CallRecord]:
        """To the program's end, or that of the watch. Raises what the tracer failed with."""
        return (event for batch in self.batches() for event in batch)

    def batches(self) -> Iterator[list[CallBegan | CallRecord]]:
        """The same, all together that came together."""
        assert self._watch is not None
        timer = None
        if self._request.seconds is not None:
            timer = threading.Timer(self._request.seconds, self.stop)
            timer.daemon = True
            timer.start()
        try:
            for records in self._watch.batches():
                yield [event for record in records if (event := self._event(record)) is not None]
        finally:
            self._ended = time.monotonic()
            if timer is not None:
                timer.cancel()

    def _event(self, record: Record) -> CallBegan | CallRecord | None:
        match record:
            case Begun():
                self._open[record.call] = record
                self._totals[self._names[record.function]].calls += 1
                arguments, why = _told(record.arguments)
                return CallBegan(
                    call=record.call,
                    function=self._names[record.function],
                    goroutine=record.goroutine,
                    depth=record.depth,
                    arguments=arguments,
                    no_arguments=why,
                    stack=_frames(record.stack),
                )
            case Ended():
                begun = self._open.pop(record.call, None)
                return None if begun is None else self._record(begun, record)
            case Counted():
                for total in self._totals.values():
                    total.calls = 0
                for name, count in zip(self._names, record.counts, strict=True):
                    self._totals[name].calls += count
            case Ready():
                for number in record.not_watched:
                    self._notes[self._names[number]] = _NOT_WATCHED
            case Lost():
                self._lost += record.calls
            case Over():
                self._over = record
        return None

    def _record(self, begun: Begun, ended: Ended) -> CallRecord:
        self._totals[self._names[begun.function]].add(ended)
        arguments, no_arguments = _told(begun.arguments)
        results, no_results = _told(ended.results)
        why, to = ended.why, ""
        if ended.end is End.TAIL:
            why, to = "", self._world.function_name(int(why, 16))
        return CallRecord(
            call=begun.call,
            function=self._names[begun.function],
            goroutine=begun.goroutine,
            depth=begun.depth,
            began_us=max(0, begun.time_ns - self._zero) / 1e3,
            duration_us=ended.ns / 1e3,
            end=str(ended.end),
            why=why,
            to=to,
            arguments=arguments,
            no_arguments=no_arguments,
            results=results,
            no_results=no_results,
            stack=_frames(begun.stack),
        )

    @property
    def report(self) -> CallsReport:
        """What there was in all, when it is over."""
        over, counts = self._over or Over(""), self._request.counts
        return finished(
            CallsReport(
                **self._process.head,
                functions=tuple(
                    CalledFunction(
                        function=name,
                        calls=total.calls,
                        panics=UNSET if counts else total.panics,
                        total_us=UNSET if counts else round(total.ns / 1e3, 1),
                        longest_us=UNSET if counts else round(total.longest / 1e3, 1),
                        note=self._notes.get(name, ""),
                    )
                    for name, total in self._totals.items()
                ),
                inlined=self._chosen.inlined,
                seconds=round((self._ended or time.monotonic()) - self._began, 3),
                lost=self._lost,
                why=over.why,
                exit_code=UNSET if over.exit_code < 0 or over.signal else over.exit_code,
                signal=_signal_name(over.signal),
                stops=over.stops,
                stopped_us=round(over.stopped_ns / 1e3, 1),
                late_us=round(over.late_ns / 1e3, 1),
            ),
            (),
        )  # fmt: skip

    def check(self) -> None:
        """Raises TargetGoneError where the program ended, or became another one, before any call
        was seen."""
        over = self._over
        if over is not None and over.why and not any(t.calls for t in self._totals.values()):
            patterns, chosen = ", ".join(self._request.patterns), self._chosen
            what = f"the program {over.why.removeprefix('it ')}"
            if chosen.copies or chosen.inlined:
                raise TargetGoneError(
                    f"{what}, and no call of {patterns} was seen: calls that were inlined are none"
                )
            apart = "," if "," in what else ""
            raise TargetGoneError(f"{what}{apart} before it called any of {patterns}")


class _Total(msgspec.Struct):
    calls: int = 0
    panics: int = 0
    ns: int = 0
    longest: int = 0

    def add(self, ended: Ended) -> None:
        self.panics += ended.end is End.PANIC
        self.ns += ended.ns
        self.longest = max(self.longest, ended.ns)


def _planned(world: World, chosen: Chosen, *, counts: bool) -> tuple[WatchPlan, dict[str, str]]:
    """The breakpoints, at addresses of the process, and what is to be said of functions."""
    watched: list[WatchedFunction] = []
    notes: dict[str, str] = {}
    for name, copies in chosen.copies.items():
        notes[name] = f"its calls that were inlined ({counted(copies, 'place')}) are none"
    for called in chosen.functions:
        function, name, bias = called.function, called.name, called.world.bias
        code = called.world.program.elf.read(function.entry, function.end - function.entry)
        if is_assembly(function):
            watched.append(WatchedFunction(function.entry + bias, own_g=True))
            notes[name] = ASSEMBLY
            continue
        if counts:
            behind = behind_stack_check(code, function.entry)
            watched.append(WatchedFunction((behind or function.entry) + bias))
            if not behind:
                notes[name] = "a loop leads to its beginning: each round is counted"
            continue
        at = ends(code, function.entry)
        if not at.whole:
            notes[name] = "its code cannot be told from data: its returns are not watched"
        watched.append(
            WatchedFunction(
                function.entry + bias,
                tuple(address + bias for address in at.returns),
                tuple((address + bias, target + bias) for address, target in at.jumps),
                tuple((address + bias, word) for address, word in at.computed),
            )
        )
    room: list[Room] = []
    for of in (world, *world.plugins):
        pairs = zip(chosen.functions, watched, strict=True)
        own = (w.entry for called, w in pairs if called.world is of)
        room += rooms(of.program, of.bias, own, len(_MARKS) + 1)
    beside = tuple(map(_landmarks, world.plugins))
    return WatchPlan(tuple(watched), _landmarks(world), tuple(room), counts, beside), notes


def _with_stubs(chosen: Chosen, plan: WatchPlan, values: AllValues) -> WatchPlan:
    """The plan, with what can be noted of each function without a stop."""
    functions: list[WatchedFunction] = []
    for number, (called, watched) in enumerate(zip(chosen.functions, plan.functions, strict=True)):
        function, bias = called.function, called.world.bias
        if not watched.returns or not _is_plain(function):
            functions.append(watched)
            continue
        code = called.world.program.elf.read(function.entry, function.end - function.entry)
        stubs = [
            (replace(covered, address=covered.address + bias, at=covered.at + bias), told_by)
            for covered in coverable(code, function.entry)
            if (told_by := values.told_by(number, entry=not covered.returns)) is not None
        ]
        functions.append(replace(watched, stubs=tuple(stubs)))
    return replace(plan, functions=tuple(functions))


def _is_plain(function: Function) -> bool:
    """Whether a function keeps to the calling convention, with g at hand: the compiler's wrappers
    for assembly do not."""
    package = function.name.partition("(")[0].rpartition("/")
    whole = package[0] + package[1] + package[2].partition(".")[0]
    outside = not any(whole == p or whole.startswith(f"{p}/") for p in _RUNTIME)
    return outside and function.file.endswith(".go")


_MARKS = {
    "gopanic": "gopanic", "goexit": "Goexit", "goexit1": "goexit1", "recovery": "recovery",
}  # fmt: skip


def _landmarks(world: World) -> Landmarks:
    named = world.program.lines.function_named
    marks = {name: named(f"runtime.{symbol}") for name, symbol in _MARKS.items()}
    entries = {name: mark.entry + world.bias if mark else 0 for name, mark in marks.items()}
    return Landmarks(**entries, goid=world.layout.struct("g").offset("goid"))


def _told(values: Told | None) -> tuple[tuple[CallValue, ...] | UnsetType, str]:
    """Values as they came out of the pipe: they, or why there are none."""
    if values is None:
        return UNSET, ""
    if isinstance(values, str):
        return UNSET, values
    return values, ""


def _frames(stack: tuple[CallFrame, ...] | None) -> tuple[CallFrame, ...] | UnsetType:
    return UNSET if stack is None else stack


def _signal_name(number: int) -> str:
    if not number:
        return ""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
