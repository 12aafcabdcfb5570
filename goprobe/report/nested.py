"""What lies in a value, line by line, nested to a depth: for text and pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.model.value import Data, Element, Value
from goprobe.report.selection import is_string, meant, value_text
from goprobe.runtime.values.text import quoted

_DEEPEST = 3
_POINTERS = 8
CHANNEL = re.compile(r"(<-)?chan\b")
_PLAIN = ("time.", "sync.", "sync/")  # what is in such nobody looks for
_BLANK = "_"  # a field of no name, which nothing can be put into
_ATOMIC = ("sync/atomic.Pointer[", "sync/atomic.Value")

Piece = str | tuple[str, str]
"""A text, or one in a colour."""
Line = tuple[int, tuple[Piece, ...]]
"""How deep it stands, and what it says."""


class Inside(msgspec.Struct, frozen=True):
    """The parts of a value, or of what it points at: the first of `count`."""

    parts: tuple[Element, ...] = ()
    count: int = 0


def lines(inside: Inside, most: int, depth: int = 0) -> Iterator[Line]:
    """A line for each part, and for what lies in it; of far too many the first."""
    shown = inside.parts[:most]
    for whole in (part for part in shown if part.name != _BLANK):
        part = _bare(whole)
        inner = inside_of(part.value, part.data, part.elements)
        opened = depth < _DEEPEST and worth_it(inner) and not _says_all(part)
        brief = opened and _is_brief(part)
        yield depth, (*_named(whole, part), _length(part) if brief else _text_of(part))
        if opened:
            yield from lines(inner, most, depth + 1)
    if inside.count > len(shown):
        yield depth, ((f"… {inside.count - len(shown):,} more", "dim"),)


def brief(type_name: str, value: Value, data: Data | UnsetType) -> Iterator[str]:
    """A value without a line for each of its parts, and what a pointer leads to, or what waits in
    a channel."""
    yield value_text(type_name, value, data)
    if CHANNEL.match(type_name) and value.len:
        inside = inside_of(value, data, UNSET)
        more = [f"… {inside.count - len(inside.parts)} more"]
        row = [*map(_text_of, inside.parts), *(more if inside.count > len(inside.parts) else ())]
        yield f"[{' '.join(row)}]"
        return
    told = value.text
    for _ in range(_POINTERS):
        if data is UNSET or data.type is UNSET or value.cap is not UNSET:
            return
        if data.text != told:
            pointee = Value(
                data.text,
                data.len,
                dynamic_type=data.dynamic_type,
                meaning=data.meaning,
                reading=data.reading,
            )
            yield value_text(data.type, pointee, data.data)
        told, data = data.text, data.data


def plain(line: Line) -> str:
    """A line without colours."""
    depth, pieces = line
    return "  " * depth + "".join(p if isinstance(p, str) else p[0] for p in pieces)


def inside_of(
    value: Value | UnsetType, data: Data | UnsetType, elements: tuple[Element, ...] | UnsetType
) -> Inside:
    """What lies in a value, or in what it points at."""
    count = 0 if value is UNSET or value.len is UNSET else value.len
    for _ in range(_POINTERS):
        if elements is not UNSET and elements:
            return Inside(elements, max(count, len(elements)))
        if data is UNSET:
            break
        count = count if data.len is UNSET else data.len
        elements, data = data.elements, data.data
    return Inside()


def worth_it(inside: Inside) -> bool:
    """Whether a line for each tells more than one line of them all: numbers in a row do not."""
    return any(
        not part.name.startswith("[")
        or part.value.dynamic_type is not UNSET
        or is_string(part.type, part.value, part.data)
        or part.value.meaning is not UNSET
        or inside_of(part.value, part.data, part.elements).parts
        for part in inside.parts
    )


def _bare(part: Element) -> Element:
    """What an atomic.Pointer or atomic.Value has, which is all that one looks for in it."""
    if part.type.startswith(_ATOMIC) and part.elements is not UNSET:
        return next((each for each in part.elements if each.name == "v"), part)
    return part


def _named(whole: Element, part: Element) -> tuple[Piece, ...]:
    dynamic = part.value.dynamic_type
    kind = whole.type if dynamic is UNSET else f"{whole.type}({dynamic})"
    return (f"{whole.name} ", "cyan"), (f"{kind} ", "dim")


def _length(part: Element) -> Piece:
    """In place of what lies in it, which stands below."""
    return ("" if part.value.len is UNSET else f"len {part.value.len}", "dim")


def _is_brief(part: Element) -> bool:
    """Whether what lies in it says it all: its text would say it once more, in one line."""
    return part.value.text.startswith(("{", "[", "map[")) and not part.value.unreadable


def _text_of(part: Element) -> str:
    """Its value, its type stands before it; strings are quoted."""
    value = part.value
    if value.holds_nil:
        return "nil"
    if value.dynamic_type is not UNSET:
        is_text = is_string(part.type, value, part.data)
        return quoted(value.text) if is_text else meant(value, part.data)
    return value_text(part.type, value, part.data)


def _says_all(part: Element) -> bool:
    """Whether what lies in it is nothing that one looks for."""
    leads_to_all = part.data is not UNSET and part.data.meaning is not UNSET
    return leads_to_all or part.value.meaning is not UNSET or part.type.startswith(_PLAIN)
