"""What holds of `goprobe heap`: parts against wholes, in the census, the graph and the types."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import UNSET

from goprobe.analysis.audit import audited, check
from goprobe.counts import counted
from goprobe.model.heap import HeapReport, TypeCount
from goprobe.model.report import Audited
from goprobe.runtime.heap.bookkeeping import disagreements
from goprobe.runtime.heap.census import Census
from goprobe.runtime.roots.groups import RootKind


class HeapFacts(msgspec.Struct, frozen=True):
    """`sampled`: the graph is of a part of the heap only."""

    report: HeapReport
    census: Census
    sampled: bool = False


@check("the size classes add up to the census")
def classes_add_up(facts: HeapFacts) -> Iterator[str]:
    census = facts.report.census
    for what, parts, whole in (
        ("objects", sum(c.objects for c in census.classes), census.objects),
        ("bytes", sum(c.bytes for c in census.classes), census.bytes),
        ("free bytes", sum(c.free_bytes for c in census.classes), census.free_bytes),
        ("spans", sum(c.spans for c in census.classes), census.spans.in_use),
        ("bytes of spans", census.bytes + census.free_bytes, census.span_bytes),
    ):
        if parts != whole:
            yield f"the classes have {parts} {what}, the census {whole}"


@check("no class holds more objects, or bytes, than its spans have room for")
def classes_have_room(facts: HeapFacts) -> Iterator[str]:
    for c in facts.report.census.classes:
        name = f"class {c.size or 'large'}{' noscan' if c.noscan else ''}"
        if not 0 <= c.objects <= c.slots:
            yield f"{name} holds {counted(c.objects, 'object')} in {c.slots} slots"
        if c.free_bytes < 0 or (c.size and c.bytes != c.objects * c.size):
            yield f"{name}: {c.objects} objects are {c.bytes} bytes, {c.free_bytes} are free"


@check("every span at rest holds as many objects as the runtime counted")
def spans_agree(facts: HeapFacts) -> Iterator[str]:
    spans, census = len(facts.census.spans), facts.census
    if wrong := sum(m.settled for m in census.mismatches):
        yield f"{wrong} of {spans} spans hold more or fewer objects than the runtime counted"
    if census.unreadable:
        yield f"{counted(len(census.unreadable), 'span')} cannot be read, or make no sense"


@check("spans, pages and objects are as many as the runtime's own sums say")
def totals_agree(facts: HeapFacts) -> Iterator[str]:
    yield from disagreements(facts.census)


@check("what is reachable and what is not are all objects, once each")
def every_object_once(facts: HeapFacts) -> Iterator[str]:
    graph, census = facts.report.graph, facts.report.census
    if graph is UNSET:
        return
    for what, count, whole in (
        ("objects", graph.reachable + graph.unreachable, census.objects),
        ("bytes", graph.reachable_bytes + graph.unreachable_bytes, census.bytes),
    ):
        if count != whole:
            yield f"the graph has {count} {what}, the census {whole}"


@check("typed and untyped objects are all objects, once each")
def every_object_typed_once(facts: HeapFacts) -> Iterator[str]:
    report = facts.report
    if report.untyped is UNSET or report.graph is UNSET:
        return
    rows: tuple[tuple[int, int], ...] = (
        *((t.objects, t.bytes) for t in report.types),
        *((u.objects, u.bytes) for u in report.untyped),
    )
    graph = report.graph
    objects, size = graph.reachable + graph.unreachable, graph.reachable_bytes
    size += graph.unreachable_bytes
    if (sum(n for n, _ in rows), sum(n for _, n in rows)) != (objects, size):
        yield (
            f"the types have {sum(n for n, _ in rows)} objects of {sum(n for _, n in rows)} "
            f"bytes, the heap {objects} of {size}"
        )


@check("nothing retains more than is reachable, nor less than what it is")
def retained_fits(facts: HeapFacts) -> Iterator[str]:
    report = facts.report
    graph = report.graph
    if graph is UNSET:
        return
    for t in report.types:
        if t.retained_bytes is UNSET:
            continue
        if t.retained_bytes > graph.reachable_bytes:
            yield f"{t.type} retains {t.retained_bytes} of {graph.reachable_bytes} reachable bytes"
        if t.retained_bytes + graph.unreachable_bytes < t.bytes:
            yield f"{t.type} has {t.bytes} bytes and retains {t.retained_bytes}"
    # A goroutine's variables are parts of what it keeps itself.
    roots = [r for r in report.roots or () if r.kind != RootKind.VARIABLE]
    if (retained := sum(r.retained_bytes for r in roots)) > graph.reachable_bytes:
        yield f"the roots alone retain {retained} of {graph.reachable_bytes} reachable bytes"


@check("the garbage told by type is all that no root leads to")
def garbage_adds_up(facts: HeapFacts) -> Iterator[str]:
    report = facts.report
    if report.unreachable is UNSET or report.graph is UNSET:
        return
    if (told := _sums(report.unreachable)) != (
        whole := (report.graph.unreachable, report.graph.unreachable_bytes)
    ):
        yield f"{told[0]} objects of {told[1]} bytes by type, {whole[0]} of {whole[1]} in all"


def _sums(types: tuple[TypeCount, ...]) -> tuple[int, int]:
    return sum(t.objects for t in types), sum(t.bytes for t in types)


@check("the profile's stacks add up to what is reachable")
def samples_add_up(facts: HeapFacts) -> Iterator[str]:
    report = facts.report
    if report.samples is UNSET or report.graph is UNSET:
        return
    told = sum(s.objects for s in report.samples), sum(s.bytes for s in report.samples)
    if told != (whole := (report.graph.reachable, report.graph.reachable_bytes)):
        yield f"the stacks have {told[0]} objects of {told[1]} bytes, {whole[0]} of {whole[1]} are"


CENSUS = (classes_add_up, classes_have_room, spans_agree, totals_agree)
GRAPH = (
    every_object_once, every_object_typed_once, retained_fits, garbage_adds_up, samples_add_up,
)  # fmt: skip


def audit_heap(facts: HeapFacts) -> tuple[Audited, ...]:
    """Of a graph of a part of the heap (`--sample`) the census alone is held to account."""
    whole = facts.report.graph is not UNSET and not facts.sampled
    return audited(CENSUS + (GRAPH if whole else ()), facts)
