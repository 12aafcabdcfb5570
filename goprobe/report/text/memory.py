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
    Column(elastic=True, cut=True, least=8),
)
_ORDER = list(Kind)
_ARENA_PARTS = {
    **words.KIND_NAMES,
    Kind.HEAP: "objects",
    Kind.GOROUTINE_STACK: "stacks",
    Kind.RESERVED: "free",
}
_BAR_CELLS = 2
_NARROW = 56
_RIGHTS_AND_SIZE = (3, 4)
_MOST_PARTS = 2
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
    note = page.text((_note(row, len(row.kinds) if page.options.verbose else _MOST_PARTS), "dim"))
    first, *more = [_mark(page, mark) for mark in row.marks] or [note]
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
    if len(row.kinds) > 1:
        named = sorted(row.kinds, key=lambda kind: -row.kinds[kind])
        used = [kind for kind in named if kind is not Kind.RESERVED]
        return ", ".join(words.KIND_NAMES[kind] for kind in used[:2])
    return words.KIND_NAMES[row.kind]


def _note(row: Row, most: int) -> str:
    """What the row holds, where no mark says more: at most so many kinds of memory."""
    if len(row.kinds) > 1:
        parts = sorted(row.kinds.items(), key=lambda part: _ORDER.index(part[0]))
        named = _ARENA_PARTS if row.arena else words.KIND_NAMES
        return ", ".join(f"{words.size(size)} {named[kind]}" for kind, size in parts[:most])
    if row.kind is Kind.RESERVED and not usable(row.perms):
        return "not used yet"
    return words.KIND_MEANINGS[row.kind]
