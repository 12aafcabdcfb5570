"""What goprobe knows of a value besides the value itself, and how Go prints numbers."""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET

from goprobe.api.script.driver import Driver
from goprobe.api.script.gonumbers import FLOATS
from goprobe.api.script.typerules import kind_by_name
from goprobe.errors import GoprobeError, UsageError
from goprobe.model.value import Element, Value as ValueText, Variable

_NUMBER = re.compile(r"-?\d+|0x[0-9a-f]+")
_FLOAT = re.compile(r"[-+]?(\d+(\.\d*)?(e[-+]\d+)?|Inf)|NaN")
_COMPLEX = re.compile(r"\(.*i\)")

Part = Variable | Element


class Known:
    """A variable or a part of one, as the reports have it; what is not there is None."""

    __slots__ = ("_alive", "_driver", "_part", "_quick", "_read")

    def __init__(
        self, driver: Driver, part: Part | None, alive: Callable[[], object],
        read: Callable[[], Part] | None = None,
        quick: tuple[str, str] | None = None,
    ) -> None:  # fmt: skip
        """`part` is what is known of it, None where `read` is to tell; `alive` raises UsageError
        when the stop is over. `quick` is the type and text of a number or truth value."""
        self._driver = driver
        self._part = part
        self._read = read
        self._alive = alive
        self._quick = quick

    @property
    def part(self) -> Part:
        """As the reports have it: the struct of goprobe.trace/1."""
        if self._part is None:
            self._alive()
            assert self._read is not None
            self._part = self._read()
        return self._part

    def _known(self, name: str) -> Any:
        told = getattr(self.part, name, None)
        return None if told is UNSET else told

    @property
    def name(self) -> str:
        """As the source calls it; of a part what it is within the whole."""
        return self.part.name

    @property
    def type(self) -> str:
        """The Go type, an interface's own: its value's is `dynamic_type`."""
        return self._quick[0] if self._quick else self.part.type

    @property
    def text(self) -> str:
        """As Go prints it, escaped and cut."""
        if self._quick:
            return self._quick[1]
        return self.part.value.text if self.part.value is not UNSET else ""

    @property
    def meaning(self) -> str | None:
        """What it stands for, where its type has a way of its own to be read (a time, a duration, a
        named constant, the text in bytes); of a pointer that of what it leads to. Else None."""
        own, data = self._known("value"), self.data
        for told in (own, data):
            if told and told.meaning is not UNSET:
                return str(told.meaning)
        return None

    @property
    def address(self) -> Any:
        """Where it lies; None where that is no memory."""
        return self._known("address")

    @property
    def data(self) -> Any:
        """What it points at: a string's bytes, a slice's array, a pointee. None where nothing."""
        return self._known("data")

    @property
    def location(self) -> Any:
        """Where a variable (of a frame or of a package) lies, and of other values where what they
        point at lies; or None."""
        own = self._known("location")
        data = self.data
        return own if own is not None or isinstance(self.part, Variable) else (
            data.location if data else None
        )  # fmt: skip

    @property
    def value(self) -> Any:
        """Its text, length and capacity; None where there is no value."""
        if self._quick:
            return ValueText(self._quick[1])
        return self._known("value")

    @property
    def elements(self) -> Any:
        """Its inline parts as the reports have them, or None."""
        return self._known("elements")

    @property
    def dynamic_type(self) -> Any:
        """The type of what an interface holds, or None."""
        value = self.value
        return value.dynamic_type if value and value.dynamic_type is not UNSET else None

    @property
    def _held_type(self) -> str | None:
        """That, as the types of variables are called."""
        value = self.value
        full = value.full_type if value else UNSET
        return self.dynamic_type if full is UNSET else str(full)

    @property
    def frame(self) -> Any:
        """The number of a variable's frame."""
        return self._known("frame")

    @property
    def function(self) -> Any:
        """The function of a variable's frame."""
        return self._known("function")

    @property
    def state(self) -> Any:
        """Of a variable: live, not_yet, register, constant, optimized_out or unreadable."""
        return self._known("state")

    @property
    def why(self) -> Any:
        """Explains every state of a variable but live."""
        return self._known("why")

    @property
    def size(self) -> Any:
        """In bytes."""
        return self._known("size")

    @property
    def line(self) -> Any:
        """Where a variable is declared."""
        return self._known("line")

    @property
    def register(self) -> Any:
        """The register that holds it, or None."""
        return self._known("register")

    @property
    def parameter(self) -> Any:
        """Whether the caller gave it."""
        return self._known("parameter")

    @property
    def moved(self) -> Any:
        """Whether the compiler moved the variable to the heap."""
        return self._known("moved")

    def _too_many(self) -> UsageError:
        return UsageError(f"{self.name} has more parts than can be told as Python's own at once")

    def _told(self) -> str:
        """The text of a value that there is."""
        if self._quick:
            return self._quick[1]
        part = self.part
        if part.value is UNSET:
            state, why = getattr(part, "state", "unreadable"), getattr(part, "why", "")
            raise UsageError(f"{part.name} has no value here: {state}: {why}")
        if part.value.unreadable:
            raise UsageError(f"{part.name} cannot be told: {part.value.text}")
        return part.value.text

    @property
    def is_nil(self) -> bool:
        """Whether it is nil: a pointer, slice, map, channel, function or interface. As in Go, an
        interface that holds a nil pointer is not (`holds_nil`)."""
        return self.dynamic_type is None and self._told() == "nil" and not self._is_string()

    @property
    def holds_nil(self) -> bool:
        """Whether it is an interface that holds a nil pointer, slice, map, channel or function."""
        value = self.value
        if value is None or value.dynamic_type is UNSET:
            return False
        early = value.text == "nil" and not self._is_string()  # as recordings had it at first
        return bool(value.holds_nil or early)

    def _type_of_nil(self) -> str | None:
        """The type of what is nil: of what an interface holds, else its own. None: it is not."""
        if self.holds_nil:
            return self._held_type
        return self.type if self.is_nil else None

    def _length(self) -> int | None:
        if self._quick:
            return None
        value = self.part.value
        return None if value is UNSET or value.len is UNSET else value.len

    def _is_string(self) -> bool:
        """Whether it is a string, or an interface that holds one: nothing else has a length and no
        capacity, and leads to bytes, which have no type."""
        if self._quick:
            return False
        part, value = self.part, self.part.value
        if value is UNSET:
            return False
        data = part.data if part.data is not UNSET else None
        if value.dynamic_type is not UNSET:
            if data is None or data.elements is not UNSET or data.text != value.text:
                return False
            if value.dynamic_type == "string" and not value.text:
                return True
            return data.data is not UNSET and data.data.type is UNSET
        if value.len is UNSET or value.cap is not UNSET or part.elements is not UNSET:
            return False
        return data.type is UNSET if data else not value.text

    @property
    def _own_type(self) -> str:
        """The type of what lies here: of what an interface holds, of all else its own."""
        return str(self._held_type or self.type)

    def _is_list(self) -> bool:
        return self._length() is not None and not self._is_string() and not self._is_map()

    def _is_bytes(self) -> bool:
        data = self.data
        array = str(data.type) if data and data.type is not UNSET else self.type
        return self._is_list() and array.endswith(("]uint8", "]byte"))

    def _is_map(self) -> bool:
        data = self.data
        if self._own_type.startswith("map["):
            return True
        about = str(data.type) if data and data.type is not UNSET else ""
        return about.startswith(("hash<", "map<"))

    def _number(self, told: str) -> bool | int | float | complex | None:
        """What a text is as a number or truth value: of a float type a float, also where it has no
        fraction, with which it is not printed."""
        scalar = scalar_of(told)
        if isinstance(scalar, bool) or not isinstance(scalar, int):
            return scalar
        return float(scalar) if kind_named(self, self._own_type) in FLOATS else scalar

    def _is_single(self) -> bool:
        """Whether it has no parts: a number, a truth value."""
        return self._quick is not None or (scalar_of(self.text) is not None and not self.data)


