"""Objects of the heap, as a script asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import overload

import msgspec
from msgspec import UNSET

from goprobe.api.script.driver import Driver
from goprobe.api.script.value import Value
from goprobe.api.script.watch import Watchable
from goprobe.errors import UsageError
from goprobe.model.address import Address
from goprobe.model.location import Location
from goprobe.model.value import Data


class HeapPath(msgspec.Struct, frozen=True):
    """A way from a root to an object; `text` is as Go would write it."""

    steps: tuple[Location, ...]
    text: str

    def __str__(self) -> str:
        return self.text


class Objects(Sequence[Value]):
    """Objects of one type on the heap, each read when it is asked for; `addresses` says where."""

    def __init__(
        self, driver: Driver, type_name: str, addresses: tuple[Address, ...],
        check: Callable[[], object],
    ) -> None:  # fmt: skip
        self._driver, self._type, self._check = driver, type_name, check
        self.addresses = addresses

    def __len__(self) -> int:
        return len(self.addresses)

    @overload
    def __getitem__(self, index: int) -> Value: ...
    @overload
    def __getitem__(self, index: slice) -> Objects: ...
    def __getitem__(self, index: int | slice) -> Value | Objects:
        if isinstance(index, slice):
            return Objects(self._driver, self._type, self.addresses[index], self._check)
        self._check()
        at = int(self.addresses[index])
        read = self._driver.headed if self._are_headers else self._driver.value
        return Value(self._driver, read(self._type, at), self._check)

    @cached_property
    def _are_headers(self) -> bool:
        """Whether a value of the type is a pointer to what the object is."""
        return self._driver.kind(self._type) in ("map", "chan")

    def __repr__(self) -> str:
        return f"<{len(self)} of {self._type}>"


def object_of(thing: Watchable | int | str) -> int | str:
    """The address that is meant: what a value points at, or where it lies itself; of what objects
    are called the name."""
    if isinstance(thing, str):
        return thing
    if isinstance(thing, int):
        return int(thing)
    if isinstance(thing, Data):
        return int(thing.address)
    part = thing.part if isinstance(thing, Value) else thing
    at = part.data.address if part.data is not UNSET else part.address
    if at is UNSET or not int(at):
        raise UsageError(f"{part.name} leads to no object, and lies in no memory")
    return int(at)


def number_of(address: int) -> int:
    try:
        return int(address)
    except (TypeError, ValueError):
        raise UsageError(f"{address!r} is no address: addresses are integers here") from None
