"""What decoding a value gives, what it asks for, and how much of a value is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.model.address import Address
from goprobe.model.location import Location
from goprobe.model.value import Data, Element, Value
from goprobe.runtime.values.storage import LeftOutError, Storage, words
from goprobe.runtime.values.text import quoted

_NILABLE = {
    GoKind.POINTER, GoKind.UNSAFE_POINTER, GoKind.SLICE, GoKind.MAP, GoKind.CHAN, GoKind.FUNC,
}  # fmt: skip


_SAY_LESS = {
    GoKind.ARRAY, GoKind.STRUCT, GoKind.INTERFACE, GoKind.POINTER, GoKind.CHAN,
    GoKind.UNSAFE_POINTER,
}  # fmt: skip


Inline = Callable[[GoType, Element], str]
"""How a part reads within the whole."""


class Limits(msgspec.Struct, frozen=True):
    """How much of a value is shown. `string` in bytes, `text` in characters of one text."""

    string: int = 1024
    text: int = 4096
    elements: int = 64
    fields: int = 4096
    depth: int = 6
    nodes: int = 5000
    map_scan: int = 1024

    def cut(self, text: str) -> str:
        return text if len(text) <= self.text else f"{text[: self.text - 1]}…"

    def listed(self, element: GoType, parts: tuple[Element, ...], count: int, how: Inline) -> str:
        shown = [how(element, p) for p in parts]
        if count > len(parts):
            shown.append(f"… {count - len(parts)} more")
        return self.cut(f"[{' '.join(shown)}]")

    def in_braces(self, types: Iterable[GoType], parts: tuple[Element, ...], how: Inline) -> str:
        shown = (f"{p.name}:{how(kind, p)}" for kind, p in zip(types, parts, strict=True))
        return self.cut(f"{{{' '.join(shown)}}}")

    def mapped(self, value: GoType, parts: tuple[Element, ...], count: int, how: Inline) -> str:
        shown = [f"{p.name}:{how(value, p)}" for p in parts]
        if count > len(parts):
            shown.append(f"… {count - len(parts)} more")
        return self.cut(f"map[{' '.join(shown)}]")


class RuntimeTypes(Protocol):
    """What is asked of the runtime's type descriptors."""

    def name(self, rtype: int) -> str: ...
    def kind(self, rtype: int) -> GoKind: ...
    def holds_pointer_directly(self, rtype: int) -> bool: ...
    def is_laid_out(self, rtype: int) -> bool: ...


class ValueTypes(Protocol):
    """The types of values, by the numbers that they have of their parts, by their descriptors, and
    by their names."""

    def at(self, number: int, /) -> GoType: ...
    def of(self, rtype: int) -> GoType: ...
    def named(self, name: str) -> GoType | None: ...
    def constant(self, go_type: GoType, value: int, /) -> str: ...


class Capture(msgspec.Struct, frozen=True):
    """A variable that a closure captured: `offset` in bytes from the closure object's start."""

    name: str
    type: GoType
    offset: int


class Decoded(msgspec.Struct, frozen=True):
    """A value with what it points at and its inline parts."""

    value: Value
    data: Data | UnsetType = UNSET
    elements: tuple[Element, ...] | UnsetType = UNSET

    def as_element(self, name: str, go_type: GoType, address: int | None) -> Element:
        """The value as a part of another, called `name` there."""
        return Element(
            name=name,
            type=go_type.name,
            address=UNSET if address is None else Address(address),
            value=self.value,
            data=self.data,
            elements=self.elements,
        )

    def as_data(self, go_type: GoType, address: Address, location: Location) -> Data:
        """The value as what a pointer to `address` leads to."""
        return Data(
            address=address,
            location=location,
            text=self.value.text,
            size=go_type.size,
            type=go_type.name,
            len=self.value.len,
            dynamic_type=self.value.dynamic_type,
            elements=self.elements,
            data=self.data,
            meaning=self.value.meaning,
            reading=self.value.reading,
        )


def unreadable(why: str) -> Decoded:
    """In place of a part that cannot be read."""
    return Decoded(Value(f"unreadable: {why}", unreadable=True))


class Walk(msgspec.Struct):
    """The state of decoding one variable: nodes left, and the pointees on the way here."""

    nodes: int
    chain: list[tuple[int, int]] = msgspec.field(default_factory=list)


def inline(go_type: GoType, part: Element) -> str:
    """A part as it reads within the text of the whole: strings are quoted there."""
    if is_text(go_type, part):
        return quoted(part.value.text)
    return part.value.text


def inline_meaning(go_type: GoType, part: Element) -> str:
    """The same, by what the part stands for."""
    value = part.value
    if value.meaning is not UNSET:
        return value.meaning
    return inline(go_type, part) if value.reading is UNSET else value.reading


def has_meaning(part: Element) -> bool:
    return part.value.meaning is not UNSET or part.value.reading is not UNSET


def inline_key(go_type: GoType, part: Element) -> str:
    """A map's key as it reads there: in an interface with its type, but for what is of the type
    that a constant of this text has (Go specification, Constants): no two keys read alike."""
    text, value = inline(go_type, part), part.value
    if value.dynamic_type is UNSET or value.holds_nil or value.unreadable:
        return text
    plain = value.dynamic_type in ("string", "int", "bool")
    if value.dynamic_type == "float64":
        plain = not text.lstrip("-").isdigit()
    return text if plain else f"{value.dynamic_type}({text})"


def as_entry(value: Element, key_type: GoType, key: Element) -> Element:
    """A value in a map, named as its key reads, which is beside it where that does not say all."""
    name = inline_key(key_type, key)
    return replace(value, name=name, key=key if key_type.kind in _SAY_LESS else UNSET)


def is_text(go_type: GoType, part: Element) -> bool:
    """Whether a part's text is that of a Go string: not "…", nor why it could not be read."""
    if part.value.dynamic_type is UNSET:
        return go_type.kind == GoKind.STRING and part.value.len is not UNSET
    return is_boxed_text(part.value, part.data)


def is_boxed_text(value: Value, box: Data | UnsetType) -> bool:
    """The same of what an interface holds, in its box: a string's leads on to its bytes, which have
    no type."""
    if not value.text:
        return True
    if box is UNSET or box.data is UNSET or box.text != value.text:
        return False
    return box.data.type is UNSET


def boxed(value: Value, go_type: GoType, name: str) -> Value:
    """The value of an interface that holds this one, whose type is called `name`. What is nil there
    is told with its type: the interface itself is not nil."""
    nil = value.text == "nil" and go_type.kind in _NILABLE
    return replace(
        value,
        text=f"{name}(nil)" if nil else value.text,
        dynamic_type=name,
        holds_nil=nil,
        full_type=UNSET if go_type.name == name else go_type.name,
    )


def header(place: Storage, what: str) -> tuple[int, int, Decoded | None]:
    """Address and length of a string or slice; where the optimiser kept only the length, what can
    be told of that."""
    try:
        pointer, length = words(place, 2)
    except LeftOutError:
        length = int.from_bytes(place.read(8, 8), "little")
        text = f"… ({length} {what}, whose address was optimised out)"
        return 0, length, Decoded(Value(text, len=length))
    return pointer, length, None


def with_dynamic(data: Data | UnsetType, name: str) -> Data | UnsetType:
    """Where the interface holds a pointer to an interface, that one's type is the data's."""
    if data is UNSET or data.dynamic_type is not UNSET:
        return data
    return replace(data, dynamic_type=name)
