"""A Go program under a script's hands: `goprobe.launch`, stops, watches, typed reads.

with goprobe.launch("hello.go") as program:
    for stop in program.run(breaks=["main.main", "fmt.Println"]):
        msg = stop["msg"]
        print(msg.location.kind, msg.data.location, msg.data.text)
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Self

import msgspec
from msgspec import UNSET

from goprobe.analysis.calls.calls import CallsRequest
from goprobe.analysis.ownership import package_of
from goprobe.api.calls import Call, calls_wanted
from goprobe.api.script.driver import EVENTS, GO_ON, Driver
from goprobe.api.script.goexpr import condition
from goprobe.api.script.heapobjects import Objects
from goprobe.api.script.packagevariable import package_variable
from goprobe.api.script.stop import DIFFED, Stop
from goprobe.api.script.typed import TypedMemory
from goprobe.api.script.value import Value
from goprobe.api.script.warned import StopWarning
from goprobe.api.several import one_or_several
from goprobe.errors import GoprobeError, NoSuchElementError, TargetTimeoutError, UsageError
from goprobe.model.script import Moment, SessionInfo, WatchNews, Wish, Wishes
from goprobe.model.trace import Exit

_KEPT = 4  # stops that keep their variables before the script has compared any
Condition = Callable[[Stop], object] | str
"""A function of the stop, or an expression of Go: `b == 9 && s.mode == "x"`. Operands are literals,
variables in scope and of packages (`main.counter`), integer constants (`s.state == Running`,
`35*time.Millisecond`), fields, elements and entries of maps, what pointers lead to (`*p`), `len`,
`cap`, `real`, `imag` and conversions to numbers; operators those of comparison, logic and
arithmetic."""
Handler = Callable[[Stop], object]
Test = Callable[[Stop], object]


def _always(_stop: Stop) -> bool:
    return True


class _Listener(msgspec.Struct, frozen=True):
    where: str
    handler: Handler
    when: Test
    wish: Wish | None


class Program:
    """A launched program. A context manager: at its end the program is gone.

    `exit` tells how it ended, None while it has not; `incomplete` in what way the recording that
    it is played from holds less than its session asked, "" where it does not.
    """

    def __init__(self, driver: Driver, incomplete: str = "") -> None:
        self._driver = driver
        self.incomplete = incomplete
        self._listeners: list[_Listener] = []
        self._set: set[str] = set()
        self._asked: dict[str, Test] = {}  # of each place, what its stops were asked for by
        self._asked_of_watches: Test = _always
        self._passed: set[str] = set()  # what was said of places that no condition can be asked at
        self._stop: Stop | None = None
        self._shown = False
        self._kept = 0
        self._places: dict[int, int] = {}
        self.exit: Exit | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the program, whatever it does."""
        self._over(keep=False)
        self._driver.close()

    @property
    def info(self) -> SessionInfo:
        """Target, binary, versions of Go and GDB, process id."""
        return self._driver.info

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._driver.info.pid

    # Running

    def on(self, where: str, *, when: Condition | None = None) -> Callable[[Handler], Handler]:
        """Decorator: call a function at every stop at WHERE for which `when` is true."""

        def register(handler: Handler) -> Handler:
            self._listeners.append(_Listener(where, handler, test, _wish(when)))
            return handler

        test = self._test(when)
        return register

    def _test(self, when: Condition | None, goroutine: int = 0) -> Test:
        """A condition as a function of the stop. Raises UsageError where it is no expression."""
        if when is None:
            return lambda stop: _of(goroutine, stop)
        expression = condition(when) if isinstance(when, str) else None

        def test(stop: Stop) -> object:
            if not _of(goroutine, stop):
                return False
            try:
                if expression is not None:
                    return expression(lambda name: self._named(stop, name))
                return when(stop)  # type: ignore[operator]
            except GoprobeError as error:
                if stop._moment.wrapper:
                    self._passes_by(stop, error)
                    return False
                if expression is not None:
                    asked = f"the condition is asked at {stop.function}, line {stop.line}"
                    error.hint = f"{error.hint}; {asked}" if error.hint else asked
                raise

        return test

    def _passes_by(self, stop: Stop, error: GoprobeError) -> None:
        """A statement that defers a call, or begins a goroutine with it, is code of a function that
        the compiler makes, too, which has what the call is made with, and no other variables."""
        place = f"{stop.where} is in {stop.function}, too, which the compiler has made"
        if place not in self._passed:
            self._passed.add(place)
            told = (
                f"{place}: not stopped there, where the condition cannot be asked ({error.message})"
            )
            warnings.warn(told, StopWarning, stacklevel=5)

    def _named(self, stop: Stop, name: str) -> Value | int:
        """What a name of a condition means: a variable in scope, one of a package or a constant of
        it, or a variable of those that called what stopped."""
        value = stop._got(name, outer=False) if "." not in name else None
        if value is not None:
            return value
        with suppress(NoSuchElementError):
            known = self[name if "." in name else f"{package_of(stop.function)}.{name}"]
            # The debug information does not tell a constant of type int from one without a type.
            untyped = known.address is None and known.type == "int"
            return int(known) if untyped else known
        return stop[name]

    def run(
        self,
        breaks: str | Sequence[str] = (),
        *,
        when: Condition | None = None,
        goroutine: int = 0,
    ) -> Iterator[Stop]:
        """Run from stop to stop until the program ends.

        Yields the stops at `breaks` (and those of watches) for which `when` is true, of one
        `goroutine` alone where its number is given; functions
        registered with `on` are called on the way. WHERE is as for --break, or one of
        goprobe.PANIC, FATAL, GOROUTINE, GOROUTINE_END, STACK_MOVE, FORK, EXEC, EXIT.

        Raises UsageError, TargetTimeoutError.
        """
        test = self._test(when, goroutine)
        return self._stops(one_or_several(breaks), test, _wish(when, goroutine), of_watches=test)

    def _stops(
        self,
        breaks: tuple[str, ...],
        test: Test,
        wish: Wish | None = None,
        *,
        of_watches: Test = _always,
    ) -> Iterator[Stop]:
        for where in (*breaks, *(listener.where for listener in self._listeners)):
            self._break_at(where)
        self._asked.update(dict.fromkeys(breaks, test))
        self._asked_of_watches = of_watches
        wishes = self._wishes(breaks, wish)
        while self.exit is None:
            self._driver.only(wishes)
            stop = self._arrived(self._resume())
            if stop is None:
                return
            wheres = stop.wheres
            for listener in self._listeners:
                if listener.where in wheres and listener.when(stop):
                    self._shown = True
                    listener.handler(stop)
            if self._stop is not stop:
                continue  # a handler let the program go on
            placed = stop.watched or any(where in breaks for where in wheres)
            if test(stop) if placed else not wheres:  # a pause, or a signal, is always told
                self._shown = True
                yield stop

    def _wishes(self, breaks: tuple[str, ...], wish: Wish | None) -> Wishes:
        """What is known of the stops that this run wants. A function of Python wants to see all."""
        made: dict[str, tuple[Wish, ...]] = {}
        for where in self._set - EVENTS.keys():
            heard = [each.wish for each in self._listeners if each.where == where]
            every = [*heard, wish] if where in breaks else heard
            if None not in every:
                made[where] = tuple(each for each in every if each is not None)
        return made

    def run_to_end(self) -> Exit:
        """Run until the program ends, for the sake of the functions registered with `on`."""
        for _ in self.run():
            pass
        assert self.exit is not None
        return self.exit

    def break_at(self, where: str) -> None:
        """Stop at WHERE from now on; asking twice changes nothing."""
        self._break_at(where)
        self._asked[where] = _always

    def _break_at(self, where: str) -> None:
        if where not in self._set:
            self._driver.break_at(where)
            self._set.add(where)

    def clear(self, where: str) -> None:
        """Stop at WHERE no more."""
        if where in self._set:
            self._driver.clear(where)
            self._set.discard(where)
            self._asked.pop(where, None)

    @property
    def stop(self) -> Stop | None:
        """The stop at which the program stands: after Ctrl-C or a time limit, too."""
        return self._stop

    def _resume(self) -> Moment:
        self._over()
        return self._went(self._driver.resume)

    def _went(self, go: Callable[[], Moment]) -> Moment:
        """A run that is given up ends in a stop that can be asked, and gone on from."""
        try:
            return go()
        except (KeyboardInterrupt, TargetTimeoutError):
            halted = self._driver.halted()
            if halted is not None:
                self._arrived(halted)
                self._shown = True
            raise

    def _over(self, *, keep: bool = True) -> None:
        if self._stop is not None:
            compared = DIFFED in self._places or self._kept < _KEPT
            keeps = keep and self._shown and compared
            self._kept += keeps
            self._stop.end(keep=keeps)
            self._stop = None

    def _arrived(self, moment: Moment) -> Stop | None:
        if moment.stop is UNSET and moment.here is UNSET:
            self.exit = moment.exit if moment.exit is not UNSET else Exit()
            return None
        self._places.update(moment.watches)
        self._stop = Stop(self._driver, moment, self._step, self._to_watch, self._places)
        self._shown = False
        return self._stop

    def _step(self, how: str, line: int) -> Stop | None:
        if self.exit is not None:
            raise UsageError("the program has ended")
        before = self._stop
        self._over()
        try:
            moment = self._went(lambda: self._driver.step(how, line))
        except UsageError:  # there is no such place: nothing has run
            if before is not None:
                before.go_on()
            self._stop = before
            raise
        arrived = self._arrived(moment)
        while arrived is not None and moment.goes_on and not self._wanted(arrived):
            self._over(keep=False)
            moment = self._went(lambda: self._driver.step(GO_ON, 0))
            arrived = self._arrived(moment)
        self._shown = True
        return arrived

    def _wanted(self, stop: Stop) -> bool:
        """Whether what has cut a step is a stop that was asked for: the conditions of runs and
        handlers hold in steps, too."""
        tests = [each.when for each in self._listeners if each.where in stop.wheres]
        tests += [self._asked[where] for where in stop.wheres if where in self._asked]
        if stop.watched:
            tests.append(self._asked_of_watches)
        try:
            return not tests or any(test(stop) for test in tests)
        except GoprobeError:  # who asked is to see why
            return True

    def _to_watch(self, numbers: tuple[int, ...]) -> tuple[Stop, bool] | None:
        """To the next write that one of some watches tells of, or their end."""
        for stop in self._stops((), lambda stop: stop.watched in numbers):
            news = stop.news
            if news is not WatchNews.MOVED:
                return stop, news is WatchNews.OVER
        return None

    def pause(self) -> None:
        """Stop a program that runs, from another thread or a signal handler: the `run`, `next` or
        `finish` that waits for it comes to a stop with the reason "paused", `calls` to its end."""
        self._driver.pause()

    def calls(
        self,
        *patterns: str,
        args: bool = True,
        results: bool = True,
        stack: bool = False,
        seconds: float | None = None,
    ) -> Iterator[Call]:
        """Run, and tell each call of the functions that match a pattern, as it ends.

        `main.(*Store).*` are all methods of a type; a * stands for anything. GDB lets the program
        go meanwhile: only the thread that calls is stopped, by a tracer of our own. When the loop
        is left, or `seconds` are over, the program stands where it is (`program.stop`), or has
        ended (`program.exit`). A StopWarning says so where calls may be missing. Raises UsageError
        where a pattern means nothing.
        """
        return self._told(
            calls_wanted(patterns, args=args, results=results, stack=stack, seconds=seconds)
        )

    def _told(self, request: CallsRequest) -> Iterator[Call]:
        if self.exit is not None:
            raise UsageError("the program has ended")
        before = self._stop
        self._over()
        try:
            doubt = self._driver.begin_calls(request)
        except UsageError:  # nothing has run
            if before is not None:
                before.go_on()
            self._stop = before
            raise
        try:
            if doubt:
                warnings.warn(doubt, StopWarning, stacklevel=3)
            while records := self._driver.next_calls():
                yield from map(Call, records)
        finally:
            self._arrived(self._driver.end_calls())
            self._shown = True

    # Asking

    def type(self, name: str) -> TypedMemory:
        """Reads values of a Go type: `program.type("main.Node").at(address).Val`."""
        return TypedMemory(self._driver, name)

    def objects(self, type_name: str) -> Objects:
        """The objects of a type on the heap, as they are at this stop: of those that something
        leads to, and that are no part of others (elements of an array, say). Those whose type is
        not known are `stop.heap(types=True).untyped`. Raises UsageError (no such type)."""
        stop = self._stop
        if stop is None:
            raise UsageError("the program does not stand at a stop")
        return Objects(self._driver, type_name, self._driver.objects(type_name), stop.check)

    def __getitem__(self, name: str) -> Value:
        """A variable of a package: `program["main.counter"]`, as it is at this stop; or one of its
        integer constants. Raises NoSuchElementError."""
        stop = self._stop
        if stop is None:
            raise UsageError("the program does not stand at a stop")
        return package_variable(self._driver, name, stop.check)


def _wish(when: Condition | None, goroutine: int = 0) -> Wish | None:
    """What a tracer can test of a condition by itself."""
    if isinstance(when, str):
        return Wish(when, goroutine)
    return Wish("", goroutine) if goroutine else None


def _of(goroutine: int, stop: Stop) -> bool:
    return not goroutine or stop.goroutine == goroutine


__all__ = ["Program", "Stop", "StopWarning"]
