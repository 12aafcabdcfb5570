"""One object in text: its value as Go has it, nested to a depth."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from goprobe.model.heap import ObjectView
from goprobe.model.value import Data, Element
from goprobe.report import words
from goprobe.report.text.page import Page, Span

_INDENT = 2
_DEEPEST, _MOST_LINES, _MOST_PARTS = 3, 60, 24
_VERBOSELY = 10
_PLAIN = ("time.", "sync.", "sync/")  # what is in such nobody looks for

Line = tuple[int, tuple[Span, ...]]


def write(page: Page, view: ObjectView) -> None:
    page.heading(f"{view.location.address}: {view.type}")
    page.paragraph(view.location.name, indent=_INDENT)
    if view.retained_bytes is not UNSET:
        page.line(f"alone keeps {words.size(view.retained_bytes)}", indent=_INDENT)
    if not view.reachable:
        page.line(("no root leads to it: it waits to be collected", "yellow"), indent=_INDENT)
    parts = _parts(view.elements, view.data)
    if parts and _worth_it(parts):
        _nested(page, parts)
    elif view.why:
        page.paragraph((f"its value is not told: {view.why}", "dim"), indent=_INDENT)
    elif view.value is not UNSET:
        page.paragraph(view.value.text, indent=_INDENT, hanging=_INDENT)
        row = " ".join(part.value.text for part in parts)
        if row not in view.value.text:  # what waits in a channel
            page.paragraph(f"[{row}]", indent=_INDENT, hanging=_INDENT)


def _nested(page: Page, parts: tuple[Element, ...]) -> None:
    times = _VERBOSELY if page.options.verbose else 1
    lines = list(_lines(parts, 0, _MOST_PARTS * times))
    for depth, spans in lines[: _MOST_LINES * times]:
        page.line(*spans, indent=_INDENT * (depth + 1))
    if (left := len(lines) - _MOST_LINES * times) > 0:
        page.line((f"{page.glyphs.cut} {left:,} more lines: -v shows more", "dim"), indent=2)


def _lines(parts: tuple[Element, ...], depth: int, most: int) -> Iterator[Line]:
    for part in parts[:most]:
        inner = _parts(part.elements, part.data)
        opened = depth < _DEEPEST and _worth_it(inner) and not part.type.startswith(_PLAIN)
        yield depth, (*_named(part), *(() if opened and _is_brief(part) else (_text(part),)))
        if opened:
            yield from _lines(inner, depth + 1, most)
    if len(parts) > most:
        yield depth, ((f"… {len(parts) - most:,} more", "dim"),)


def _named(part: Element) -> tuple[Span, ...]:
    dynamic = part.value.dynamic_type
    kind = part.type if dynamic is UNSET else f"{part.type}({dynamic})"
    return (f"{part.name} ", "cyan"), (f"{kind} ", "dim")


def _is_brief(part: Element) -> bool:
    """Whether what lies in it says it all: its text would say it once more, in one line."""
    return part.value.text[:1] in ("{", "[", "m") and not part.value.unreadable


def _text(part: Element) -> Span:
    text = part.value.text
    is_string = part.type == "string" and part.value.len is not UNSET
    return f'"{text}"' if is_string else text


def _parts(elements: object, data: object) -> tuple[Element, ...]:
    """What lies in a value, or in what it points at."""
    for _ in range(8):
        if isinstance(elements, tuple) and elements:
            return elements
        if not isinstance(data, Data):
            return ()
        elements, data = data.elements, data.data
    return ()


def _worth_it(parts: tuple[Element, ...]) -> bool:
    """Whether a line for each tells more than one line of them all: numbers in a row do not."""
    return any(
        not part.name.startswith("[") or part.type == "string" or _parts(part.elements, part.data)
        for part in parts
    )
