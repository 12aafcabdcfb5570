"""Calls of Go functions in a script's hands: `program.calls("main.(*Store).*")`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import UNSET, UnsetType

from goprobe.analysis.calls.calls import CallsRequest
from goprobe.api.notebook import line
from goprobe.api.script.known import scalar_of
from goprobe.errors import NoSuchElementError, NoSuchFieldError, UsageError
from goprobe.model.address import Address
from goprobe.model.calls import CallFrame, CallRecord, CallValue


def calls_wanted(
    patterns: Sequence[str], *, args: bool, results: bool, stack: bool, seconds: float | None
) -> CallsRequest:
    """Which calls a script asks for. Raises UsageError where it names none."""
    if not patterns:
        raise UsageError("name the functions: calls('main.(*Store).*')")
    return CallsRequest(
        patterns=tuple(patterns), arguments=args, results=results, stack=stack, seconds=seconds
    )


class CalledWith(Mapping[str | int, "Told"]):
    """Arguments or results by their names, in the order of the signature; those without a name, and
    any other, too, by their number: `call.results[0]`."""

    def __init__(self, values: tuple[CallValue, ...] | UnsetType, why: str, what: str) -> None:
        self._values = () if values is UNSET else values
        self._why = why or (f"{what} were not asked for" if values is UNSET else "")
        self._what = what

    @property
    def why(self) -> str:
        """Why there are none, "" where there are all."""
        return self._why

    def __getitem__(self, key: str | int) -> Told:
        if self._why:
            raise UsageError(f"there are no {self._what}: {self._why}")
        if isinstance(key, int):
            if -len(self._values) <= key < len(self._values):
                return Told(self._values[key])
        else:
            for value in self._values:
                if value.name == key:
                    return Told(value)
        names = ", ".join(v.name or "_" for v in self._values) or "none"
        raise NoSuchElementError(f"no {key!r} among the {self._what}", hint=f"there are: {names}")

    def __iter__(self) -> Iterator[str | int]:
        values = enumerate(self._values)
        return (number if value.name in ("", "_") else value.name for number, value in values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        if self._why:
            return f"<{self._why}>"
        return ", ".join(f"{v.name}={v.text}" if v.name else v.text for v in self._values)


class Told:
    """A value as it was at a call. It compares with Python's own numbers, strings, truth values and
    None (nil, which an interface that holds a nil pointer is not); its fields are attributes or
    `value["name"]`, elements of slices and arrays are indexed. Strings and lists are told up to a
    limit: `text` shows where they are cut."""

    __slots__ = ("_value",)

    def __init__(self, value: CallValue) -> None:
        self._value = value

    @property
    def report(self) -> CallValue:
        """As JSON has it."""
        return self._value

    @property
    def name(self) -> str:
        """The parameter's or field's, "" for a result without one."""
        return self._value.name

    @property
    def type(self) -> str:
        """The Go type; what an interface holds has `dynamic_type`."""
        return self._value.type

    @property
    def dynamic_type(self) -> str | None:
        """The type of what an interface holds."""
        held = self._value.dynamic_type
        return None if held is UNSET else held

    @property
    def text(self) -> str:
        """As Go prints it, strings quoted, cut where it is long."""
        return self._value.text

    @property
    def address(self) -> Address | None:
        """What it points at."""
        at = self._value.address
        return None if at is UNSET else at

    @property
    def py(self) -> Any:
        """Python's own number, string, truth value, None, list or dict; of an interface what it
        holds, of a pointer what it leads to. Raises UsageError where the value could not be read,
        was told in part, or is of a kind that Python has not: a channel, a function."""
        value = self._value
        if self._holds_nil():
            return None
        if value.why:
            raise UsageError(f"{value.name or 'the value'} cannot be told: {value.why}")
        if value.value is not UNSET:
            return value.value
        if value.elements is not UNSET:
            parts = [Told(part) for part in value.elements]
            if self._is_list():
                self._check_whole(len(parts))
                return [part.py for part in parts]
            return {part.name: part.py for part in parts}
        if value.text in ("[]", "{}"):
            return [] if value.text == "[]" else {}
        bare = value.text.removeprefix("&")  # of a number that a pointer leads to
        if not bare.startswith("0x") and (number := scalar_of(bare)) is not None:
            return number
        name = value.name or "the value"
        if "…" in value.text:
            raise UsageError(f"{name} was told in part: {value.text}")
        raise UsageError(f"{name} is a {self.dynamic_type or self.type}: Python has its text alone")

    def _holds_nil(self) -> bool:
        held = self._value.dynamic_type
        return held is not UNSET and self._value.text == f"{held}(nil)"

    def _is_list(self) -> bool:
        elements = self._value.elements
        return elements is not UNSET and all(e.name.startswith("[") for e in elements)

    def _check_whole(self, shown: int) -> None:
        length = self._value.len
        if length is not UNSET and length != shown:
            raise UsageError(f"only {shown} of {length} elements were told")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Told):
            if self._holds_nil() or other._holds_nil():
                return self._value.text == other._value.text
            other = other.py
        if isinstance(other, bytes):
            other = other.decode("utf-8", "surrogateescape")
        if other is None and not self._value.why:
            return self._value.value is None
        own = self.py
        if isinstance(own, bool) != isinstance(other, bool):
            return False
        return bool(own == other)

    def __hash__(self) -> int:
        return hash((self._value.type, self._value.text))

    def __lt__(self, other: Any) -> bool:
        return bool(self.py < _plain(other))

    def __le__(self, other: Any) -> bool:
        return bool(self.py <= _plain(other))

    def __gt__(self, other: Any) -> bool:
        return bool(self.py > _plain(other))

    def __ge__(self, other: Any) -> bool:
        return bool(self.py >= _plain(other))

    def __bool__(self) -> bool:
        return self._holds_nil() or bool(self.py)

    def __int__(self) -> int:
        return int(self.py)

    def __float__(self) -> float:
        return float(self.py)

    def __str__(self) -> str:
        own = self._value.value
        return own if isinstance(own, str) else self.text

    def __len__(self) -> int:
        if self._value.len is not UNSET:
            return self._value.len
        if self._value.elements is not UNSET:
            return len(self._value.elements)
        raise TypeError(f"a {self.type} has no length")

    def __getitem__(self, key: str | int) -> Told:
        elements: Sequence[CallValue] = (
            self._value.elements if self._value.elements is not UNSET else ()
        )
        wanted = f"[{key if key >= 0 else len(self) + key}]" if isinstance(key, int) else key
        for part in elements:
            if part.name == wanted:
                return Told(part)
        if isinstance(key, str):
            raise NoSuchFieldError(f"{self.type} has no field {key} that was told")
        raise NoSuchElementError(f"element {key} of {self.name or self.type} was not told")

    def __getattr__(self, name: str) -> Told:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[Told]:
        parts = self._value.elements if self._value.elements is not UNSET else ()
        if self._is_list():
            self._check_whole(len(parts))
        return (Told(part) for part in parts)

    def __repr__(self) -> str:
        return self.text or f"<{self._value.why}>"


class Call:
    """A call of a Go function that is over (or, with `end` "open", was when the watch ended).

    `args` and `results` are its values, `duration` in seconds how long it ran, without the time for
    which goprobe stopped it. `end` is "return", "panic", "goexit", "tail", "open" or "unseen".
    """

    def __init__(self, record: CallRecord) -> None:
        self.record = record
        self.args = CalledWith(record.arguments, record.no_arguments, "arguments")
        why = record.no_results or (f"it ended by {record.end}" if record.end != "return" else "")
        self.results = CalledWith(record.results, why, "results")

    @property
    def function(self) -> str:
        """Its name, as Go's stack traces have it."""
        return self.record.function

    @property
    def goroutine(self) -> int:
        """The goroutine's number; 0 for a system stack."""
        return self.record.goroutine

    @property
    def depth(self) -> int:
        """How many calls that are told are around it."""
        return self.record.depth

    @property
    def began(self) -> float:
        """When, in seconds since the watch began."""
        return self.record.began_us / 1e6

    @property
    def duration(self) -> float:
        """In seconds, without the time for which goprobe stopped it."""
        return self.record.duration_us / 1e6

    @property
    def end(self) -> str:
        """return, panic, goexit, tail, open or unseen."""
        return self.record.end

    @property
    def why(self) -> str:
        """The panic's value, or what else is known of its end."""
        return self.record.why

    @property
    def stack(self) -> tuple[CallFrame, ...]:
        """Who called, innermost first, where that was asked for."""
        return self.record.stack if self.record.stack is not UNSET else ()

    def _repr_html_(self) -> str:
        return line(self)

    def __repr__(self) -> str:
        told = f" = {self.results!r}" if self.end == "return" else f" {self.why or self.end}"
        return f"<{self.function}({self.args!r}){told}, {self.duration * 1e6:.1f} µs>"


def _plain(other: Any) -> Any:
    return other.py if isinstance(other, Told) else other
