"""Recordings: a session's questions and answers in a file.

A recording is JSON lines: a head, one exchange a line, and an end that counts them. What was
written whole can be played, however the session ended: by Ctrl-C, a kill, or a full disk.
"""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from goprobe.analysis.calls.calls import CallsRequest
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.api.script.driver import Driver
from goprobe.api.script.sealing import sealed
from goprobe.deferredsignals import signals_deferred
from goprobe.errors import GoprobeError, UsageError
from goprobe.files import place_to_write
from goprobe.model.address import Address
from goprobe.model.attached import GoroutineState
from goprobe.model.calls import CallFrame, CallRecord
from goprobe.model.codec import to_json
from goprobe.model.heap import HeapReport
from goprobe.model.location import Location
from goprobe.model.script import (
    RECORDING_SCHEMA,
    Exchange,
    Moment,
    RecordingEnd,
    RecordingHead,
    Results,
    SessionInfo,
    Wishes,
)
from goprobe.model.trace import StopReport
from goprobe.model.value import Element, Variable
from goprobe.version import __version__

T = TypeVar("T")
_SHOWN_LIMIT = 300  # characters of a question
Asked = tuple["str | int", ...]


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
        self._write(to_json(head))  # whatever version reads it, it can tell which that is

    @property
    def info(self) -> SessionInfo:
        return self._driver.info

    def _write(self, line: bytes) -> None:
        data = memoryview(line + b"\n")
        while data:
            data = data[self._file.write(data) :]

    def _asked(self, method: str, args: Asked, answer: Callable[[], T]) -> T:
        self._interrupted = shown(method, args)
        try:
            answered = answer()
        except GoprobeError as error:
            self._exchange(method, args, error=error.message, error_kind=type(error).__name__)
            raise
        told = base64.b64encode(answered).decode() if isinstance(answered, bytes) else answered
        self._exchange(method, args, answer=msgspec.Raw(to_json(told)))
        return answered

    def _exchange(self, method: str, args: Asked, **answer: Any) -> None:
        line = Exchange(ask=method, number=self._count + 1, args=args, **answer)
        with signals_deferred():  # counted and written, or neither
            self._write(sealed(to_json(line)))
            self._count += 1
            self._interrupted = ""

    def break_at(self, where: str) -> None:
        self._asked("break_at", (where,), lambda: self._driver.break_at(where))

    def clear(self, where: str) -> None:
        self._asked("clear", (where,), lambda: self._driver.clear(where))

    def only(self, wishes: Wishes) -> None:
        self._driver.only(wishes)

    def resume(self) -> Moment:
        return self._asked("resume", (), self._driver.resume)

    def step(self, how: str, line: int) -> Moment:
        return self._asked("step", (how, line), lambda: self._driver.step(how, line))

    def pause(self) -> None:
        self._driver.pause()

    def begin_calls(self, request: CallsRequest) -> str:
        asked = calls_worded(request)
        return self._asked("begin_calls", asked, lambda: self._driver.begin_calls(request))

    def next_calls(self) -> tuple[CallRecord, ...]:
        return self._asked("next_calls", (), self._driver.next_calls)

    def end_calls(self) -> Moment:
        return self._asked("end_calls", (), self._driver.end_calls)

    def halted(self) -> Moment | None:
        return self._driver.halted()

    def watch(self, address: int, size: int, element: int = 0, of: str = "") -> tuple[int, ...]:
        asked = (address, size, element) if element else (address, size)
        return self._asked("watch", asked, lambda: self._driver.watch(address, size, element, of))

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

    def headed(self, type_name: str, address: int) -> Element:
        return self._asked(
            "headed", (type_name, address), lambda: self._driver.headed(type_name, address)
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

    def kind(self, type_name: str) -> str:
        return self._asked("kind", (type_name,), lambda: self._driver.kind(type_name))

    def global_variable(self, name: str) -> Element:
        return self._asked("global", (name,), lambda: self._driver.global_variable(name))

    def goroutines(self) -> tuple[GoroutineState, ...]:
        return self._asked("goroutines", (), self._driver.goroutines)

    def heap(self, questions: HeapQuestions) -> HeapReport:
        return self._asked("heap", worded(questions), lambda: self._driver.heap(questions))

    def objects(self, type_name: str) -> tuple[Address, ...]:
        return self._asked("objects", (type_name,), lambda: self._driver.objects(type_name))

    def writer(self) -> CallFrame | None:
        return self._asked("writer", (), self._driver.writer)

    def results(self) -> Results:
        return self._asked("results", (), self._driver.results)

    def close(self) -> None:
        if os.getpid() != self._owner:
            return
        if not self._file.closed:
            end = RecordingEnd(end=True, exchanges=self._count, interrupted=self._interrupted)
            self._write(sealed(to_json(end)))
            self._file.close()
        self._driver.close()


def calls_worded(request: CallsRequest) -> Asked:
    """What is asked of calls: a pattern a line, what of each, for how many ms (0: no limit)."""
    wanted = {
        "arguments": request.arguments, "results": request.results, "stack": request.stack,
    }  # fmt: skip
    what = " ".join(word for word, wants in wanted.items() if wants)
    return "\n".join(request.patterns), what, math.ceil((request.seconds or 0) * 1e3)


def worded(questions: HeapQuestions) -> Asked:
    """What is asked of a heap as one word; none for the census alone."""
    return () if questions == HeapQuestions() else (to_json(questions).decode(),)


def shown(method: str, args: Asked) -> str:
    shown = f"{method}({', '.join(hex(a) if isinstance(a, int) else repr(a) for a in args)})"
    return shown if len(shown) <= _SHOWN_LIMIT else f"{shown[:_SHOWN_LIMIT]}…"
