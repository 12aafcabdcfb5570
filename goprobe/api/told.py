"""A value of a call in a script's hands: read while the call was held, and told up to a limit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import UNSET

from goprobe.api.script.known import TypedNil, as_key, equal_keys, scalar_of
from goprobe.api.script.typerules import INTERFACES, kind_by_name
from goprobe.errors import NoSuchElementError, NoSuchFieldError, UsageError
from goprobe.model.address import Address
from goprobe.model.calls import CallValue
from goprobe.runtime.values.text import unquoted

_CUT = "…"
_PARTS = ('"', "[", "{", "map[", "(")
"""What the texts of strings, lists, structs, maps and complex numbers begin with."""
_CHANNEL = re.compile(r" 0x[0-9a-f]+ len \d+ cap \d+( closed)?$")


class Told:
    """A value as it was at a call. It compares with Python's own numbers, strings, truth values,
    lists, dicts and None (nil, which an interface that holds a nil pointer is not), and with others
    as in Go: pointers, channels and functions by their addresses, interfaces by type and value.
    Its fields are attributes or `value["name"]`; elements of slices and arrays are indexed, a map's
    by keys of its key's kind. Strings, lists and maps are told up to a limit: `text` shows where
    they are cut, `len()` is the whole's."""

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
        """Python's own number, string (bytes where it is no text), truth value, None, list or dict;
        of an interface what it holds, of a pointer what it leads to; a map's keys are tuples where
        they are arrays, named ones of structs, addresses of pointers. Raises UsageError where the
        value could not be read, was told in part, or is of a kind that Python has not."""
        value, name = self._value, self._value.name or "the value"
        if self._holds_nil():
            return None
        if value.why:
            raise UsageError(f"{name} cannot be told: {value.why}")
        if value.value is not UNSET:
            return value.value
        bare = value.text.removeprefix("&")
        if bare.startswith('"'):
            return self._string(bare)
        if self._is_map():
            entries = list(self.items())
            self._check_whole(len(entries))
            made = {key: each.py for key, each in entries}
            if len(made) < len(entries):
                raise equal_keys(name)
            return made
        if self._is_list():
            return [part.py for part in self]
        if value.elements is not UNSET and not self._is_channel():
            return {part.name: part.py for part in self._parts()}
        if bare == "{}":
            return {}
        if not bare.startswith("0x") and (number := scalar_of(bare)) is not None:
            return number  # that a pointer leads to
        if _CUT in value.text:
            raise UsageError(f"{name} was told in part: {value.text}")
        raise UsageError(f"{name} is a {self.dynamic_type or self.type}: Python has its text alone")

    def _string(self, literal: str) -> str | bytes:
        raw, length = unquoted(literal), self._value.len
        if _CUT in literal if length is UNSET else length != len(raw):
            raise UsageError(f"{self.name or 'the value'} was told in part: {self.text}")
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw

    def _parts(self) -> list[Told]:
        elements = self._value.elements
        return [] if elements is UNSET else [Told(part) for part in elements]

    def _holds_nil(self) -> bool:
        held = self._value.dynamic_type
        return held is not UNSET and self._value.text == f"{held}(nil)"

    def _is_map(self) -> bool:
        return self._value.text.removeprefix("&").startswith("map[")

    def _is_list(self) -> bool:
        return self._value.text.removeprefix("&").startswith("[")

    def _is_channel(self) -> bool:
        return bool(_CHANNEL.search(self._value.text)) and self._leads_to() is not None

    def _check_whole(self, shown: int) -> None:
        length = self._value.len
        if length is not UNSET and length != shown:
            raise UsageError(f"only {shown} of {length} elements were told")

    def _leads_to(self) -> Address | str | None:
        """What a pointer, a channel, a function is; None of all else."""
        value = self._value
        if value.address is UNSET or value.value is not UNSET or value.text.startswith(_PARTS):
            return None
        number = not value.text.startswith("0x") and scalar_of(value.text) is not None
        return None if number else value.address

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Told):
            return _are_equal(self, other)
        if other is None and not self._value.why:
            return self._value.value is None
        own = self.py
        if isinstance(other, bytes) and isinstance(own, str):
            own = own.encode("utf-8", "surrogateescape")
        if isinstance(own, bool) != isinstance(other, bool):
            return False
        return bool(own == (list(other) if isinstance(other, tuple) else other))

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
        if self._value.value is None:
            return False
        if self._holds_nil() or self._leads_to() is not None:
            return True
        return bool(self._value.len) if self._value.len is not UNSET else bool(self.py)

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

    def __getitem__(self, key: Any) -> Told:
        if self._is_map():
            return self._entry(key)
        wanted = f"[{key if key >= 0 else len(self) + key}]" if isinstance(key, int) else key
        for part in self._parts():
            if part.name == wanted:
                return part
        if isinstance(key, str):
            raise NoSuchFieldError(f"{self.type} has no field {key} that was told")
        raise NoSuchElementError(f"element {key} of {self.name or self.type} was not told")

    def _entry(self, key: Any) -> Told:
        wanted = key._as_key() if isinstance(key, Told) else key
        entries = list(self.items())
        for each, value in entries:
            if each == wanted and isinstance(each, bool) is isinstance(wanted, bool):
                return value
        self._check_whole(len(entries))
        raise NoSuchElementError(f"{self.type} has no element {wanted!r}")

    def __contains__(self, key: object) -> bool:
        if not self._is_map():
            return any(part == key for part in self)
        try:
            self._entry(key)
        except NoSuchElementError:
            return False
        return True

    def items(self) -> Iterator[tuple[Any, Told]]:
        """Those of a map's keys that were told, as Python's own, and their values."""
        if not self._is_map() and self._value.value is not None:
            raise TypeError(f"a {self.type} is no map")
        return ((part._own_key(), part) for part in self._parts())

    def _own_key(self) -> Any:
        """The key of a map's entry."""
        if self._value.key is not UNSET:
            return Told(self._value.key)._as_key()
        name = self._value.name
        if not name.startswith('"'):
            scalar = scalar_of(name)
            return name if scalar is None else scalar
        if _CUT in name:
            raise UsageError(f"a key was told in part: {name}")
        return Told(CallValue("a key", "string", name)).py

    def _as_key(self) -> Any:
        if self._holds_nil():
            return TypedNil(str(self.dynamic_type))
        if (address := self._leads_to()) is not None:
            return address
        return as_key(self.py, self.dynamic_type or self.type)

    def __getattr__(self, name: str) -> Told:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __dir__(self) -> list[str]:
        fields = [] if self._is_map() or self._is_list() else [p.name for p in self._parts()]
        own = [name for name in dir(type(self)) if not name.startswith("_")]
        return [*dict.fromkeys((*fields, *own))]

    def __iter__(self) -> Iterator[Any]:
        if self._is_map():
            return (key for key, _ in self.items())
        parts = self._parts()
        if self._is_list():
            self._check_whole(len(parts))
        return iter(parts)

    def __repr__(self) -> str:
        return self.text or f"<{self._value.why}>"


