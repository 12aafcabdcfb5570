"""A session played from a recording.

No Go and no GDB is needed. The script may be another one: between two moves of the program it may
ask what was asked there then, in any order, less of it, or again; but it has to stop at the same
places and go on in the same ways. Where it does not, the replay ends, and says so. What was written
whole is played, however the session ended.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
from msgspec import UNSET

import goprobe.errors
from goprobe.analysis.calls.calls import CallsRequest
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.api.script.recording import Asked, calls_worded, shown, worded
from goprobe.api.script.sealing import opened
from goprobe.errors import GoprobeError, UsageError
from goprobe.files import read_regular
from goprobe.model.address import Address
from goprobe.model.attached import GoroutineState
from goprobe.model.calls import CallFrame, CallRecord
from goprobe.model.codec import from_json
from goprobe.model.heap import HeapReport
from goprobe.model.location import Location
from goprobe.model.script import (
    OLD_RECORDING_SCHEMAS,
    RECORDING_SCHEMA,
    Exchange,
    Moment,
    RecordingEnd,
    RecordingHead,
    Results,
    Wishes,
)
from goprobe.model.trace import StopReport
from goprobe.model.value import Element, Variable

T = TypeVar("T")
_ADDRESS = re.compile(r"0x[0-9a-f]{1,16}")
_SIZE_LIMIT = 1 << 30
_ERRORS: dict[str, type[GoprobeError]] = {
    name: kind
    for name, kind in vars(goprobe.errors).items()
    if isinstance(kind, type) and issubclass(kind, GoprobeError)
}


_Key = tuple["str | int", ...]
_GOING = frozenset({"resume", "step", "begin_calls", "next_calls", "end_calls"})
_PLACES = frozenset({"break_at", "clear", "watch", "unwatch"})
_TIMELESS = frozenset({"extent", "kind"})  # the same at every stop


class _Standing:
    """What was asked between two moves of the program: `answers` hold while it stands there,
    whatever their order; `places` are where it was to stop from then on, and are to be asked for
    again; `went` is how it went on, None at the recording's end, or before a `damaged` line."""

    def __init__(self) -> None:
        self.answers: dict[_Key, list[Exchange]] = {}
        self.places: dict[_Key, list[Exchange]] = {}
        self.went: Exchange | None = None
        self.damaged: Exchange | None = None

    def add(self, line: Exchange) -> None:
        lines = self.places if line.ask in _PLACES else self.answers
        lines.setdefault(_key(line.ask, line.args), []).append(line)

    def has(self, key: _Key) -> bool:
        return key in self.answers

    def answer(self, key: _Key) -> Exchange | None:
        """The next one to a question; its last one again, where it is asked more often."""
        if lines := self.places.get(key):
            line = lines.pop(0)
            if not lines:
                del self.places[key]
            return line
        known = self.answers.get(key)
        if not known:
            return None
        return known.pop(0) if len(known) > 1 else known[0]

    def reads(self) -> Iterator[tuple[int, int]]:
        """Memory that was read: where, and how many bytes."""
        for key, lines in self.answers.items():
            match key:
                case ("read", int(address), int(size)) if not lines[0].error:
                    yield address, size


