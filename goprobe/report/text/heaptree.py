"""Who keeps the heap, in text: the top of the tree of what is kept by whom alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from goprobe.model.heap import REST, TreeNode
from goprobe.report import words
from goprobe.report.text.page import Column, Page

_MOST = 15
_DEEPEST = 2
_SHARE = 20  # what is told below a row is at least such a part of the whole
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
    for row in shown:
        lines += (line[: len(columns)] for line in _lines(page, row, least, whole))
    page.table(lines, [column for _, column in columns], _INDENT)


def _lines(
    page: Page, row: TreeNode, least: int, whole: int, depth: int = 0
) -> Iterator[list[Text]]:
    """What all columns have for a row and those below it."""
    lead = "  " * (depth - 1) + page.glyphs.last if depth else ""
    yield [
        page.text(words.column_size(row.retained_bytes)),
        page.text(words.number(row.retained_objects)),
        page.text((lead, "dim"), (row.what, "dim" if row.kind == REST else "")),
        page.text((str(row.address) if int(row.address) else "", "dim")),
        page.text((page.bar(row.retained_bytes, whole, _BAR_CELLS), "yellow")),
    ]
    if depth < _DEEPEST or page.options.verbose:
        for child in row.children:
            if child.retained_bytes >= least and child.kind != REST:
                yield from _lines(page, child, least, whole, depth + 1)
