"""A stop of a scripted program: what a script may ask while the program stands there."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from msgspec import UNSET

from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.ownership import package_of
from goprobe.api.calls import CalledWith
from goprobe.api.script.diff import Diff, Kept, Place, changed, kept, moved
from goprobe.api.script.driver import FATAL, GO_ON, Driver
from goprobe.api.script.heapobjects import HeapPath, number_of, object_of
from goprobe.api.script.panic import Panic, panic_of, panic_variable
from goprobe.api.script.scope import FrameScope, no_such_variable, of_user, table_of
from goprobe.api.script.value import Value
from goprobe.api.script.warned import StopWarning
from goprobe.api.script.watch import Onwards, Watch, Watchable, meant_by, watched_of
from goprobe.errors import GoprobeError, NoSuchElementError, UsageError
from goprobe.model import trace
from goprobe.model.address import Address
from goprobe.model.attached import GoroutineState
from goprobe.model.heap import HeapCensus, HeapReport
from goprobe.model.location import Location
from goprobe.model.script import Here, Moment, WatchNews
from goprobe.model.value import Variable

DIFFED = -1
"""The number, among the watches' places, that says that stops are compared."""


class Stop:
    """The program at one stop. When it goes on, the stop is over: asking it is an error.

    `stop["msg"]` is the variable of that name, the innermost frame's first (at PANIC the user's).
    """

    def __init__(
        self, driver: Driver, moment: Moment, step: Callable[[str, int], Stop | None],
        onwards: Onwards, addresses: dict[int, int],
    ) -> None:  # fmt: skip
        self._driver = driver
        self._report: trace.StopReport | None = None
        self._moment = moment
        self._step = step
        self._onwards = onwards
        self._addresses = addresses
        self._over = False
        self._census: HeapCensus | None = None
        self._results: CalledWith | None = None
        self._variables: tuple[Variable, ...] | None = None
        self._named: dict[str, tuple[Variable, ...]] = {}
        self._kept: dict[Place, Kept] | None = None

    def end(self, *, keep: bool) -> None:
        """The program goes on. The stop keeps its variables, for `diff`, where it shall."""
        if keep and not self._over:
            with suppress(GoprobeError):  # the program may be gone meanwhile
                self.keep()
        self._over = True

    def keep(self) -> None:
        """Keep the variables as they are now, so that a later stop can be compared with this one:
        the first stops that a script sees are kept by themselves, and all once it has compared."""
        if self._kept is None:
            self._kept = kept(self.report, self.variables, self._driver.digest)

    def go_on(self) -> None:
        """The program has not gone on after all."""
        self._over = False

    @property
    def report(self) -> trace.StopReport:
        """The stop as `goprobe trace` reports it, without its variables."""
        self.check()
        if self._report is None:
            self._report = self._driver.stop()
            for told in self._report.warnings:
                warnings.warn(f"stop at {self._report.function}: {told}", StopWarning, stacklevel=4)
        return self._report

    def check(self) -> None:
        """Raises UsageError where the program has gone on since."""
        if self._over:
            raise UsageError(f"the stop at {self._name} is over: the program has gone on since")

    @property
    def _name(self) -> str:
        here = self._moment.here
        if self._report is not None:
            return self._report.function
        return self._moment.where or (str(here.pc) if here is not UNSET else "?")

    @property
    def _here(self) -> Here:
        self.check()
        if self._moment.here is not UNSET:
            return self._moment.here
        return Here(self.report.reason, self.report.thread, self.report.pc)

    @property
    def where(self) -> str:
        """The WHERE that was hit, "" for a step, a signal or a watch."""
        self.check()
        return self._moment.where

    @property
    def wheres(self) -> tuple[str, ...]:
        """Every WHERE that means this place: a function's name and the line where it begins."""
        return (self.where, *self._moment.also) if self.where else ()

    @property
    def watched(self) -> int:
        """The number of the watch that was hit, 0 for none."""
        self.check()
        return self._moment.watch

    @property
    def news(self) -> WatchNews:
        """What happened to the watch of `watched`: a write, a move with its stack, its end."""
        self.check()
        return self._moment.watched

    @property
    def cut(self) -> str:
        """The step ("next", "finish", …) that something else stopped before its end, else "":
        `resume` goes on with it."""
        self.check()
        return self._moment.cut

    @property
    def reason(self) -> str:
        """Why it stands, in words: "breakpoint main.main", "a write to 0x…", "halted"."""
        return self._here.reason

    @property
    def function(self) -> str:
        """The function of the innermost frame ("main.(*T).M")."""
        return self.report.function

    @property
    def file(self) -> str:
        """The source file, as the compiler knew it."""
        return self.report.file

    @property
    def line(self) -> int:
        """The line that runs next."""
        return self.report.line

    @property
    def goroutine(self) -> int:
        """The goroutine's id; 0 where the thread runs none."""
        return self.report.goroutine

    @property
    def thread(self) -> int:
        """The id of the thread that stopped, as the kernel counts."""
        return self._here.thread

    @property
    def pc(self) -> Address:
        """The address of the next instruction."""
        return self._here.pc

    @property
    def sp(self) -> Address:
        """The stack pointer."""
        return self.report.sp

    @property
    def frames(self) -> tuple[trace.Frame, ...]:
        """The calls on the way here, the innermost first; those of inlined functions, too. Of a
        deep stack not all: `report.frames_end` says so."""
        return self.report.frames

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Every variable in scope of every frame of the user's own code, as the reports have it:
        `stop[name]` and `stop.frame(i)[name]` are values to compute with."""
        self.check()
        if self._variables is None:
            self._variables = self._driver.variables("")
        return self._variables

    def _value(self, v: Variable) -> Value:
        return Value(self._driver, v, self.check)

    def __getitem__(self, name: str) -> Value:
        v = self.get(name)
        if v is None:
            raise no_such_variable(name, self.function, (v.name for v in self.variables))
        return v

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[Variable]:
        return iter(self.variables)

    def _ipython_key_completions_(self) -> list[str]:
        return list(dict.fromkeys(v.name for v in self.variables))

    def get(self, name: str) -> Value | None:
        """The innermost variable of a name: within a frame an inner block's comes first. Of one
        that a frame's source declares, and nothing more is known of, there is no value."""
        return self._got(name)

    def _got(self, name: str, *, outer: bool = True) -> Value | None:
        self.check()
        if v := of_user(self._moment.where, name, lambda: self.variables):
            return self._value(v)
        if self._variables is None and (quick := self._driver.quick(name)):
            return Value(self._driver, None, self.check, lambda: self._innermost(name), quick)
        v = self._find(name)
        return None if v is None or (v.frame and not outer) else self._value(v)

    def _innermost(self, name: str) -> Variable:
        v = self._find(name)
        assert v is not None
        return v

    def _find(self, name: str) -> Variable | None:
        for v in self._variables or ():
            if v.name == name and not v.frame:
                return v
        if name not in self._named:
            self._named[name] = self._driver.variables(name)
        named = (v for v in self._named[name] if v.name == name)
        return min(named, key=lambda v: v.frame, default=None)

    def frame(self, index: int) -> FrameScope:
        """One of `frames` by its number, 0 the innermost: `stop.frame(1)["n"]`."""
        if not 0 <= index < len(self.frames):
            end = self.report.frames_end or f"the stack has {len(self.frames)}"
            raise NoSuchElementError(f"there is no frame {index}: {end}")
        return FrameScope(self.frames, index, [(v.frame, self._value(v)) for v in self.variables])

    @property
    def panic(self) -> Panic | None:
        """At goprobe.PANIC and FATAL, what is wrong; None at other stops."""
        name = panic_variable(self.where, self.function if self.where == FATAL else "")
        own = self._value(self._innermost(name)) if name else None
        return None if own is None else panic_of(self._driver, name, own, self.check)

    def __repr__(self) -> str:
        if self._over or self._report is None:
            return f"<stop at {self._name}{', which is over' if self._over else ''}>"
        here, cut = self._report, self._moment.cut and f", {self._moment.cut}() cut short"
        return f"<stop at {here.function}, line {here.line}, goroutine {here.goroutine}{cut}>"

    def _repr_html_(self) -> str:
        return table_of(self.report, self.variables)

    def __reduce__(self) -> Any:
        raise TypeError("a stop of a running program cannot be pickled: pickle its .report")

    # Questions

    def locate(self, address: int) -> Location:
        """The most specific identity of an address."""
        return self.where_is(address)[0]

    def where_is(self, address: int) -> tuple[Location, ...]:
        """Every identity of an address, most specific first."""
        self.check()
        return self._driver.locate(number_of(address))

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the program's memory. Raises UsageError where they cannot be read."""
        self.check()
        return self._driver.read(number_of(address), size)

    def goroutines(self) -> tuple[GoroutineState, ...]:
        """Every goroutine that is not dead, with its frames."""
        self.check()
        return self._driver.goroutines()

    def heap(
        self,
        *,
        types: bool = False,
        retained: bool = False,
        path: Watchable | int | str = 0,
        paths: int = 1,
        referrers: Watchable | int | str = 0,
        object: Watchable | int | str = 0,  # noqa: A002
        dangling: bool = False,
        unreachable: bool = False,
    ) -> HeapReport:
        """The census of the heap, and what else is asked: as the options of `goprobe heap`. In
        place of an address a value may stand, which means what it points at, or itself. Raises
        UsageError where there is no object of the heap."""
        self.check()
        questions = HeapQuestions(
            types=types,
            retained=retained,
            path=object_of(path),
            paths=paths,
            referrers=object_of(referrers),
            object=object_of(object),
            dangling=dangling,
            unreachable=unreachable,
        )
        told = self._driver.heap(questions)
        self._census = told.census
        return told

    def path_to(self, thing: Watchable | int | str) -> HeapPath | None:
        """The shortest way from a root to an object of the heap: why it is not collected. None
        where nothing leads there any more."""
        report = self.heap(path=thing)
        texts = report.path_texts if report.path_texts is not UNSET else ()
        return next((HeapPath(*each) for each in zip(report.paths, texts, strict=True)), None)

    @property
    def results(self) -> CalledWith:
        """What the function gave back that `finish` has come out of, by name or number."""
        self.check()
        if self._results is None:
            told = self._driver.results()
            self._results = CalledWith(told.values, told.why, "results")
        return self._results

    # Going on

    def step(self) -> Stop | None:
        """To the next line that runs, into calls (`for range f`: into f once); None at the end."""
        self.check()
        return self._step("step", 0)

    def next(self) -> Stop | None:
        """To the next line of this function, over calls. What was asked to stop at (a breakpoint
        for which `when` is true, a watch) cuts any step: `cut` says so, `resume` goes on."""
        self.check()
        return self._step("next", 0)

    def finish(self) -> Stop | None:
        """Until this function has returned."""
        self.check()
        return self._step("finish", 0)

    def until(self, line: int) -> Stop | None:
        """To a line of this file, in this goroutine."""
        self.check()
        return self._step("until", line)

    def step_instruction(self) -> Stop | None:
        """One machine instruction."""
        self.check()
        return self._step("instruction", 0)

    def resume(self) -> Stop | None:
        """Go on with the step that was cut short here (`cut`), to where it was to end."""
        self.check()
        return self._step(GO_ON, 0)

    def watch(self, thing: Watchable | int | str, size: int = 0) -> Watch:
        """Stop after a write that changes these bytes: a variable's (by its name, too: "t.S"), an
        element's, what a header points at, or `size` bytes at an address. Of a string and a slice
        the bytes that its header leads to are watched with it. The processor watches at most 4 x 8
        bytes: what a header comes to lead to beyond that is compared at stops, as warnings say."""
        self.check()
        if isinstance(thing, str):
            thing = meant_by(thing, self.get, self._driver, self.check, package_of(self.function))
        watched = watched_of(self._driver, thing, size)
        numbers = self._driver.watch(watched.address, watched.size, watched.element, watched.type)
        for told in self._driver.watch_limits(numbers):
            warnings.warn(told, StopWarning, stacklevel=2)
        return Watch(self._driver, numbers, watched, self._addresses, self._onwards)

    # Comparing

    def diff(self, earlier: Stop) -> Diff:
        """What is different from an earlier stop, which may be over; not what pointers lead to."""
        self.keep()
        if earlier._kept is None:
            raise UsageError(
                f"the variables of the stop at {earlier._name} were not kept",
                hint="call its keep() before the program goes on",
            )
        self._addresses[DIFFED] = 1
        now, then = self._kept or {}, earlier._kept
        both = [(k, then[k], now[k]) for k in now if k in then]
        objects = size = None
        if self._census and earlier._census:
            objects = self._census.objects - earlier._census.objects
            size = self._census.bytes - earlier._census.bytes
        return Diff(
            moved=tuple(m for k, a, b in both if (m := moved(k, a.variable, b.variable))),
            changed=tuple(c for k, a, b in both if (c := changed(k, a, b))),
            appeared=tuple(k[1] for k in now if k not in then),
            vanished=tuple(k[1] for k in then if k not in now),
            objects=objects,
            bytes=size,
        )
