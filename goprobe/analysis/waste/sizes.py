"""What counts and sizes alone tell: sparse spans, and tiny objects by the thousand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.waste.maps import PARTS
from goprobe.analysis.waste.meanings import Meanings
from goprobe.analysis.waste.whose import Whose
from goprobe.counts import counted
from goprobe.model.address import Address
from goprobe.model.heap import Waste
from goprobe.runtime.types.shape import WORD, Rule

SPARSE, TINY = "sparse spans", "tiny objects"
_MANY_SPANS = 4  # every class that is used at all has one or two spans to allocate from
_MANY_TINY = 10_000
_TINY_BYTES = 16
_BY_VALUE = "each has a pointer of its own that the collector follows: hold them by value"


def sparse(graph: HeapGraph) -> Iterator[Waste]:
    """Size classes whose spans are mostly free."""
    for each in graph.snapshot.census.classes:
        if each.size and each.spans >= _MANY_SPANS and each.objects * 2 < each.slots:
            share = 100 * each.objects / each.slots
            yield Waste(
                kind=SPARSE,
                type=f"size class {each.size}{', without pointers' if each.noscan else ''}",
                holder="",
                objects=each.objects,
                bytes=(each.slots - each.objects) * each.size,
                example=_emptiest(graph, each.size, noscan=each.noscan),
                advice=f"{share:.0f} % of the slots are in use, in "
                f"{counted(each.spans, 'span')} that cannot be returned while any of them "
                "is: they fill up with objects of this size only",
            )


def _emptiest(graph: HeapGraph, size: int, *, noscan: bool) -> Address:
    spans = graph.snapshot.spans
    mine = (spans.elemsize == size) & ((spans.spanclass & 1 != 0) == noscan)
    rows = np.flatnonzero(mine & (spans.spanclass > 1))
    if not len(rows):
        return Address(0)
    return Address(int(spans.base[rows[np.argmin(spans.alloc_count[rows])]]))


def tiny(graph: HeapGraph, whose: Whose, meant: Meanings) -> Iterator[Waste]:
    """Pointers to values of at most two words, where there are very many to a type: what they
    take is the pointers' own bytes."""
    edges = meant.of(Rule.ONE)
    pointee = meant.pointee[edges]
    counts = np.bincount(pointee, minlength=len(graph.shapes))
    for number in np.flatnonzero(counts >= _MANY_TINY).tolist():
        shape = graph.shapes[number]
        if not 0 < shape.size <= _TINY_BYTES or shape.part[0] or shape.name.endswith(PARTS):
            continue
        mine = edges[pointee == number]
        mine = mine[graph.nodes.target[mine] < len(graph.objects)]
        waste = np.full(len(mine), WORD)
        yield from whose.rows(TINY, mine, waste, lambda node: _BY_VALUE, named=shape.name)
