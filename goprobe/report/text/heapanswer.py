"""What holds a heap, in one paragraph, and the line to type next."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from goprobe.model.heap import REST, SEVERAL, HeapReport, TreeNode
from goprobe.model.location import Kind
from goprobe.report import words
from goprobe.report.text.page import Page

_MOST = 3
_LEAST = 50  # what holds less than such a part of the heap is not of those that are named
_DEEPEST = 2


def held(page: Page, report: HeapReport) -> None:
    """ "Held: 12 MiB main.sessions · 9.9 MiB by several roots · 3.9 MiB garbage"."""
    if report.tree is UNSET or report.graph is UNSET:
        return
    parts = [part for row in report.tree[:_MOST] if (part := _part(page, row, report.census.bytes))]
    if waste := report.graph.unreachable_bytes:
        parts.append(f"{words.size(waste)} garbage")
    if parts:
        between = f" {page.glyphs.dot} "
        page.paragraph(("Held: ", "bold"), between.join(parts), hanging=6)
        page.blank()


def _part(page: Page, row: TreeNode, whole: int) -> str:
    if row.kind == REST or row.retained_bytes * _LEAST < whole:
        return ""
    size = words.size(row.retained_bytes)
    if row.kind != SEVERAL:
        return (
            f"{size} {f' {page.glyphs.leads_to} '.join((row.what.removeprefix('*'), *_way(row)))}"
        )
    more = len(row.held_by) - 1
    others = f" and {words.counted(more, 'other')}" if more > 0 else ""
    return f"{size} by several roots together ({row.held_by[0] if row.held_by else '?'}{others})"


def _way(row: TreeNode) -> Iterator[str]:
    """What it is held through, as far as one child has most of it."""
    for _ in range(_DEEPEST):
        most = next((c for c in row.children if 2 * c.retained_bytes > row.retained_bytes), None)
        if most is None or most.kind in (REST, SEVERAL):
            return
        yield most.what.removesuffix(" backing")
        row = most


def following(page: Page, report: HeapReport) -> None:
    """What to type to see more of what the report says."""
    lines = tuple(_lines(report))
    if lines:
        page.heading("Next")
        for line, meaning in lines:
            page.paragraph(line, (f"  {meaning}", "dim"), indent=2, hanging=2)


def _lines(report: HeapReport) -> Iterator[tuple[str, str]]:
    if not report.pid or report.path_texts is not UNSET or report.referrers is not UNSET:
        return
    asked = f"goprobe heap {report.pid}"
    if report.object is not UNSET:
        if report.object.location.kind is not Kind.HEAP:
            return
        yield f"{asked} --path {report.object.location.address}", "which root keeps it"
        yield f"{asked} --referrers {report.object.location.address}", "who points at it"
        return
    if report.types and report.tree is UNSET:
        yield f"{asked} --retained", "who keeps all that"
    if report.types:
        address = _of_most(report)
        if address:
            yield f"{asked} --path {address}", "which root keeps it"
            yield f"{asked} --object {address}", "what is in it"
    elif report.graph is UNSET:
        yield f"{asked} --retained", "of which types that is, and who keeps it"


def _of_most(report: HeapReport) -> str:
    if report.tree is not UNSET and report.tree and int(report.tree[0].address):
        return str(report.tree[0].address)
    example = report.types[0].example
    return "" if example is UNSET else str(example)
