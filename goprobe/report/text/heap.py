"""The report of `goprobe heap` in text: what is allocated, by size class, in one screen."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET
from rich.text import Text

from goprobe.model.heap import HeapCensus, HeapReport, SizeClass
from goprobe.model.location import Kind
from goprobe.report import words
from goprobe.report.options import RenderOptions
from goprobe.report.text import heapgraph, heapsites, heaptree
from goprobe.report.text.leaks import held_on_heap
from goprobe.report.text.page import Column, Page

_MOST_CLASSES = 14
_MOST_MISMATCHES = 5
_INDENT = 2
_LEAST_BAR = 6
_WIDEST_BAR = 36
_RIGHT = Column(right=True)
_BAR = Column(elastic=True, cut=True, least=_LEAST_BAR)


def render(report: HeapReport, options: RenderOptions) -> bytes:
    """The census; with `verbose` every size class."""
    page = Page(options)
    page.shorten(_names(report))
    census = report.census
    alone = not options.verbose and _is_alone(report)
    if not alone:
        _whole(page, report)
    if report.tree is not UNSET:
        heaptree.held(page, report)
    if report.leaks is not UNSET:
        held_on_heap(page, report, report.leaks)
    of_one = report.object is not UNSET or report.path_texts is not UNSET
    if options.verbose or not (of_one or report.referrers is not UNSET):
        _space(page, census)
    if report.graph is not UNSET:
        heapgraph.write(page, report, summary=not alone)
    if report.sites is not UNSET and report.sampling is not UNSET:
        heapsites.write(page, report.census, report.sampling, report.sites)
    if (report.graph is UNSET and report.sites is UNSET) or options.verbose:
        _classes(page, census)
    for note in report.notes:
        page.blank()
        page.paragraph((note, "dim"), hanging=2)
    page.following(_next_lines(report))
    page.blank()
    if alone:
        _whole(page, report)
    _self_check(page, report)
    for warning in report.warnings:
        page.paragraph((f"{page.glyphs.warn} {warning}", "yellow"), hanging=2)
    page.line((words.stood_still(report.pid, report.pause_us), "dim"))
    return page.render()


def _names(report: HeapReport) -> Iterator[str]:
    """Of all that is called by a name in the report."""
    if report.tree is not UNSET:
        yield from heaptree.names(report.tree)
    yield from (t.type for t in report.types)
    yield from (t.type for t in (report.unreachable if report.unreachable is not UNSET else ()))
    for site in report.sites if report.sites is not UNSET else ():
        yield from (frame.function for frame in site.stack)
        yield from (*site.types, *site.held_by)
    for row in report.waste if report.waste is not UNSET else ():
        yield from (row.type, row.field, row.holder)
    if report.object is not UNSET:
        yield from (report.object.type, report.object.location.name)
    for way in report.paths:
        yield from (step.name for step in way)
    yield from (r.source.name for r in (report.referrers if report.referrers is not UNSET else ()))


def _is_alone(report: HeapReport) -> bool:
    """Whether one object was asked for and nothing else: that is told first, then of which heap."""
    of_one = (report.object, report.path_texts, report.referrers)
    others = (report.tree, report.sites, report.waste, report.unreachable, report.leaks)
    asked_more = report.types or report.dangling or any(o is not UNSET for o in others)
    return any(o is not UNSET for o in of_one) and not asked_more


def _whole(page: Page, report: HeapReport) -> None:
    census = report.census
    page.paragraph(
        (f"{words.counted(census.objects, 'object')}, {words.size(census.bytes)}", "bold"),
        f" on the heap of process {report.pid} ({_release(report)})",
    )
    page.blank()


def _release(report: HeapReport) -> str:
    return f"Go {report.go.version}"


def _space(page: Page, census: HeapCensus) -> None:
    """Where the bytes of the heap's spans are."""
    whole = max(census.span_bytes + census.manual_bytes, 1)
    parts = (
        ("allocated", census.bytes, "yellow", ""),
        ("free in spans", census.free_bytes, "bright_black", _share(census.fragmentation)),
        ("stacks and such", census.manual_bytes, "magenta", ""),
    )
    lines = [
        [
            page.text(name),
            page.text(words.size(amount)),
            page.text((_bar(page, amount, whole, 62), style)),
            page.text((note, "dim")),
        ]
        for name, amount, style, note in parts
    ]
    page.table(lines, (Column(), _RIGHT, _BAR, Column()), _INDENT)
    spans = census.spans
    told = f"{words.counted(spans.in_use, 'span')} in use, {words.number(spans.manual)} of stacks"
    page.line((f"{told} and such, {words.number(spans.unswept)} not swept yet", "dim"), indent=2)


