"""Recordings: a session's questions and answers in a file, and a session played from one.

A recording is JSON lines: a head, one exchange a line, and an end that counts them. Played back,
a script must ask what it asked then, in the same order; no Go and no GDB is needed. What was
written whole is played, however the session ended: by Ctrl-C, a kill, or a full disk.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import msgspec
from msgspec import UNSET

import goprobe.errors
from goprobe.api.script.driver import Driver
from goprobe.deferredsignals import signals_deferred
from goprobe.errors import GoprobeError, UsageError
from goprobe.files import place_to_write, read_regular
from goprobe.model.attached import GoroutineState
from goprobe.model.calls import CallRecord
from goprobe.model.codec import from_json, to_json
from goprobe.model.heap import HeapReport
from goprobe.model.location import Location
from goprobe.model.script import (
    OLD_RECORDING_SCHEMA,
    RECORDING_SCHEMA,
    Exchange,
    Moment,
    RecordingEnd,
    RecordingHead,
    SessionInfo,
)
from goprobe.model.trace import StopReport
from goprobe.model.value import Element, Variable
from goprobe.version import __version__

T = TypeVar("T")
_ADDRESS = re.compile(r"0x[0-9a-f]{1,16}")
_SIZE_LIMIT = 1 << 30
_SHOWN_LIMIT = 300  # characters of a question
_ERRORS: dict[str, type[GoprobeError]] = {
    name: kind
    for name, kind in vars(goprobe.errors).items()
    if isinstance(kind, type) and issubclass(kind, GoprobeError)
}
_Args = tuple["str | int", ...]


class Recorder:
    """A Driver that passes every question on and writes down what was answered."""

    def __init__(self, driver: Driver, path: Path) -> None:
        self._driver = driver
        # A script may fork: what is buffered would be written twice, and its end by the child.
        self._owner = os.getpid()
        try:
            self._file: IO[bytes] = place_to_write(path).open("wb", buffering=0)
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from None
        self._count = 0
        self._interrupted = ""
        head = RecordingHead(schema=RECORDING_SCHEMA, goprobe=__version__, info=driver.info)
        self._write(head)

    @property
    def info(self) -> SessionInfo:
        return self._driver.info

    def _write(self, line: object) -> None:
        data = memoryview(to_json(line) + b"\n")
        while data:
            data = data[self._file.write(data) :]

    def _asked(self, method: str, args: _Args, answer: Callable[[], T]) -> T:
        self._interrupted = _shown(method, args)
        try:
            answered = answer()
        except GoprobeError as error:
            self._exchange(method, args, error=error.message, error_kind=type(error).__name__)
            raise
        told = base64.b64encode(answered).decode() if isinstance(answered, bytes) else answered
        self._exchange(method, args, answer=msgspec.Raw(to_json(told)))
        return answered

    def _exchange(self, method: str, args: _Args, **answer: Any) -> None:
        line = Exchange(ask=method, number=self._count + 1, args=args, **answer)
        with signals_deferred():  # counted and written, or neither
            self._write(line)
            self._count += 1
            self._interrupted = ""

    def break_at(self, where: str) -> None:
        self._asked("break_at", (where,), lambda: self._driver.break_at(where))

    def clear(self, where: str) -> None:
        self._asked("clear", (where,), lambda: self._driver.clear(where))

    def resume(self) -> Moment:
        return self._asked("resume", (), self._driver.resume)

    def step(self, how: str, line: int) -> Moment:
        return self._asked("step", (how, line), lambda: self._driver.step(how, line))

    def pause(self) -> None:
        self._driver.pause()

    def begin_calls(self, patterns: str, what: str, milliseconds: int) -> None:
        args = (patterns, what, milliseconds)
        self._asked("begin_calls", args, lambda: self._driver.begin_calls(*args))

    def next_calls(self) -> tuple[CallRecord, ...]:
        return self._asked("next_calls", (), self._driver.next_calls)

    def end_calls(self) -> Moment:
        return self._asked("end_calls", (), self._driver.end_calls)

    def halted(self) -> Moment | None:
        return self._driver.halted()

    def watch(self, address: int, size: int, element: int = 0) -> tuple[int, ...]:
        asked = (address, size, element) if element else (address, size)
        return self._asked("watch", asked, lambda: self._driver.watch(address, size, element))

    def watch_limits(self, numbers: tuple[int, ...]) -> tuple[str, ...]:
        return self._driver.watch_limits(numbers)

    def unwatch(self, number: int) -> None:
        self._asked("unwatch", (number,), lambda: self._driver.unwatch(number))

    def stop(self) -> StopReport:
        return self._asked("stop", (), self._driver.stop)

    def variables(self, name: str) -> tuple[Variable, ...]:
        return self._asked("variables", (name,), lambda: self._driver.variables(name))

    def quick(self, name: str) -> tuple[str, str] | None:
        return None  # what is recorded is told in full

    def locate(self, address: int) -> tuple[Location, ...]:
        return self._asked("locate", (address,), lambda: self._driver.locate(address))

    def read(self, address: int, size: int) -> bytes:
        return self._asked("read", (address, size), lambda: self._driver.read(address, size))

    def digest(self, address: int, size: int) -> str:
        return self._asked("digest", (address, size), lambda: self._driver.digest(address, size))

    def value(self, type_name: str, address: int) -> Element:
        return self._asked(
            "value", (type_name, address), lambda: self._driver.value(type_name, address)
        )

    def items(self, type_name: str, address: int, start: int, count: int) -> tuple[Element, ...]:
        args = (type_name, address, start, count)
        return self._asked("items", args, lambda: self._driver.items(*args))

    def entry(self, type_name: str, address: int, kind: str, key: str) -> Element | None:
        args = (type_name, address, kind, key)
        return self._asked("entry", args, lambda: self._driver.entry(*args))

    def entries(self, type_name: str, address: int, start: int, count: int) -> tuple[Element, ...]:
        args = (type_name, address, start, count)
        return self._asked("entries", args, lambda: self._driver.entries(*args))

    def extent(self, type_name: str) -> tuple[int, int]:
        return self._asked("extent", (type_name,), lambda: self._driver.extent(type_name))

    def global_variable(self, name: str) -> Element:
        return self._asked("global", (name,), lambda: self._driver.global_variable(name))

    def goroutines(self) -> tuple[GoroutineState, ...]:
        return self._asked("goroutines", (), self._driver.goroutines)

    def heap(self) -> HeapReport:
        return self._asked("heap", (), self._driver.heap)

    def close(self) -> None:
        if os.getpid() != self._owner:
            return
        if not self._file.closed:
            end = RecordingEnd(end=True, exchanges=self._count, interrupted=self._interrupted)
            self._write(end)
            self._file.close()
        self._driver.close()


class Replayer:
    """A Driver that answers out of a recording. `incomplete` says in what way it holds less than
    its session asked, "" where it holds all."""

    def __init__(self, path: Path) -> None:
        self._name = str(path)
        lines = read_regular(path, _SIZE_LIMIT, what="recording", pipes=True).split(b"\n")
        head, *self._lines = [line for line in lines if line] or [b""]
        self.info = self._head(head).info
        self.incomplete = self._ended()
        self._old: StopReport | None = None
        self._at = 0

    def _head(self, line: bytes) -> RecordingHead:
        head = _decoded(line, RecordingHead)
        if head is None:
            raise UsageError(f"{self._name} is no recording of goprobe")
        if head.schema not in (RECORDING_SCHEMA, OLD_RECORDING_SCHEMA):
            raise UsageError(
                f"{self._name} is a recording of another version ({head.schema}); this goprobe "
                f"reads {RECORDING_SCHEMA}"
            )
        return head

    def _ended(self) -> str:
        """Takes the last line off, and says what it tells of how the session ended."""
        last = self._lines.pop() if self._lines else b""
        if end := _decoded(last, RecordingEnd):
            if end.exchanges != len(self._lines):
                raise UsageError(
                    f"{self._name} is damaged: {end.exchanges} exchanges were "
                    f"recorded, {len(self._lines)} are there"
                )
            if end.interrupted:
                return f"its session was ended while it asked {end.interrupted}"
            return ""
        if _decoded(last, Exchange):
            self._lines.append(last)
        return "it was cut short: its last line is missing"

    def _asked(self, method: str, args: _Args, answer_type: Any) -> Any:
        if self._at >= len(self._lines):
            raise UsageError(
                f"the script asks more than {self._name} holds: {_shown(method, args)}",
                hint=self.incomplete,
            )
        line = _decoded(self._lines[self._at], Exchange)
        self._at += 1
        if line is None or line.number not in (0, self._at):
            raise self._damaged("it is no exchange, or not the next one")
        if (line.ask, _plain(line.args)) != (method, _plain(args)):
            raise UsageError(
                f"the script asks {_shown(method, args)}, but when {self._name} was recorded it "
                f"asked {_shown(line.ask, cast('_Args', tuple(line.args)))}"
            )
        if line.error:
            raise _ERRORS.get(line.error_kind, UsageError)(line.error)
        if line.answer is UNSET or answer_type is None:
            return None
        try:
            return from_json(bytes(line.answer), answer_type)
        except (msgspec.MsgspecError, ValueError):
            raise self._damaged("its answer is none to its question") from None

    def _damaged(self, why: str) -> UsageError:
        return UsageError(f"{self._name} is damaged at line {self._at + 1}: {why}")

    def break_at(self, where: str) -> None:
        self._asked("break_at", (where,), None)

    def clear(self, where: str) -> None:
        self._asked("clear", (where,), None)

    def resume(self) -> Moment:
        return self._moment("resume", ())

    def step(self, how: str, line: int) -> Moment:
        return self._moment("step", (how, line))

    def pause(self) -> None:
        """It stopped where it was stopped."""

    def begin_calls(self, patterns: str, what: str, milliseconds: int) -> None:
        self._asked("begin_calls", (patterns, what, milliseconds), None)

    def next_calls(self) -> tuple[CallRecord, ...]:
        records = self._asked("next_calls", (), tuple[CallRecord, ...])
        return cast("tuple[CallRecord, ...]", records)

    def end_calls(self) -> Moment:
        return self._moment("end_calls", ())

    def halted(self) -> Moment | None:
        return None

    def _moment(self, method: str, args: _Args) -> Moment:
        moment: Moment = self._asked(method, args, Moment)
        if (moment.stop is UNSET and moment.here is UNSET) == (moment.exit is UNSET):
            raise self._damaged("the program neither stopped nor ended, or did both")
        self._old = moment.stop if moment.stop is not UNSET else None
        return moment

    def watch(self, address: int, size: int, element: int = 0) -> tuple[int, ...]:
        asked = (address, size, element) if element else (address, size)
        return cast("tuple[int, ...]", self._asked("watch", asked, tuple[int, ...]))

    def watch_limits(self, numbers: tuple[int, ...]) -> tuple[str, ...]:
        return ()

    def unwatch(self, number: int) -> None:
        self._asked("unwatch", (number,), None)

    def stop(self) -> StopReport:
        if self._old is not None:
            return self._old
        return cast("StopReport", self._asked("stop", (), StopReport))

    def variables(self, name: str) -> tuple[Variable, ...]:
        variables = self._asked("variables", (name,), tuple[Variable, ...])
        return cast("tuple[Variable, ...]", variables)

    def quick(self, name: str) -> tuple[str, str] | None:
        return None

    def locate(self, address: int) -> tuple[Location, ...]:
        return cast("tuple[Location, ...]", self._asked("locate", (address,), tuple[Location, ...]))

    def read(self, address: int, size: int) -> bytes:
        try:
            return base64.b64decode(self._asked("read", (address, size), str), validate=True)
        except ValueError:
            raise self._damaged("the bytes that were read are none") from None

    def digest(self, address: int, size: int) -> str:
        return cast("str", self._asked("digest", (address, size), str))

    def value(self, type_name: str, address: int) -> Element:
        return cast("Element", self._asked("value", (type_name, address), Element))

    def items(self, type_name: str, address: int, start: int, count: int) -> tuple[Element, ...]:
        asked = (type_name, address, start, count)
        return cast("tuple[Element, ...]", self._asked("items", asked, tuple[Element, ...]))

    def entry(self, type_name: str, address: int, kind: str, key: str) -> Element | None:
        asked = (type_name, address, kind, key)
        return cast("Element | None", self._asked("entry", asked, Element | None))

    def entries(self, type_name: str, address: int, start: int, count: int) -> tuple[Element, ...]:
        asked = (type_name, address, start, count)
        return cast("tuple[Element, ...]", self._asked("entries", asked, tuple[Element, ...]))

    def extent(self, type_name: str) -> tuple[int, int]:
        return cast("tuple[int, int]", self._asked("extent", (type_name,), tuple[int, int]))

    def global_variable(self, name: str) -> Element:
        return cast("Element", self._asked("global", (name,), Element))

    def goroutines(self) -> tuple[GoroutineState, ...]:
        states = self._asked("goroutines", (), tuple[GoroutineState, ...])
        return cast("tuple[GoroutineState, ...]", states)

    def heap(self) -> HeapReport:
        return cast("HeapReport", self._asked("heap", (), HeapReport))

    def close(self) -> None:
        pass


def _decoded(line: bytes, struct: type[T]) -> T | None:
    try:
        return from_json(line, struct)
    except (msgspec.MsgspecError, ValueError):
        return None


def _plain(args: Sequence[str | int]) -> tuple[str | int, ...]:
    """The same whether an address was written as a number or as its text."""
    return tuple(int(a) if isinstance(a, int) else _address(a) for a in args)


def _address(text: str) -> str | int:
    return int(text, 16) if _ADDRESS.fullmatch(text) else text


def _shown(method: str, args: _Args) -> str:
    shown = f"{method}({', '.join(hex(a) if isinstance(a, int) else repr(a) for a in args)})"
    return shown if len(shown) <= _SHOWN_LIMIT else f"{shown[:_SHOWN_LIMIT]}…"
