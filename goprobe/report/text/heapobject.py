"""One object in text: its value as Go has it, nested to a depth."""

from __future__ import annotations

from msgspec import UNSET

from goprobe.model.heap import ObjectView
from goprobe.report import words
from goprobe.report.nested import CHANNEL, Inside, brief, inside_of, lines, worth_it
from goprobe.report.selection import value_text
from goprobe.report.text.page import Page

_INDENT = 2
_MOST_LINES, _MOST_PARTS = 60, 24
_VERBOSELY = 10


def write(page: Page, view: ObjectView) -> None:
    page.heading(f"{view.location.address}: {page.named(view.type)}")
    page.paragraph(page.named(view.location.name), indent=_INDENT)
    if view.retained_bytes is not UNSET:
        page.line(f"alone keeps {words.size(view.retained_bytes)}", indent=_INDENT)
    if not view.reachable:
        page.line(("no root leads to it: it waits to be collected", "yellow"), indent=_INDENT)
    inside = inside_of(view.value, view.data, view.elements)
    stands_for = view.value is not UNSET and view.value.meaning is not UNSET
    if stands_for:
        page.paragraph(value_text(view.type, view.value), indent=_INDENT, hanging=_INDENT)
    if stands_for and not page.options.verbose:
        return
    if worth_it(inside):
        if header := _header(view):
            page.line((header, "dim"), indent=_INDENT)
        _nested(page, inside)
    elif view.why:
        page.paragraph((f"its value is not told: {view.why}", "dim"), indent=_INDENT)
    elif view.value is not UNSET:
        for text in brief(view.type, view.value, view.data):
            page.paragraph(text, indent=_INDENT, hanging=_INDENT)


def _header(view: ObjectView) -> str:
    """What its parts do not say: of slices and maps how long they are, of channels that it is
    closed, of interfaces what they hold."""
    value = view.value
    if value is UNSET:
        return ""
    if value.dynamic_type is not UNSET:
        is_pointer = value.text.startswith("0x")
        return f"{value.dynamic_type}({value.text})" if is_pointer else value.dynamic_type
    if value.len is UNSET:
        return ""
    if CHANNEL.match(view.type):
        return value_text(view.type, value)
    return f"len {value.len}" + ("" if value.cap is UNSET else f" cap {value.cap}")


def _nested(page: Page, inside: Inside) -> None:
    times = _VERBOSELY if page.options.verbose else 1
    shown = list(lines(inside, _MOST_PARTS * times))
    for depth, pieces in shown[: _MOST_LINES * times]:
        page.line(*pieces, indent=_INDENT * (depth + 1))
    if (left := len(shown) - _MOST_LINES * times) > 0:
        page.line((f"{page.glyphs.cut} {left:,} more lines: -v shows more", "dim"), indent=2)
