"""One object in text: its value as Go has it, nested to a depth."""

from __future__ import annotations

import re

from msgspec import UNSET

from goprobe.model.heap import ObjectView
from goprobe.model.value import Element
from goprobe.report import words
from goprobe.report.nested import lines, parts_of, text_of, worth_it
from goprobe.report.text.page import Page

_INDENT = 2
_MOST_LINES, _MOST_PARTS = 60, 24
_VERBOSELY = 10
_CHANNEL = re.compile(r"(<-)?chan\b")


def write(page: Page, view: ObjectView) -> None:
    page.heading(f"{view.location.address}: {view.type}")
    page.paragraph(view.location.name, indent=_INDENT)
    if view.retained_bytes is not UNSET:
        page.line(f"alone keeps {words.size(view.retained_bytes)}", indent=_INDENT)
    if not view.reachable:
        page.line(("no root leads to it: it waits to be collected", "yellow"), indent=_INDENT)
    parts = parts_of(view.elements, view.data)
    if parts and worth_it(parts):
        if header := _header(view):
            page.line((header, "dim"), indent=_INDENT)
        _nested(page, parts)
    elif view.why:
        page.paragraph((f"its value is not told: {view.why}", "dim"), indent=_INDENT)
    elif view.value is not UNSET:
        page.paragraph(view.value.text, indent=_INDENT, hanging=_INDENT)
        row = " ".join(map(text_of, parts))
        if view.value.len is not UNSET and (more := view.value.len - len(parts)) > 0:
            row += f" {page.glyphs.cut} {more:,} more"
        if row not in view.value.text:  # what waits in a channel
            page.paragraph(f"[{row}]", indent=_INDENT, hanging=_INDENT)


def _header(view: ObjectView) -> str:
    """What its parts do not say: of slices and maps how long they are, of channels that it is
    closed."""
    value = view.value
    if value is UNSET or value.len is UNSET:
        return ""
    if _CHANNEL.match(view.type):
        return value.text
    return f"len {value.len}" + ("" if value.cap is UNSET else f" cap {value.cap}")


def _nested(page: Page, parts: tuple[Element, ...]) -> None:
    times = _VERBOSELY if page.options.verbose else 1
    shown = list(lines(parts, _MOST_PARTS * times))
    for depth, pieces in shown[: _MOST_LINES * times]:
        page.line(*pieces, indent=_INDENT * (depth + 1))
    if (left := len(shown) - _MOST_LINES * times) > 0:
        page.line((f"{page.glyphs.cut} {left:,} more lines: -v shows more", "dim"), indent=2)