def kind_named(value: Known, type_name: str) -> str:
    """The kind of any type, "" for one that the program or a recording does not know."""

    def own(name: str) -> str:
        try:
            return value._driver.kind(name)
        except GoprobeError:
            return ""

    return kind_by_name(type_name, own)


DEPTH = 16
"""How deep values are gone through: of parts within each other, of what leads on."""


def too_deep(name: str) -> UsageError:
    return UsageError(f"{name} leads deeper than {DEPTH} parts, or back to itself")


def equal_keys(name: str) -> UsageError:
    return UsageError(f"keys of {name} are equal in Python: go through its items()")


class TypedNil(msgspec.Struct, frozen=True):
    """A map's key that is an interface, and holds a nil pointer of a type."""

    type: str


def scalar_of(text: str) -> bool | int | float | complex | None:
    """A number or truth value as Go prints it."""
    if text in ("true", "false"):
        return text == "true"
    if text == "-0":
        return -0.0  # of a float: no integer prints so
    if _NUMBER.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _COMPLEX.fullmatch(text):
        return complex(text.replace("i", "j").replace("Infj", "infj").replace("NaNj", "nanj"))
    return None


def as_key(value: Any, type_name: str) -> Any:
    """A map's key as Python's dicts take it: an array is a tuple, a struct one with names."""
    if isinstance(value, list | tuple):
        return tuple(as_key(each, "") for each in value)
    if isinstance(value, dict):
        name = re.sub(r"\W", "_", type_name.rpartition(".")[2]) or "struct"
        made = namedtuple(name, value.keys(), rename=True)  # type: ignore[misc]
        return made(*(as_key(each, "") for each in value.values()))
    return value
