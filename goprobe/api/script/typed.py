"""Typed reads: memory at an address as a value of a Go type, fields as attributes."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from goprobe.api.script.driver import Driver
from goprobe.errors import UsageError
from goprobe.model.address import Address
from goprobe.model.location import Location
from goprobe.model.value import Data, Element, Variable


class TypedMemory:
    """A Go type whose values can be read at any address."""

    def __init__(self, driver: Driver, name: str) -> None:
        self._driver = driver
        self.name = name

    def at(self, address: int) -> TypedValue:
        """The value at an address. Raises UsageError (no such type, unreadable memory)."""
        return TypedValue(self._driver.value(self.name, address))


class TypedValue:
    """A value: `text`, `type`, `address`; its fields as attributes, its elements by index.

    A pointer's fields are those of what it points at, as in Go. `int(value)` and `str(value)`
    give its number and its text.
    """

    def __init__(self, part: Element | Variable) -> None:
        self._part = part

    @property
    def type(self) -> str:
        return self._part.type

    @property
    def text(self) -> str:
        return self._part.value.text if self._part.value is not UNSET else ""

    @property
    def address(self) -> Address | None:
        return self._part.address if self._part.address is not UNSET else None

    @property
    def data(self) -> Data | None:
        """What it points at: a string's bytes, a slice's array, a pointee."""
        return self._part.data if self._part.data is not UNSET else None

    @property
    def location(self) -> Location | None:
        """Where what it points at lies."""
        return self.data.location if self.data else None

    def _parts(self) -> tuple[Element, ...]:
        if self._part.elements is not UNSET:
            return self._part.elements
        data = self.data
        return data.elements if data and data.elements is not UNSET else ()

    def __getattr__(self, name: str) -> TypedValue:
        if name.startswith("__"):
            raise AttributeError(name)
        for part in self._parts():
            if part.name == name:
                return TypedValue(part)
        known = ", ".join(p.name for p in self._parts()[:8])
        hint = f"; it has {known}" if known else ""
        raise AttributeError(f"a {self.type} has no field {name}{hint}")

    def __getitem__(self, index: int | str) -> TypedValue:
        wanted = f"[{index}]" if isinstance(index, int) else str(index)
        for part in self._parts():
            if part.name in (wanted, f'"{wanted}"'):
                return TypedValue(part)
        raise UsageError(f"{self.type} has no element {wanted}")

    def __iter__(self) -> Iterator[TypedValue]:
        return (TypedValue(part) for part in self._parts())

    def __len__(self) -> int:
        return len(self._parts())

    def __int__(self) -> int:
        return int(self.text, 0)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<{self.type} {self.text}>"
