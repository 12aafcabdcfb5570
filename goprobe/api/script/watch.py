"""A watch in a script's hands, and what it tells of each write."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from msgspec import UNSET

from goprobe.api.notebook import line
from goprobe.api.script.driver import Driver
from goprobe.api.script.packagevariable import package_variable
from goprobe.api.script.value import Value
from goprobe.api.script.warned import StopWarning
from goprobe.errors import GoprobeError, NoSuchElementError, UsageError
from goprobe.model.address import Address
from goprobe.model.calls import CallFrame
from goprobe.model.value import Data, Element, Variable
from goprobe.runtime.values.text import unquoted

if TYPE_CHECKING:
    from goprobe.api.script.stop import Stop

Watchable = Value | Variable | Element | Data
Onwards = Callable[[tuple[int, ...]], "tuple[Stop, bool] | None"]
"""Runs to the next stop of one of these watches: it, and whether the watch is over."""

_MAPS_ENTRIES = (
    "watched is which map it is: writes to its entries stop nobody, a watch of an entry does"
    " (watch('m[\"k\"]'))"
)
_WORD = 8
_MOST_ELEMENTS = 10_000


class Hit:
    """A write to watched bytes. `old` and `new` are the value before and after it, as Python's own
    (as `Value.py` has it, else as text; bytes where an address is watched); `stop` is where the
    program stands right behind the write. Of threads that wrote in the same instant each has a hit:
    the first with the value after all of them, the others with that as `old` and `new`.
    """

    def __init__(self, stop: Stop, old: Any, new: Any, writer: CallFrame | None) -> None:
        self.stop = stop
        self.old = old
        self.new = new
        self.writer = writer
        """The function and line that wrote (of the program's own code the innermost); None where
        that is not known: the change was seen at a stop for something else."""

    @property
    def goroutine(self) -> int:
        """Which goroutine wrote."""
        return self.stop.goroutine

    def _repr_html_(self) -> str:
        return line(self)

    def __repr__(self) -> str:
        by = f" by {self.writer.function}, line {self.writer.line}" if self.writer else ""
        return f"<{self.old!r} -> {self.new!r}{by}>"


class Watch:
    """A watch on some bytes; `cancel` frees its hardware watchpoints. `address` is where they lie
    by now: those on a stack move with it. `next(watch)` runs to the next write, and tells of it;
    a loop over the watch goes on to the end of the program, or of what is watched.
    """

    def __init__(
        self, driver: Driver, numbers: tuple[int, ...], watched: Watched,
        addresses: Mapping[int, int], onwards: Onwards,
    ) -> None:  # fmt: skip
        self._driver = driver
        self._watched = watched
        self._address = watched.address
        self._addresses = addresses
        self._onwards = onwards
        self.numbers = numbers
        self.size = watched.size

    @property
    def address(self) -> Address:
        """Where the bytes lie now, in the program's address space."""
        at = next((self._addresses[n] for n in self.numbers if n in self._addresses), self._address)
        return Address(at)

    def cancel(self) -> None:
        """Watch no more."""
        self._address = int(self.address)
        for number in self.numbers:
            self._driver.unwatch(number)
        self.numbers = ()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Hit:
        if not self.numbers:
            raise StopIteration
        old, pointer = self._now(), self._pointer()
        arrived = self._onwards(self.numbers)
        if arrived is None:
            raise StopIteration
        stop, over = arrived
        if over:
            self.numbers = ()
            raise StopIteration
        if pointer:  # what it led to may have changed since, without a hit
            old = self._at(self._watched.type[1:], pointer)
        return Hit(stop, old, self._now(), self._driver.writer())

    def _pointer(self) -> int:
        """Where the watched pointer leads; 0 of what is none."""
        if self._watched.type.startswith("*"):
            with suppress(GoprobeError):  # recordings of earlier releases do not have it
                return int.from_bytes(self._driver.read(int(self.address), _WORD), "little")
        return 0

    def _now(self) -> Any:
        """What is there now."""
        at = int(self.address)
        if self._watched.type:
            return self._at(self._watched.type, at)
        return self._driver.read(at, self.size)

    def _at(self, type_name: str, address: int) -> Any:
        driver = self._driver
        try:
            value = Value(driver, driver.value(type_name, address), lambda: None)
        except UsageError as error:  # a header that is written in part may lead anywhere
            return f"unreadable: {error.message}"
        try:
            small = value.value is None or _length(value) <= _MOST_ELEMENTS
            return value.py if small and not value.holds_nil else value.text
        except GoprobeError:
            return value.text

    def __reduce__(self) -> Any:
        raise TypeError("a watch on a running program cannot be pickled")


def _length(value: Value) -> int:
    told = value.value
    return told.len if told is not None and told.len is not UNSET else 0


class Watched:
    """What is to be watched: `element` as `Driver.extent` has it, `type` "" where it is bytes
    alone."""

    def __init__(self, address: int, size: int, element: int = 0, type_name: str = "") -> None:
        self.address, self.size, self.element, self.type = address, size, element, type_name


def watched_of(driver: Driver, thing: Watchable | int, size: int) -> Watched:
    if isinstance(thing, int):
        if size <= 0:
            raise UsageError("say how many bytes to watch: watch(address, size)")
        return Watched(int(thing), size)
    part = thing.part if isinstance(thing, Value) else thing
    if isinstance(thing, Value) and thing._is_map():
        warnings.warn(_MAPS_ENTRIES, StopWarning, stacklevel=3)
    if part.address is UNSET:
        why = f": {part.state}: {part.why}" if isinstance(part, Variable) and part.why else ""
        raise UsageError(
            f"cannot watch {getattr(part, 'name', 'it')}: it lies at no one address{why}"
        )
    if size:
        return Watched(int(part.address), size)
    if isinstance(part, Data):
        return Watched(int(part.address), part.size if part.size is not UNSET else _WORD)
    known, element = driver.extent(part.type)
    if isinstance(part, Variable) and part.size is not UNSET:
        known = part.size
    return Watched(int(part.address), known, element, part.type)


_BEGIN = re.compile(r"[^\W\d]\w*")
_STEP = re.compile(r'\.([^\W\d]\w*)|\[(-?\d+)\]|\[("(?:[^"\\]|\\.)*")\]')


def meant_by(
    text: str,
    variable: Callable[[str], Value | None],
    driver: Driver,
    alive: Callable[[], object],
    package: str,
) -> Value:
    """What a script names: `t.Inner.S`, `p.recent[1]`, `m["k"].N`, a variable of a package
    (`main.limit`; of `package`, by its name alone). Raises NoSuchElementError."""
    first = _BEGIN.match(text)
    steps, at = list[str | int](), first.end() if first else 0
    while first and at < len(text) and (step := _STEP.match(text, at)):
        field, index, key = step.groups()
        steps.append(field or (int(index) if index else unquoted(key).decode(errors="replace")))
        at = step.end()
    if first is None or at < len(text):
        hint = 'a part is "t.Inner.S" or "list[1].N"'
        raise NoSuchElementError(f"{text!r} names no variable", hint=hint)
    value = variable(first[0])
    if value is None:
        with suppress(NoSuchElementError):
            value = package_variable(driver, f"{package}.{first[0]}", alive)
    if value is None and steps and isinstance(steps[0], str):
        value = package_variable(driver, f"{first[0]}.{steps.pop(0)}", alive)
    if value is None:
        raise NoSuchElementError(
            f"no variable {first[0]} in scope, and package {package} has none of that name"
        )
    for part in steps:
        value = value[part]
    return value
