"""What lies in a value, line by line, nested to a depth: for text and pages."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from goprobe.model.value import Data, Element
from goprobe.runtime.values.decoded import is_boxed_text
from goprobe.runtime.values.text import quoted

_DEEPEST = 3
_PLAIN = ("time.", "sync.", "sync/")  # what is in such nobody looks for

Piece = str | tuple[str, str]
"""A text, or one in a colour."""
Line = tuple[int, tuple[Piece, ...]]
"""How deep it stands, and what it says."""


def lines(parts: tuple[Element, ...], most: int, depth: int = 0) -> Iterator[Line]:
    """A line for each part, and for what lies in it; of far too many the first."""
    for part in parts[:most]:
        inner = parts_of(part.elements, part.data)
        opened = depth < _DEEPEST and worth_it(inner) and not part.type.startswith(_PLAIN)
        yield depth, (*_named(part), _length(part) if opened and _is_brief(part) else text_of(part))
        if opened:
            yield from lines(inner, most, depth + 1)
    if len(parts) > most:
        yield depth, ((f"… {len(parts) - most:,} more", "dim"),)


def plain(line: Line) -> str:
    """A line without colours."""
    depth, pieces = line
    return "  " * depth + "".join(p if isinstance(p, str) else p[0] for p in pieces)


def parts_of(elements: object, data: object) -> tuple[Element, ...]:
    """What lies in a value, or in what it points at."""
    for _ in range(8):
        if isinstance(elements, tuple) and elements:
            return elements
        if not isinstance(data, Data):
            return ()
        elements, data = data.elements, data.data
    return ()


def worth_it(parts: tuple[Element, ...]) -> bool:
    """Whether a line for each tells more than one line of them all: numbers in a row do not."""
    return any(
        not part.name.startswith("[") or part.type == "string" or parts_of(part.elements, part.data)
        for part in parts
    )


def _named(part: Element) -> tuple[Piece, ...]:
    dynamic = part.value.dynamic_type
    kind = part.type if dynamic is UNSET else f"{part.type}({dynamic})"
    return (f"{part.name} ", "cyan"), (f"{kind} ", "dim")


def _length(part: Element) -> Piece:
    """In place of what lies in it, which stands below."""
    return ("" if part.value.len is UNSET else f"len {part.value.len}", "dim")


def _is_brief(part: Element) -> bool:
    """Whether what lies in it says it all: its text would say it once more, in one line."""
    return part.value.text.startswith(("{", "[", "map[")) and not part.value.unreadable


def text_of(part: Element) -> str:
    """Its value; strings are quoted."""
    value = part.value
    if value.unreadable:
        return value.text
    if value.holds_nil:
        return "nil"  # its type stands before it
    if value.dynamic_type is UNSET:
        is_string = part.type == "string" and value.len is not UNSET
    else:
        is_string = value.dynamic_type == "string" and is_boxed_text(part)
    return quoted(value.text) if is_string else value.text
