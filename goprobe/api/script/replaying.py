"""A session played from a recording.

A script must ask what it asked then, in the same order; no Go and no GDB is needed. What was
written whole is played, however the session ended.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
from msgspec import UNSET

import goprobe.errors
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.api.script.recording import Asked, shown, worded
from goprobe.errors import GoprobeError, UsageError
from goprobe.files import read_regular
from goprobe.model.address import Address
from goprobe.model.attached import GoroutineState
from goprobe.model.calls import CallFrame, CallRecord
from goprobe.model.codec import from_json
from goprobe.model.heap import HeapReport
from goprobe.model.location import Location
from goprobe.model.script import (
    OLD_RECORDING_SCHEMA,
    RECORDING_SCHEMA,
    Exchange,
    Moment,
    RecordingEnd,
    RecordingHead,
    Results,
)
from goprobe.model.trace import StopReport
from goprobe.model.value import Element, Variable

T = TypeVar("T")
_ADDRESS = re.compile(r"0x[0-9a-f]{1,16}")
_SIZE_LIMIT = 1 << 30
_SHOWN_LIMIT = 300  # characters of a question
_ERRORS: dict[str, type[GoprobeError]] = {
    name: kind
    for name, kind in vars(goprobe.errors).items()
    if isinstance(kind, type) and issubclass(kind, GoprobeError)
}


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

    def _asked(self, method: str, args: Asked, answer_type: Any) -> Any:
        if self._at >= len(self._lines):
            raise UsageError(
                f"the script asks more than {self._name} holds: {shown(method, args)}",
                hint=self.incomplete,
            )
        line = _decoded(self._lines[self._at], Exchange)
        self._at += 1
        if line is None or line.number not in (0, self._at):
            raise self._damaged("it is no exchange, or not the next one")
        if (line.ask, _plain(line.args)) != (method, _plain(args)):
            raise UsageError(
                f"the script asks {shown(method, args)}, but when {self._name} was recorded it "
                f"asked {shown(line.ask, cast('Asked', tuple(line.args)))}"
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

    def _moment(self, method: str, args: Asked) -> Moment:
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

    def heap(self, questions: HeapQuestions) -> HeapReport:
        return cast("HeapReport", self._asked("heap", worded(questions), HeapReport))

    def objects(self, type_name: str) -> tuple[Address, ...]:
        addresses = self._asked("objects", (type_name,), tuple[Address, ...])
        return cast("tuple[Address, ...]", addresses)

    def writer(self) -> CallFrame | None:
        return cast("CallFrame | None", self._asked("writer", (), CallFrame | None))

    def results(self) -> Results:
        return cast("Results", self._asked("results", (), Results))

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
