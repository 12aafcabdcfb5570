"""Who keeps the heap, in text: the top of the tree of what is kept by whom alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec
from msgspec import UNSET
from rich.text import Text

from goprobe.model.heap import REST, SEVERAL, HeapReport, TreeNode
from goprobe.report import words
from goprobe.report.text.page import Column, Page

_MOST = 15
_DEEPEST = 2
_SHARE = 20  # what is told below a row is at least such a part of the whole
_MOST_NAMED = 3
_LEAST_NAMED = 50  # what holds less than such a part of the heap is not among them
_VERBOSELY = 10  # so many times more with -v, and as deep as the report goes
_BAR_CELLS = 10
_WIDE, _NARROW = 100, 60
_INDENT = 2
_RIGHT = Column(right=True)
_COLUMNS = (
    ("retained", _RIGHT), ("objects", _RIGHT), ("kept by", Column(elastic=True, least=16)),
    ("for example", _RIGHT),
)  # fmt: skip
_BAR = ("", Column())


def held(page: Page, report: HeapReport) -> None:
    """ "Held: 12 MiB main.sessions · 9.9 MiB by several roots · 3.9 MiB garbage"."""
    if report.tree is UNSET or report.graph is UNSET:
        return
    parts = [
        part for row in report.tree[:_MOST_NAMED] if (part := _part(page, row, report.census.bytes))
    ]
    if waste := report.graph.unreachable_bytes:
        parts.append(f"{words.size(waste)} garbage")
    if parts:
        between = f" {page.glyphs.dot} "
        page.paragraph(("Held: ", "bold"), page.named(between.join(parts)), hanging=6)
        page.blank()


def _part(page: Page, row: TreeNode, whole: int) -> str:
    if row.kind == REST or row.retained_bytes * _LEAST_NAMED < whole:
        return ""
    size = words.size(row.retained_bytes)
    if row.kind != SEVERAL:
        return (
            f"{size} {f' {page.glyphs.leads_to} '.join((row.what.removeprefix('*'), *_way(row)))}"
        )
    more = len(row.held_by) - 1
    others = f" and {words.counted(more, 'other')}" if more > 0 else ""
    by = f"by several roots together ({row.held_by[0] if row.held_by else '?'}{others})"
    way = f" {page.glyphs.leads_to} ".join(_way(row))
    return f"{size} {way} {by}" if way else f"{size} {by}"


def _way(row: TreeNode) -> Iterator[str]:
    """What it is held through, as far as one child has most of it."""
    for _ in range(_DEEPEST):
        most = next((c for c in row.children if 2 * c.retained_bytes > row.retained_bytes), None)
        if most is None or most.kind in (REST, SEVERAL):
            return
        yield most.what.removesuffix(" backing")
        row = most


def write(page: Page, tree: Sequence[TreeNode]) -> None:
    """The rows that keep most, and what most of that is."""
    whole = sum(row.retained_bytes for row in tree)
    verbose = page.options.verbose
    shown = tree if verbose else tree[:_MOST]
    rest = f", the {len(shown)} largest of {len(tree)}: -v shows all"
    page.heading(
        f"Who keeps the {words.size(whole)} that can be reached",
        (rest if len(shown) < len(tree) else "", "dim"),
    )
    page.blank()
    columns = _COLUMNS[: 4 if page.width >= _NARROW else 3]
    if page.width >= _WIDE:
        columns = (*columns, _BAR)
    head = [page.text((name, "dim")) for name, _ in columns]
    lines = [head]
    least = whole // (_SHARE * _VERBOSELY if verbose else _SHARE)
    told = _Told() if verbose else _Told(Counter(map(_brief, tree)))
    for row in shown:
        lines += (line[: len(columns)] for line in _lines(page, told, row, least, whole))
    page.table(lines, [column for _, column in columns], _INDENT)


class _Told(msgspec.Struct, frozen=True):
    """How rows are called: of those that several hold only the first of these, where no other row
    reads the same (`briefly`)."""

    briefly: Mapping[str, int] = {}

    def what(self, row: TreeNode) -> str:
        brief = _brief(row)
        return brief if self.briefly.get(brief) == 1 else row.what


def _brief(row: TreeNode) -> str:
    if row.kind != SEVERAL or len(row.held_by) <= _MOST_NAMED + 1:
        return row.what
    more = words.number(len(row.held_by) - _MOST_NAMED)
    least = "at least " if row.more_holders else ""
    return f"held by several: {', '.join(row.held_by[:_MOST_NAMED])} and {least}{more} more"


def names(tree: Sequence[TreeNode]) -> Iterator[str]:
    for row in tree:
        yield row.what
        yield from row.held_by
        yield from names(row.children)


def _lines(
    page: Page, told: _Told, row: TreeNode, least: int, whole: int, depth: int = 0
) -> Iterator[list[Text]]:
    """What all columns have for a row and those below it."""
    lead = "  " * (depth - 1) + page.glyphs.last if depth else ""
    yield [
        page.text(words.column_size(row.retained_bytes)),
        page.text(words.number(row.retained_objects)),
        page.text((lead, "dim"), (page.named(told.what(row)), "dim" if row.kind == REST else "")),
        page.text((str(row.address) if int(row.address) else "", "dim")),
        page.text((page.bar(row.retained_bytes, whole, _BAR_CELLS), "yellow")),
    ]
    if depth < _DEEPEST or page.options.verbose:
        for child in row.children:
            if child.retained_bytes >= least and child.kind != REST:
                yield from _lines(page, told, child, least, whole, depth + 1)