class Replayer:
    """A Driver that answers out of a recording. `incomplete` says in what way it holds less than
    its session asked, "" where it holds all."""

    def __init__(self, path: Path) -> None:
        self._name = str(path)
        lines = read_regular(path, _SIZE_LIMIT, what="recording", pipes=True).split(b"\n")
        head, *self._lines = [line for line in lines if line] or [b""]
        opening = self._head(head)
        self.info = opening.info
        self._early = opening.schema in OLD_RECORDING_SCHEMAS
        self.incomplete = self._ended()
        self._old: StopReport | None = None
        self._at = 0
        self._timeless: dict[_Key, Exchange] = {}
        self._here = self._standing()

    def _head(self, line: bytes) -> RecordingHead:
        head = _decoded(line, RecordingHead)
        if head is None:
            raise UsageError(f"{self._name} is no recording of goprobe")
        if head.schema not in (RECORDING_SCHEMA, *OLD_RECORDING_SCHEMAS):
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

    # What was asked then, and is asked now

    def _asked(self, method: str, args: Asked, answer_type: Any) -> Any:
        """What was answered then where the program stood. Raises UsageError where that was not
        asked: how far an edited script is played, and where that ends."""
        key = _key(method, args)
        line = self._here.went if method in _GOING else self._here.answer(key)
        if method in _GOING and line is not None:
            self._check_way(line, key, shown(method, args))
            self._go_past(line)
        elif line is None and method in _TIMELESS:
            line = self._timeless.get(key)
        if line is None:
            raise self._ends_at(shown(method, args))
        if method in _TIMELESS:
            self._timeless[key] = line
        return self._answer(line, answer_type)

    def _answer(self, line: Exchange, answer_type: Any) -> Any:
        if line.error:
            raise _ERRORS.get(line.error_kind, UsageError)(line.error)
        if answer_type is None:
            return None
        try:
            return from_json(b"" if line.answer is UNSET else bytes(line.answer), answer_type)
        except (msgspec.MsgspecError, ValueError):
            raise self._damaged(line, "its answer is none to its question") from None

    def _check_way(self, line: Exchange, key: _Key, asked: str) -> None:
        """Raises UsageError where the program went on otherwise than the script does now."""
        left = next(iter(self._here.places.values()), None)
        if left is not None:
            raise UsageError(
                f"the script asks {asked}, but when {self._name} was recorded it asked "
                f"{_shown_of(left[0])} before"
            )
        if _key(line.ask, line.args) != key:
            raise UsageError(
                f"the script asks {asked}, but when {self._name} was recorded it "
                f"asked {_shown_of(line)}"
            )

    def _go_past(self, line: Exchange) -> None:
        before, self._here = self._here, self._standing()
        kind = _ERRORS.get(line.error_kind, UsageError)
        if line.error and issubclass(kind, UsageError):  # it has not run: all is as before
            self._here.answers = {**before.answers, **self._here.answers}

    def _ends_at(self, asked: str) -> UsageError:
        here = self._here
        if here.damaged is not None:
            return self._damaged(here.damaged, "it is no exchange, or not the next one")
        if here.went is None:
            told = f"the script asks more than {self._name} holds: {asked}"
            return UsageError(told, hint=self.incomplete)
        return UsageError(
            f"the script asks {asked}, and that was not asked there when {self._name} was recorded",
            hint=f"there it asked other things, and went on by {_shown_of(here.went)}",
        )

    def _standing(self) -> _Standing:
        """All that was asked up to where the program went on the next time."""
        standing = _Standing()
        while self._at < len(self._lines):
            line = _decoded(self._lines[self._at], Exchange)
            self._at += 1
            if line is None or line.number not in (0, self._at):
                standing.damaged = Exchange(ask="", number=self._at)
                break
            line = msgspec.structs.replace(line, number=self._at)
            if line.ask in _GOING:
                standing.went = line
                break
            standing.add(line)
        return standing

    def _damaged(self, line: Exchange, why: str) -> UsageError:
        return UsageError(f"{self._name} is damaged at line {line.number + 1}: {why}")

    def break_at(self, where: str) -> None:
        self._asked("break_at", (where,), None)

    def clear(self, where: str) -> None:
        self._asked("clear", (where,), None)

    def only(self, wishes: Wishes) -> None:
        """What was recorded is played, wanted or not."""

    def resume(self) -> Moment:
        return self._moment("resume", ())

    def step(self, how: str, line: int) -> Moment:
        return self._moment("step", (how, line))

    def pause(self) -> None:
        """It stopped where it was stopped."""

    def begin_calls(self, request: CallsRequest) -> str:
        told = self._asked("begin_calls", calls_worded(request), str | None)
        return told or ""  # earlier recordings have none

    def next_calls(self) -> tuple[CallRecord, ...]:
        records = self._asked("next_calls", (), tuple[CallRecord, ...])
        return cast("tuple[CallRecord, ...]", records)

    def end_calls(self) -> Moment:
        return self._moment("end_calls", ())

    def halted(self) -> Moment | None:
        return None

    def _moment(self, method: str, args: Asked) -> Moment:
        line = self._here.went
        moment: Moment = self._asked(method, args, Moment)
        if (moment.stop is UNSET and moment.here is UNSET) == (moment.exit is UNSET):
            assert line is not None
            raise self._damaged(line, "the program neither stopped nor ended, or did both")
        self._old = moment.stop if moment.stop is not UNSET else None
        return moment

    def watch(self, address: int, size: int, element: int = 0, _of: str = "") -> tuple[int, ...]:
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
        own, every = _key("variables", (name,)), _key("variables", ("",))
        if name and not self._here.has(own) and self._here.has(every):
            named = [v for v in self.variables("") if v.name == name]
            return tuple(v for v in named if v.frame == min(n.frame for n in named))
        variables = self._asked("variables", (name,), tuple[Variable, ...])
        return cast("tuple[Variable, ...]", variables)

    def quick(self, name: str) -> tuple[str, str] | None:
        return None

    def locate(self, address: int) -> tuple[Location, ...]:
        return cast("tuple[Location, ...]", self._asked("locate", (address,), tuple[Location, ...]))

    def read(self, address: int, size: int) -> bytes:
        if not self._here.has(_key("read", (address, size))):
            for start, length in self._here.reads():
                if start <= address and address + size <= start + length:
                    return self._read(start, length)[address - start :][:size]
        return self._read(address, size)

    def _read(self, address: int, size: int) -> bytes:
        line = self._here.went
        try:
            return base64.b64decode(self._asked("read", (address, size), str), validate=True)
        except ValueError:
            where = line or Exchange(ask="read", number=self._at)
            raise self._damaged(where, "the bytes that were read are none") from None

    def digest(self, address: int, size: int) -> str:
        return cast("str", self._asked("digest", (address, size), str))

    def value(self, type_name: str, address: int) -> Element:
        return cast("Element", self._asked("value", (type_name, address), Element))

    def headed(self, type_name: str, address: int) -> Element:
        return cast("Element", self._asked("headed", (type_name, address), Element))

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

    def kind(self, type_name: str) -> str:
        return "" if self._early else cast("str", self._asked("kind", (type_name,), str))

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
        plain = opened(line)
        return None if plain is None else from_json(plain, struct)
    except (msgspec.MsgspecError, ValueError):
        return None


def _key(method: str, args: Sequence[str | int]) -> _Key:
    return (method, *_plain(args))


def _shown_of(line: Exchange) -> str:
    return shown(line.ask, cast("Asked", tuple(line.args)))


def _plain(args: Sequence[str | int]) -> tuple[str | int, ...]:
    """The same whether an address was written as a number or as its text."""
    return tuple(int(a) if isinstance(a, int) else _address(a) for a in args)


def _address(text: str) -> str | int:
    return int(text, 16) if _ADDRESS.fullmatch(text) else text
