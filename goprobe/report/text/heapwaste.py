"""What of a heap serves nobody, in text: the rows by kind, with what would help."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.text import Text

from goprobe.model.heap import OTHERS, Waste
from goprobe.report import words
from goprobe.report.text.page import Column, Page

_MOST = 5  # rows of a kind
_INDENT = 2
_RIGHT = Column(right=True)
_COLUMNS = (_RIGHT, _RIGHT, Column(elastic=True, least=24), _RIGHT)


def write(page: Page, rows: Sequence[Waste]) -> None:
    """The kind that wastes most first; what several kinds tell of may be the same bytes."""
    if not rows:
        page.heading("Nothing worth telling is wasted")
        return
    kinds: dict[str, list[Waste]] = {}
    for row in rows:
        kinds.setdefault(row.kind, []).append(row)
    page.heading("Wasted", (", by kind; kinds may tell of the same bytes", "dim"))
    for kind, members in sorted(kinds.items(), key=lambda item: -_sum(item[1])):
        page.blank()
        total = f"{kind}: {words.size(_sum(members))}"
        page.paragraph((total, "bold"), indent=_INDENT)
        members = sorted(members, key=lambda row: (row.type == OTHERS, -row.bytes))
        shown = members if page.options.verbose else members[:_MOST]
        several = len({row.advice for row in shown}) > 1  # tables, of which the columns line up
        widths = _widths(shown) if several else (0, 0)
        for advice, alike in groupby(shown, key=lambda row: row.advice):
            lines = [_line(page, row, *widths) for row in alike]
            page.table(lines, _COLUMNS, indent=_INDENT, fill=several)
            page.paragraph((advice, "yellow"), indent=_INDENT * 2)
        if len(members) > len(shown):
            page.line((f"and {len(members) - len(shown)} more: -v shows all", "dim"), indent=2)


def _sum(rows: Sequence[Waste]) -> int:
    return sum(row.bytes for row in rows)


def _widths(rows: Sequence[Waste]) -> tuple[int, int]:
    """Of the bytes, and of the objects."""
    told = [(words.size(row.bytes), words.number(row.objects)) for row in rows]
    return max(len(size) for size, _ in told), max(len(count) for _, count in told)


def _line(page: Page, row: Waste, size: int, count: int) -> list[Text]:
    field = f", {row.field}" if row.field else ""
    holder = f", held by {row.holder}" if row.holder else ""
    return [
        page.text(words.size(row.bytes).rjust(size)),
        page.text((words.number(row.objects).rjust(count), "dim")),
        page.text(page.named(f"{row.type}{field}{holder}")),
        page.text((str(row.example), "dim")),
    ]
