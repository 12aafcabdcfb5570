"""`goprobe heap --waste`: bytes that live and serve nobody, by kind, type and holder.

The story: who leads to each object (`holders`), what of each array is in anybody's reach (`views`,
`arrays`), what is there more than once (`equals`), and what sizes and counts tell (`kinds`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec.structs import replace

from goprobe.analysis.audit import audited, check
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.heap import heap
from goprobe.analysis.heap.questions import HeapQuestions
from goprobe.analysis.waste.arrays import arrays, untold
from goprobe.analysis.waste.equals import BUDGET, equals
from goprobe.analysis.waste.holders import holding_roots
from goprobe.analysis.waste.kinds import maps, rounded, sparse, tiny
from goprobe.analysis.waste.views import views_of
from goprobe.model.heap import HeapReport, Waste
from goprobe.target.live import AnyTarget

Progress = Callable[[str], None]

_LEAST = 256
_MOST = 200
_WORTH_A_NOTE = 0.05  # of what is allocated


def heap_waste(
    target: AnyTarget,
    questions: HeapQuestions,
    *,
    progress: Progress = lambda message: None,
    profile: bool = False,
) -> HeapReport:
    """The heap of a process with what of it is wasted. Raises what `heap` raises."""

    def more(graph: HeapGraph, report: HeapReport) -> HeapReport:
        progress("looking for what serves nobody")
        told = wasted(graph)
        report = replace(report, waste=told.rows, warnings=(*report.warnings, *told.notes))
        return replace(report, audit=(*report.audit, *audited((waste_fits,), report)))

    asked = replace(questions, waste=True)
    return heap(target, asked, progress=progress, profile=profile, more=more)


@check("what is wasted is less than the spans in use")
def waste_fits(report: HeapReport) -> Iterator[str]:
    """Of each kind: rows of one kind tell of different bytes."""
    sums: dict[str, int] = {}
    for row in report.waste or ():
        sums[row.kind] = sums.get(row.kind, 0) + row.bytes
    for kind, size in sums.items():
        if size > report.census.span_bytes:
            yield f"{size:,} bytes are wasted ({kind}), of {report.census.span_bytes:,}"


class Wasted(msgspec.Struct, frozen=True):
    """The rows, most bytes first, and what has to be said of them."""

    rows: tuple[Waste, ...]
    notes: tuple[str, ...]


def _together(rows: Iterable[Waste]) -> list[Waste]:
    """Those of one kind, type and holder as one, most bytes first; the largest is the example."""
    ordered = sorted(rows, key=lambda row: -row.bytes)
    merged: dict[tuple[str, str, str], Waste] = {}
    for row in ordered:
        key = row.kind, row.type, row.holder
        known = merged.get(key)
        merged[key] = (
            row
            if known is None
            else replace(known, objects=known.objects + row.objects, bytes=known.bytes + row.bytes)
        )
    return sorted(merged.values(), key=lambda row: -row.bytes)


def wasted(graph: HeapGraph) -> Wasted:
    """Of what is reachable."""
    roots, views = holding_roots(graph), views_of(graph)
    same = equals(graph, roots)
    rows = [
        *arrays(graph, roots, views),
        *same.rows,
        *maps(graph, roots),
        *rounded(graph),
        *sparse(graph),
        *tiny(graph),
    ]
    told = [row for row in _together(rows) if row.bytes >= _LEAST]
    notes = []
    if (unknown := untold(graph, views)) > _WORTH_A_NOTE * graph.snapshot.census.bytes:
        notes.append(
            f"--waste takes {unknown:,} bytes for in use as a whole: pointers without a known type "
            "lead to them"
        )
    if same.compared < same.strings:
        notes.append(
            f"--waste compared the content of {same.compared:,} of {same.strings:,} strings, the "
            f"longest ones, {BUDGET >> 20} MiB of them"
        )
    if len(told) > _MOST:
        notes.append(f"--waste tells the {_MOST} largest of {len(told):,} rows")
    return Wasted(tuple(told[:_MOST]), tuple(notes))
