"""`goprobe heap --waste`: bytes that live and serve nobody, by kind, type and holder.

The story: what each pointer means (`meanings`), who leads to each object (`whose`), what of each
array is in anybody's reach (`views`, `arrays`), what is there more than once (`equals`, `boxes`),
what is empty or emptied (`maps`, `channels`), what pools keep (`pools`), and what counts, sizes and
the order of fields tell (`structs`, `sizes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from msgspec.structs import replace

from goprobe.analysis.audit import audited, check
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.waste.arrays import arrays, untold
from goprobe.analysis.waste.boxes import boxed
from goprobe.analysis.waste.bytesat import BUDGET
from goprobe.analysis.waste.channels import channels
from goprobe.analysis.waste.equals import SLICES, STRINGS, equal_bytes
from goprobe.analysis.waste.maps import maps
from goprobe.analysis.waste.meanings import meanings_of
from goprobe.analysis.waste.pools import pooled
from goprobe.analysis.waste.sizes import sparse, tiny
from goprobe.analysis.waste.structs import structs
from goprobe.analysis.waste.views import views_of
from goprobe.analysis.waste.whose import Whose
from goprobe.model.heap import HeapReport, Waste

Progress = Callable[[str], None]

_LEAST = 256
_WORTH_A_NOTE = 0.05  # of what is allocated


def with_waste(progress: Progress, graph: HeapGraph, report: HeapReport) -> HeapReport:
    """The heap's report with what of it is wasted."""
    progress("looking for what serves nobody")
    told = wasted(graph)
    report = replace(report, waste=told.rows, warnings=(*report.warnings, *told.notes))
    return replace(report, audit=(*report.audit, *audited((waste_fits,), report)))


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


def wasted(graph: HeapGraph) -> Wasted:
    """Of what is reachable."""
    meant = meanings_of(graph)
    whose, views = Whose(graph, meant), views_of(graph, meant)
    same = [equal_bytes(graph, whose, views, kind) for kind in (STRINGS, SLICES)]
    same.append(boxed(graph, whose, meant))
    rows = [
        *arrays(graph, whose, views),
        *(row for each in same for row in each.rows),
        *maps(graph, whose),
        *channels(graph, whose),
        *pooled(graph, whose, meant),
        *structs(graph),
        *sparse(graph),
        *tiny(graph, whose, meant),
    ]
    told = sorted((row for row in rows if row.bytes >= _LEAST), key=lambda row: -row.bytes)
    notes = []
    if (unknown := untold(graph, views)) > _WORTH_A_NOTE * graph.snapshot.census.bytes:
        notes.append(
            f"--waste takes {unknown:,} bytes for in use as a whole: pointers without a known type "
            "lead to them"
        )
    for each, what in zip(same, ("strings", "byte slices", "boxed values"), strict=True):
        if each.compared < each.count:
            notes.append(
                f"--waste compared the content of {each.compared:,} of {each.count:,} {what}, the "
                f"longest ones, {BUDGET >> 20} MiB of them"
            )
    return Wasted(tuple(told), tuple(notes))
