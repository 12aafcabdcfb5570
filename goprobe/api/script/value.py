"""Values of the Go program in a script's hands: whole, read as they are asked for, with Go's
operators where Python has them.

A `Value` begins with what one reading told (a variable or a part of one, decoded to some depth);
what that left out, or cut, is asked of the program when the script comes to it, at the same stop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, SupportsIndex, overload

from msgspec import UNSET

from goprobe.api.notebook import line, table
from goprobe.api.script.equality import are_equal, leads_to
from goprobe.api.script.known import DEPTH, TypedNil, as_key, equal_keys, scalar_of, too_deep
from goprobe.api.script.scalar import Key, Scalar
from goprobe.budget import Budget
from goprobe.errors import NoSuchElementError, NoSuchFieldError, UsageError
from goprobe.model.value import Data, Element
from goprobe.runtime.values.text import escape, quoted

_AT_ONCE = 256  # elements of one question
_UNREADABLE = "unreadable: "
_MEMBERS_SHOWN = 8
_CODE = "func value"  # in place of the type that a function leads to
_PARTS = 1 << 24  # of what `py` makes; a slice of what takes no room may say that it has any number
_LOOKED_FOR = (tuple, list, dict, complex, TypedNil)  # among all keys


class Value(Scalar):
    """A value of the Go program. Its fields are attributes (through pointers, as in Go, and of
    embedded structs, too) or, where they clash with these here, `value["name"]`; its elements are
    indexed, sliced and iterated; a map's by keys of its key's kind.

    It compares with Python's own: numbers, strings, bytes, lists, dicts; nil equals None, an
    interface that holds a nil pointer does not. Two values are equal as in Go: pointers by their
    addresses (`p.py == q.py` compares what they lead to), interfaces by type and value, structs by
    their fields; slices and maps, which Go does not compare, by what they hold. `int()`, `float()`,
    `str()`, `len()` and `py` give Python's own. What the program does not have at this stop (not
    assigned yet, optimised away) raises UsageError with the reason.
    """

    __slots__ = ()

    # Python's own

    @property
    def py(self) -> Any:
        """All of it as Python's own: bool, int, float, complex, str (bytes where it is no text),
        list, dict, None for nil. Pointers are what they point at, interfaces what they hold: None
        where that is nil. Raises UsageError for what leads back to itself, and for more parts than
        sixteen million."""
        return self._python(DEPTH, Budget(_PARTS, self._too_many))

    def _python(self, depth: int, parts_left: Budget) -> Any:
        if content := self._content():
            return content._python(depth if self.dynamic_type else depth - 1, parts_left)
        parts_left.spend(1 if self._is_string() else max(self._length() or 1, 1))
        if not depth:
            raise too_deep(self.name)
        text = self._told()
        if self.is_nil or self.holds_nil:
            return None
        if self._is_string():
            raw = self._bytes()
            try:
                return raw.decode()
            except UnicodeDecodeError:
                return raw
        if text == "{}":
            return {}
        scalar = self._number(text) if self._length() is None else None
        if scalar is not None and not (self.data and not isinstance(scalar, float | complex)):
            return scalar
        if self._is_map():
            pairs = [(k, v._python(depth - 1, parts_left)) for k, v in self.items()]
            if len(made := dict(pairs)) < len(pairs):
                raise equal_keys(self.name)
            return made
        if self._length() is not None:
            return [each._python(depth - 1, parts_left) for each in self]
        parts = self._fields()
        if parts:
            return {p.name: self._of(p)._python(depth - 1, parts_left) for p in parts}
        data = self.data
        if data and data.text.startswith(_UNREADABLE):
            return data.text
        if data and data.type not in (UNSET, _CODE):
            return self._again(data)._python(depth - 1, parts_left)
        return scalar if scalar is not None else text

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Value):
            return are_equal(self, other, Budget(_PARTS, self._too_many))
        if other is None:
            return self.is_nil
        text = self._told()
        if isinstance(other, str | bytes):
            raw = other if isinstance(other, bytes) else other.encode("utf-8", "surrogateescape")
            if not self._is_string():
                return isinstance(other, bytes) and self._is_bytes() and self.py == [*other]
            length = self._length()
            if length is not None and length != len(raw):
                return False
            return text == escape(raw) or self._bytes() == raw
        if isinstance(other, int | float | complex):
            scalar = scalar_of(text) if not self._is_string() else None
            both = isinstance(scalar, bool) == isinstance(other, bool)
            return scalar is not None and both and self._length() is None and scalar == other
        if isinstance(other, tuple):
            return bool(as_key(self.py, self.type) == as_key(other, ""))
        if isinstance(other, list | dict):
            return bool(self.py == other)
        return NotImplemented

    __hash__ = Scalar.__hash__

    def __bool__(self) -> bool:
        """As in Python: false, nil, 0 and what is empty are not, everything else is, also an
        interface that holds a nil pointer."""
        if self.holds_nil:
            return True
        if dynamic := self._dynamic():
            return bool(dynamic)
        text, length = self._told(), self._length()
        if self.is_nil or self._is_string():
            return bool(text) and not self.is_nil
        return bool(length) if length is not None else scalar_of(text) not in (0, False)

    def __bytes__(self) -> bytes:
        if self._is_string():
            return self._bytes()
        return bytes(int(each) for each in self)

    def __str__(self) -> str:
        return (
            self._bytes().decode(errors="backslashreplace") if self._is_string() else self._told()
        )

    def __repr__(self) -> str:
        if not self._quick and self.part.value is UNSET:
            return f"<{self.name} {self.type} {self.state}: {self.why}>"
        text = quoted(self.text) if self._is_string() else self.text
        return f"<{self.type} {text}{f' = {self.meaning}' if self.meaning else ''}>"

    def _repr_html_(self) -> str:
        fields = [] if self._quick or self._is_list() or self._is_map() else self._fields()
        if not fields:
            return line(self)
        return table((part.name, part.type, self._of(part).text) for part in fields)

    def __reduce__(self) -> Any:
        raise TypeError("a value of a stopped program cannot be pickled: pickle its .py")

    # Parts

    def _dynamic(self) -> Value | None:
        """What an interface holds, where that lies in a box."""
        if self._quick:
            return None
        part = self.part
        if part.value is UNSET or part.value.dynamic_type is UNSET or part.data is UNSET:
            return None
        if part.data.type != self._held_type or self._is_string():
            return None
        return self._again(part.data)

    def _content(self) -> Value | None:
        """What an interface's box holds; what a pointer leads to, where that has a length, or is a
        pointer itself."""
        if (dynamic := self._dynamic()) or self._quick or self._length() is not None:
            return dynamic
        data = self.data
        if not data or data.type in (UNSET, _CODE) or self._is_string():
            return None
        return self._again(data) if data.len is not UNSET or data.type.startswith("*") else None

    def _of(self, part: Element) -> Value:
        return Value(self._driver, part, self._alive)

    def _again(self, data: Data) -> Value:
        """What a pointer leads to, read anew from there on."""
        if data.type is UNSET:
            raise UsageError(
                f"what {self.name} leads to is not told{data.text and f': {data.text}'}"
            )
        if data.text.startswith(_UNREADABLE):
            raise UsageError(f"what {self.name} leads to is {data.text}")
        self._alive()
        return self._of(self._driver.value(data.type, int(data.address)))

    def _fields(self) -> tuple[Element, ...]:
        """A struct's fields, those of what a pointer points at, too."""
        part = self.part
        if part.elements is not UNSET:
            return part.elements
        data = part.data if part.data is not UNSET else None
        if data is None:
            if part.value is not UNSET and part.value.text == "{…}" and part.address is not UNSET:
                self._alive()
                again = self._driver.value(part.type, int(part.address))
                return again.elements if again.elements is not UNSET else ()
            return ()
        cut = data.text.startswith(("…", "{…}"))  # too deep, or a cycle: the value itself again
        if data.elements is UNSET and cut and data.type is not UNSET:
            again_ = self._again(data).part
            return again_.elements if again_.elements is not UNSET else ()
        return data.elements if data.elements is not UNSET else ()

    def _field(self, name: str) -> Value | None:
        if dynamic := self._dynamic():
            return dynamic._field(name)
        own = self._fields() if not self._is_list() else ()
        for part in own:
            if part.name == name:
                return self._of(part)
        # A field of an embedded struct, whose field is named as its type is.
        for part in own:
            bare = part.type.lstrip("*").rpartition(".")[2].partition("[")[0]
            if part.name == bare and (field := self._of(part)._field(name)) is not None:
                return field
        return None

    def __getattr__(self, name: str) -> Value:
        if name.startswith("__"):
            raise AttributeError(name)
        if (field := self._field(name)) is None:
            raise NoSuchFieldError(self._why_no_field(name))
        return field

    def _why_no_field(self, name: str) -> str:
        self._told()
        if self.is_nil:
            return f"{self.name} is nil: it leads to no field {name}"
        if self.holds_nil:
            return f"{self.name} holds {self.text}, which has no fields"
        known = ", ".join(p.name for p in self._fields()[:_MEMBERS_SHOWN])
        return f"a {self.type} has no field {name}{known and f'; it has {known}'}"

    def __dir__(self) -> list[str]:
        own = [name for name in dir(type(self)) if not name.startswith("_")]
        try:
            fields = [] if self._is_list() or self._is_map() else [p.name for p in self._fields()]
        except UsageError:
            fields = []
        return [*dict.fromkeys((*fields, *own))]

    @overload
    def __getitem__(self, index: slice) -> list[Value]: ...
    @overload
    def __getitem__(self, index: Key) -> Value: ...
    def __getitem__(self, index: slice | Key) -> Value | list[Value]:
        if content := self._content():
            return content[index]
        if self._is_map():
            return self._entry(index)
        if isinstance(index, slice):
            return list(self._range(range(*index.indices(len(self)))))
        if isinstance(index, str):
            if (field := self._field(index)) is None:
                raise NoSuchElementError(self._why_no_field(index))
            return field
        if not isinstance(index, SupportsIndex):
            raise TypeError(f"a {self.type} is indexed by integers, not {type(index).__name__}")
        at, length = index.__index__(), len(self)
        if not -length <= at < length:
            raise NoSuchElementError(f"{self.type} has no element [{at}]: its length is {length}")
        return next(self._range(range(at % length, at % length + 1)))

    def _as_key(self) -> Any:
        """What it is as a key: of what is compared by its address, that."""
        if self.holds_nil:
            return TypedNil(str(self._held_type))
        if dynamic := self._dynamic():
            return dynamic._as_key()
        if (address := leads_to(self)) is not None:
            return address
        return as_key(self.py, self.type)

    def _entry(self, key: object) -> Value:
        if isinstance(key, Value):
            key = key._as_key()
        self._told()
        data = self.data
        wanted = key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else key
        if wanted is None or isinstance(wanted, _LOOKED_FOR):
            return self._entry_of(as_key(wanted, ""))
        if not isinstance(wanted, str | int | float):
            raise TypeError(f"a {self.type} has no keys such as {key!r}")
        shown = str(wanted).lower() if isinstance(wanted, bool) else str(wanted)
        element = None
        if data:
            self._alive()
            kind = "string" if isinstance(wanted, str) else "number"
            element = self._driver.entry(self._own_type, int(data.address), kind, shown)
        if element is None:
            raise NoSuchElementError(f"{self.type} has no element {key!r}")
        return self._of(element)

    def _entry_of(self, wanted: Any) -> Value:
        """Of a key that is an array or a struct, by its parts in their order; of nil."""
        for key, value in self.items():
            if key == wanted:
                return value
        raise NoSuchElementError(f"{self.type} has no element {wanted!r}")

    def __contains__(self, key: object) -> bool:
        if content := self._content():
            return key in content
        if self._is_string():
            part = key.encode("utf-8", "surrogateescape") if isinstance(key, str) else key
            return isinstance(part, bytes) and part in self._bytes()
        if self._is_map():
            try:
                self._entry(key)
            except NoSuchElementError:
                return False
            return True
        return any(each == key for each in self)

    def items(self) -> Iterator[tuple[Any, Value]]:
        """A map's keys, as Python's own (arrays as tuples, structs as named ones), and values."""
        if content := self._content():
            yield from content.items()
            return
        if not self._is_map():
            raise TypeError(f"a {self.type} is no map")
        self._told()
        start, data = 0, self.data
        while data:
            self._alive()
            pairs = self._driver.entries(self._own_type, int(data.address), start, _AT_ONCE)
            for key, value in zip(pairs[::2], pairs[1::2], strict=True):
                yield self._of(key)._as_key(), self._of(value)
            start += _AT_ONCE
            if len(pairs) < 2 * _AT_ONCE:
                return

    def keys(self) -> Iterator[Any]:
        """A map's keys, as Python's own: a loop over the map gives them, too."""
        return (key for key, _ in self.items())

    def values(self) -> Iterator[Value]:
        """A map's values."""
        return (value for _, value in self.items())

    def __iter__(self) -> Iterator[Any]:
        if content := self._content():
            return iter(content)
        if self._is_map():
            return self.keys()
        if self._is_list():
            return self._range(range(len(self)))
        if self._is_string():
            return iter(self.py)
        self._told()
        if self._is_single():
            raise TypeError(f"{self.name} is a {self.type} and has no elements")
        return (self._of(part) for part in self._fields())

    def _range(self, indices: range) -> Iterator[Value]:
        """The elements at some indexes, which exist."""
        part, data = self.part, self.data
        known = part.elements if part.elements is not UNSET else (
            data.elements if data and data.elements is not UNSET else ()
        )  # fmt: skip
        position = 0
        while position < len(indices):
            at = indices[position]
            if at < len(known) and known[at].name == f"[{at}]" and known[at].value.text != "…":
                yield self._of(known[at])
                position += 1
                continue
            count = min(_AT_ONCE, len(indices) - position) if indices.step == 1 else 1
            yield from map(self._of, self._asked(at, count))
            position += count

    def _asked(self, start: int, count: int) -> tuple[Element, ...]:
        part, data = self.part, self.data
        self._alive()
        if self._is_string():
            raise UsageError(
                f"index {self.name}.py for its characters, bytes({self.name}) for its bytes"
            )
        if data:
            return self._driver.items(self._own_type, int(data.address), start, count)
        if part.address is UNSET:
            raise UsageError(f"nothing says where element [{start}] of {self.name} lies")
        return self._driver.items(self._own_type, int(part.address), start, count)

    def __len__(self) -> int:
        if content := self._content():
            return len(content)
        self._told()
        length = self._length()
        if length is None and self._is_single():
            raise TypeError(f"{self.name} is a {self.type} and has no length")
        return len(self._fields()) if length is None else length
