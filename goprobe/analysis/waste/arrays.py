"""Arrays of which only a part is in reach, and room that slices have beyond their length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.waste.views import LARGE, Views, reached
from goprobe.analysis.waste.whose import Texts, Whose
from goprobe.model.heap import Waste
from goprobe.runtime.heap.grouping import distinct

OUT_OF_REACH, SPARE, EMPTY = "array out of reach", "spare capacity", "empty slices"
_GROWN = 4  # append doubles at most, and slots are rounded up: what is emptier has not just grown
_ADVICE = {
    OUT_OF_REACH: "the views are short, and keep whole arrays: copy what is kept (strings.Clone, "
    "bytes.Clone, slices.Clone), or make less room for it",
    SPARE: "make with the length that it comes to, or a copy that just fits (slices.Clip keeps the "
    "array)",
    EMPTY: "nothing is in them: leave the slice nil until something is appended",
}


def untold(graph: HeapGraph, views: Views) -> int:
    """The bytes of objects that a pointer of unknown meaning leads to: they count as in reach."""
    unknown = distinct(views.target[views.rule == 0])
    return int(graph.objects.size_of(unknown).sum())


def arrays(graph: HeapGraph, whose: Whose, views: Views) -> Iterator[Waste]:
    """Of objects that a slice, a string or a pointer leads into."""
    own = ~graph.view.tiny[views.target]  # else others may lie in the same block
    seen = reached(graph, views if own.all() else views.where(own))
    size = graph.objects.size_of(seen.target)
    end = np.maximum(seen.end, seen.least)
    empty = seen.covered == graph.lead[graph.objects.span[seen.target]]
    large = size >= LARGE
    shrunk = (seen.covered * _GROWN < end) & large | (seen.runs > 1) | (seen.starts > 0)
    shrunk |= seen.end < seen.least  # no slice can grow into the rest
    # Of what was cut nobody knows how far it reached: all of its slot is kept for the views.
    waste = np.maximum(np.where(shrunk & ~empty, size, end) - seen.covered, 0)
    kinds = ((EMPTY, empty), (OUT_OF_REACH, shrunk & ~empty), (SPARE, ~shrunk & ~empty))
    for kind, rows in kinds:
        chosen = np.flatnonzero(rows & (waste > 0))
        edges = whose.leading(seen.target[chosen])
        yield from whose.rows(kind, edges, waste[chosen], _advice(kind))


def _advice(kind: str) -> Texts:
    return lambda node: _ADVICE[kind]
