"""The picture of a process's memory in text: one row for each part, lowest address first."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from goprobe.model.location import Kind, Region
from goprobe.report import words
from goprobe.report.picture import GAP_WORTH_SHOWING, Mark, Row, rows, usable
from goprobe.report.text.look import KIND_STYLES
from goprobe.report.text.page import Column, Page, Span

_COLUMNS = (
    Column(right=True),
    Column(),
    Column(elastic=True, cut=True, least=10),
    Column(),
    Column(right=True),
    Column(elastic=True, least=12),
)
_ORDER = list(Kind)
_BAR_CELLS = 2
_NARROW = 56
_RIGHTS_AND_SIZE = (3, 4)
_MOST_PARTS = 2
_MOST_NAMES = 1
_INDENT = 2


def write(page: Page, regions: Sequence[Region], marks: Sequence[Mark]) -> None:
    """The picture, with the marked addresses pointed out in it."""
    page.heading("Memory, as Go sees it", (", lowest address first", "dim"))
    page.blank()
    lines: list[list[Text]] = []
    for row in rows(regions, marks):
        if row.gap >= GAP_WORTH_SHOWING:
            lines.append(_gap(page, row))
        lines += _lines(page, row)
    # On a narrow page rights and sizes go first: addresses and marks are what is looked for.
    kept = [i for i in range(len(_COLUMNS)) if page.width >= _NARROW or i not in _RIGHTS_AND_SIZE]
    cells = [[line[i] for i in kept] for line in lines]
    page.table(cells, [_COLUMNS[i] for i in kept], indent=_INDENT, gap=1)


def _gap(page: Page, row: Row) -> list[Text]:
    sign = page.text((page.glyphs.gap, "dim"))
    note = page.text((f"{words.size(row.gap)} gap", "dim"))
    return [page.text(), sign, note, page.text(), page.text(), page.text()]


def _lines(page: Page, row: Row) -> list[list[Text]]:
    style = KIND_STYLES[Kind.HEAP if row.arena else row.kind]
    told = [page.text((note, "dim")) for note in notes(row, verbose=page.options.verbose)]
    marks = [_mark(page, mark) for mark in row.marks]
    alone = len(row.parts) == 1 or row.arena
    first, *more = (marks or told) if alone else [*marks, *told]
    bar = page.text((page.glyphs.bar * _BAR_CELLS, style))
    name = page.text(row_name(row, page.glyphs.last))
    line = [
        page.text((str(row.low), "" if row.marks else "dim")),
        bar,
        name,
        page.text((row.perms, "dim")),
        page.text(words.size(row.size)),
        first,
    ]
    nothing = page.text()
    return [line, *([nothing, bar, nothing, nothing, nothing, mark] for mark in more)]


def _mark(page: Page, mark: Mark) -> Text:
    spans: list[Span] = [(f"{page.glyphs.mark} ", "bold"), (mark.label, "bold")]
    return page.text(*spans)


def row_name(row: Row, branch: str) -> str:
    """What a row is called; `branch` leads to one inside another."""
    return f"{branch if row.inside else ''}{_name(row)}"


def _name(row: Row) -> str:
    if row.arena:
        return "Go heap"
    if row.inside and row.kind is Kind.GOROUTINE_STACK:
        return row.label.removeprefix("stack of ")
    if len(row.parts) > 1:
        more = len(row.names) - _MOST_NAMES
        return ", ".join(row.names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return row.names[0]


def notes(row: Row, *, verbose: bool) -> list[str]:
    """What the row holds, a few uses a line: all of them where memory of several kinds is one row,
    the first ones of an arena."""
    if len(row.parts) == 1:
        unused = row.kind is Kind.RESERVED and not usable(row.perms)
        return ["not used yet" if unused else row.parts[0].use.meaning]
    ordered = sorted(row.parts, key=lambda part: _ORDER.index(part.use.kind))
    told = [f"{words.size(part.size)} {part.use.name}" for part in ordered]
    lines = [", ".join(told[i : i + _MOST_PARTS]) for i in range(0, len(told), _MOST_PARTS)]
    return lines[:1] if row.arena and not verbose else lines
