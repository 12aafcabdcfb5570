"""What a heap's graph tells, in text: types, roots, paths, referrers, one object, dangling ends."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET
from msgspec.structs import replace
from rich.text import Text

from goprobe.model.heap import (
    UNREACHED,
    DanglingEdge,
    Growth,
    HeapDiff,
    HeapReport,
    Referrer,
    TypeCount,
    Untyped,
    steps_left_out,
)
from goprobe.model.location import Location
from goprobe.report import words
from goprobe.report.text import heapobject, heapsites, heaptree, heapwaste
from goprobe.report.text.page import Column, Page

_MOST = 15
_MOST_STEPS = 24
_INDENT = 2
_INSIDE = (" directory", " table", " groups", " buckets")
_RIGHT = Column(right=True)
_NAME = Column(elastic=True, least=16)
_BAR_CELLS = 8
_NARROW, _ROOMY = 60, 100


def write(page: Page, report: HeapReport, *, summary: bool = True) -> None:
    """Every part of the report that was asked for."""
    most = 1 << 30 if page.options.verbose else _MOST
    if summary or report.self_check.dangling_edges:
        _summary(page, report)
    if report.tree is not UNSET:
        heaptree.write(page, report.tree)
    if report.waste is not UNSET:
        heapwaste.write(page, report.waste)
    if report.types:
        _types(page, "By type", report.types, report.census.bytes, most)
    if report.untyped is not UNSET and report.untyped:
        _untyped(page, report.untyped, most)
    if report.unreachable is not UNSET:
        _garbage(page, report.unreachable, most)
    if report.object is not UNSET:
        heapobject.write(page, report.object)
        if report.object.allocation is not UNSET:
            heapsites.allocation(page, report.object.allocation)
    if report.path_texts is not UNSET:
        _paths(page, report.paths, report.path_texts)
        told = report.object.allocation if report.object is not UNSET else UNSET
        if report.path_allocation is not UNSET and report.path_allocation != told:
            heapsites.allocation(page, report.path_allocation)
    if report.referrers is not UNSET:
        _referrers(page, report.referrers, most)
    if report.dangling:
        _dangling(page, report.dangling, most)
    if report.diff is not UNSET:
        _diff(page, report.diff, most)


def _summary(page: Page, report: HeapReport) -> None:
    graph = report.graph
    if graph is UNSET:
        return
    told = (
        f"{words.number(graph.reachable)} reachable ({words.size(graph.reachable_bytes)}), "
        f"{words.number(graph.unreachable)} not ({words.size(graph.unreachable_bytes)}); "
        f"{words.counted(graph.edges, 'pointer')} between them, "
        f"{words.counted(graph.roots, 'root')}"
    )
    page.paragraph(told, indent=_INDENT)
    ends = report.self_check.dangling_edges
    checked = words.number(report.self_check.edges_checked)
    if ends:
        told = (
            f"{words.number(ends)} of {checked} pointers lead to no object: --dangling lists them"
        )
        page.paragraph((told, "yellow"), indent=_INDENT)
    else:
        page.paragraph((f"all {checked} pointers lead where they should", "dim"), indent=_INDENT)


def _rest(shown: int, every: int) -> str:
    return f", the {shown} largest of {every}: -v shows all" if shown < every else ""


def _table(page: Page, head: Sequence[str], lines: Sequence[Sequence[Text]], names: int) -> None:
    """A table whose column number `names` is elastic; figures are to the right."""
    columns = [_NAME if i == names else _RIGHT for i in range(len(head))]
    dim = [page.text((word, "dim")) for word in head]
    page.table([dim, *lines], columns, _INDENT)


def _weight(t: TypeCount) -> int:
    return t.bytes if t.retained_bytes is UNSET else t.retained_bytes


def _types(page: Page, title: str, types: Sequence[TypeCount], whole: int, most: int) -> None:
    if not page.options.verbose:
        types = folded(types)
    retained = types[0].retained_bytes is not UNSET
    shown = sorted(types, key=_weight, reverse=True)[:most]
    page.heading(title, (_rest(len(shown), len(types)), "dim"))
    page.blank()
    wide = page.width >= _NARROW
    drawn = [""] if wide and page.width >= _ROOMY else []
    head = ["objects", "bytes", *(["retained"] if retained else []), *drawn, "type"]
    lines = []
    for t in shown:
        kept = _weight(t)
        cells = [page.text(words.number(t.objects)), page.text(words.column_size(t.bytes))]
        if retained:
            cells.append(page.text(words.column_size(kept)))
        if drawn:
            cells.append(_bar(page, kept, whole))
        lines.append([*cells, page.text(page.named(t.type))])
        if wide:
            lines[-1].append(page.text(("" if t.example is UNSET else str(t.example), "dim")))
    _table(page, [*head, "for example"] if wide else head, lines, len(head) - 1)


def _bar(page: Page, amount: int, whole: int) -> Text:
    drawn = page.bar(amount, whole, _BAR_CELLS)
    return page.text((drawn + " " * (_BAR_CELLS - len(drawn)), "yellow"))


def _untyped(page: Page, untyped: Sequence[Untyped], most: int) -> None:
    kept = [u for u in untyped if u.reason != UNREACHED]
    garbage = [u for u in untyped if u.reason == UNREACHED]
    if kept:
        _kept_untyped(page, kept, most)
    if garbage:
        page.blank()
        objects = words.counted(sum(u.objects for u in garbage), "object")
        size = words.size(sum(u.bytes for u in garbage))
        page.paragraph(
            (f"{objects} without a type, {size}: garbage that is not collected yet", "dim")
        )


def _kept_untyped(page: Page, untyped: Sequence[Untyped], most: int) -> None:
    shown = sorted(untyped, key=lambda u: -u.bytes)[:most]
    objects = sum(u.objects for u in untyped)
    page.heading(f"No type found for {words.counted(objects, 'object')}")
    page.blank()
    lines = [
        [
            page.text(words.number(u.objects)),
            page.text(f"of {words.size(u.size)}"),
            page.text((u.reason, "dim")),
            page.text("" if u.example is UNSET else (str(u.example), "dim")),
        ]
        for u in shown
    ]
    page.table(lines, (_RIGHT, _RIGHT, _NAME, Column()), _INDENT)


def _garbage(page: Page, types: Sequence[TypeCount], most: int) -> None:
    if not types:
        page.heading("Nothing waits to be collected")
        return
    whole = sum(t.bytes for t in types)
    _types(page, "Waiting to be collected", types, whole, most)


def _paths(page: Page, paths: Sequence[Sequence[Location]], texts: Sequence[str]) -> None:
    if not paths:
        page.heading("No root leads to it: it waits to be collected")
        return
    for way, text in zip(paths, texts, strict=True):
        page.heading("Kept by")
        page.paragraph((page.named(text), "bold"), indent=_INDENT, hanging=_INDENT)
        half = len(way) if page.options.verbose else _MOST_STEPS // 2
        hidden, left = range(half, len(way) - half), 0
        for i, step in enumerate(way):
            left += steps_left_out(step) + (i in hidden)
            if i in hidden:
                continue
            if left:
                told = f"{page.glyphs.cut} {words.number(left)} more"
                page.line((told, "dim"), indent=2 * _INDENT)
            left = 0
            _step(page, step)


def _step(page: Page, step: Location) -> None:
    via = str(step.detail.get("via", ""))
    link = f"{via} {page.glyphs.leads_to} " if via else ""
    address = f"{step.address}  " if int(step.address) else ""
    page.line(address, (link, "cyan"), page.named(step.name), indent=2 * _INDENT)


def _referrers(page: Page, referrers: Sequence[Referrer], most: int) -> None:
    shown = referrers[:most]
    page.heading(
        words.counted(len(referrers), "pointer") + " to it",
        (_rest(len(shown), len(referrers)), "dim"),
    )
    for r in shown:
        into = f" (at +{r.into:#x} of it)" if r.into else ""
        address = f"{r.source.address}  " if int(r.source.address) else ""
        page.line(
            f"{address}{page.named(r.source.name)}",
            (f" {r.field}" if r.field else "", "cyan"),
            into,
            indent=_INDENT,
        )


def _dangling(page: Page, edges: Sequence[DanglingEdge], most: int) -> None:
    shown = edges[:most]
    page.heading("Pointers to what is no object", (_rest(len(shown), len(edges)), "dim"))
    for edge in shown:
        page.paragraph(
            f"{edge.source.address} {edge.source.name}",
            (f" {edge.field}", "cyan"),
            f" {page.glyphs.leads_to} {edge.to.address} {edge.to.name}: ",
            (edge.why, "yellow"),
            indent=_INDENT,
            hanging=_INDENT,
        )


def _diff(page: Page, diff: HeapDiff, most: int) -> None:
    objects = f"{words.signed(diff.objects)} {words.noun(diff.objects, 'object')}"
    grown = f"{objects}, {words.signed_size(diff.bytes)}"
    page.heading(f"Since then: {grown}")
    page.blank()
    for title, growth in (("type", diff.types), ("root", diff.roots)):
        if growth:
            _growth(page, title, growth[:most])
    for why in diff.untold:
        page.paragraph(f"Not told: {why}.", indent=_INDENT, hanging=_INDENT)
    if diff.untold:
        page.blank()


def _growth(page: Page, title: str, growth: Sequence[Growth]) -> None:
    lines = [
        [
            page.text(words.signed(g.objects)),
            page.text(words.signed_size(g.bytes)),
            page.text(g.name),
        ]
        for g in growth
    ]
    _table(page, ["objects", "bytes", title], lines, 2)
    page.blank()


def folded(types: Sequence[TypeCount]) -> list[TypeCount]:
    """Parts of maps in their map's row. What the parts keep the map keeps, too."""
    rows: dict[str, TypeCount] = {}
    headers: dict[str, TypeCount] = {}
    for t in types:
        name = next((t.type.removesuffix(end) for end in _INSIDE if t.type.endswith(end)), t.type)
        if name == t.type:
            headers[name] = t
        row = rows.get(name)
        rows[name] = replace(t, type=name) if row is None else _together(row, t)
    return [
        row if name not in headers else replace(
            row, objects=headers[name].objects, example=headers[name].example
        )
        for name, row in rows.items()
    ]  # fmt: skip


def _together(a: TypeCount, b: TypeCount) -> TypeCount:
    kept = a.retained_bytes
    if kept is not UNSET and b.retained_bytes is not UNSET:
        kept = max(kept, b.retained_bytes, a.bytes + b.bytes)
    return replace(
        a,
        objects=a.objects + b.objects,
        bytes=a.bytes + b.bytes,
        retained_bytes=kept,
        inner=a.inner + b.inner,
    )