def _share(fragmentation: float) -> str:
    return f"{100 * fragmentation:.1f} % of the spans in use"


def _classes(page: Page, census: HeapCensus) -> None:
    used = [c for c in census.classes if c.spans]
    shown = used
    if not page.options.verbose:
        largest = sorted(used, key=lambda c: -c.bytes)[:_MOST_CLASSES]
        shown = [c for c in used if c in largest]
    most = max((c.bytes for c in shown), default=1)
    page.heading("By size class", (_order(shown, used), "dim"))
    page.blank()
    head = [page.text((t, "dim")) for t in ("size", "", "objects", "bytes", "free", "")]
    lines = [head, *(_class_line(page, c, most) for c in shown)]
    page.table(lines, (_RIGHT, Column(), _RIGHT, _RIGHT, _RIGHT, _BAR), _INDENT)


def _order(shown: list[SizeClass], used: list[SizeClass]) -> str:
    if len(shown) == len(used):
        return ""
    return f", the {len(shown)} largest of {len(used)}: -v shows all"


def _class_line(page: Page, c: SizeClass, most: int) -> list[Text]:
    return [
        page.text(words.number(c.size) if c.size else "large"),
        page.text(("noscan" if c.noscan else "", "dim")),
        page.text(words.number(c.objects)),
        page.text(words.size(c.bytes)),
        page.text((words.size(c.free_bytes) if c.free_bytes else "-", "dim")),
        page.text((_bar(page, c.bytes, most, 56), "yellow")),
    ]


def _bar(page: Page, amount: int, whole: int, others: int) -> str:
    room = max(min(page.width - others, _WIDEST_BAR), _LEAST_BAR)
    return page.bar(amount, whole, room)


def _self_check(page: Page, report: HeapReport) -> None:
    check = report.self_check
    spans = words.counted(check.spans, "span")
    if not check.popcount_mismatches and not check.unreadable_spans:
        # What does not hold is told at the foot, in red: nothing is green beside it.
        if not report.contradictions:
            told = f"Self-check: the allocation bits of all {spans} agree with the runtime's counts"
            page.paragraph(
                (f"{page.glyphs.good} {told}, and their pages with its sum.", "green"), hanging=2
            )
        return
    told = f"Self-check: {check.popcount_mismatches} of {spans} disagree with the runtime's counts"
    unreadable = f", {check.unreadable_spans} unreadable" if check.unreadable_spans else ""
    page.paragraph((f"{page.glyphs.bad} {told}{unreadable}.", "yellow"), hanging=2)
    for mismatch in check.mismatches[:_MOST_MISMATCHES]:
        counts = f"counted {mismatch.counted}, expected {mismatch.expected}"
        page.paragraph(f"span {mismatch.base}: {counts}: {mismatch.why}", indent=2, hanging=2)


def _next_lines(report: HeapReport) -> Iterator[tuple[str, str]]:
    if not report.pid or report.path_texts is not UNSET or report.referrers is not UNSET:
        return
    process = words.asked_of(report.pid, report.pause_us)
    asked = f"goprobe heap {process}"
    if report.object is not UNSET:
        if report.object.location.kind is not Kind.HEAP:
            return
        yield f"{asked} --path {report.object.location.address}", "which root keeps it"
        yield f"{asked} --referrers {report.object.location.address}", "who points at it"
        return
    if report.leaks is not UNSET and (report.leaks.leaked or report.leaks.undecided):
        yield f"goprobe goroutines {process} --leaked", "which goroutines can never run again"
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