def _are_equal(a: Told, b: Told) -> bool:
    if a._value.value is None or b._value.value is None:
        return a._value.value is b._value.value and _are_equal_nils(a, b)
    boxed = a.dynamic_type or b.dynamic_type
    if boxed and (a.dynamic_type or a.type) != (b.dynamic_type or b.type):
        return False
    if a._holds_nil() or b._holds_nil():
        return a.text == b.text
    if a._leads_to() is not None or b._leads_to() is not None:
        return a._leads_to() == b._leads_to()
    if a._is_map() and b._is_map():
        theirs = dict(b.items())
        entries = list(a.items())
        a._check_whole(len(entries))
        b._check_whole(len(theirs))
        return len(a) == len(b) and all(k in theirs and v == theirs[k] for k, v in entries)
    parts, others = a._value.elements, b._value.elements
    if parts is UNSET or others is UNSET or a._is_list() is not b._is_list():
        own, other = a.py, b.py
        return isinstance(own, bool) is isinstance(other, bool) and bool(own == other)
    return len(a) == len(b) and all(
        one.name == two.name and (one.name == "_" or one == two)
        for one, two in zip(a, b, strict=True)
    )


def _are_equal_nils(a: Told, b: Told) -> bool:
    """A nil interface is no nil pointer."""
    kinds = [kind_by_name(each.type, lambda _: "") for each in (a, b)]
    if "" in kinds and a.type != b.type:
        raise UsageError(
            f"both are nil: whether a {a.type} equals a {b.type} then, calls do not tell"
        )
    return a.type == b.type or (kinds[0] in INTERFACES) is (kinds[1] in INTERFACES)


def _plain(other: Any) -> Any:
    return other.py if isinstance(other, Told) else other
