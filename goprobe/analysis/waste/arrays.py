"""Arrays of which only a part is in reach, and room that slices have beyond their length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.waste.holders import holder_name
from goprobe.analysis.waste.views import Reached, Views, reached
from goprobe.model.address import Address
from goprobe.model.heap import Waste
from goprobe.runtime.heap.spantable import Ints

OUT_OF_REACH, SPARE = "array out of reach", "spare capacity"
_GROWN = 4  # append doubles at most, and slots are rounded up: what is emptier has not just grown
_CLONE = (
    "the views are short, and keep whole arrays: copy what is kept (strings.Clone, bytes.Clone, "
    "slices.Clone)"
)
_CLIP = "slices.Clip, or make with the length that it comes to, gives the room back"


def untold(graph: HeapGraph, views: Views) -> int:
    """The bytes of objects that a pointer of unknown meaning leads to: they count as in reach."""
    unknown = np.unique(views.target[views.rule == 0])
    return int(graph.objects.size[unknown].sum())


def arrays(graph: HeapGraph, roots: Ints, views: Views) -> Iterator[Waste]:
    """By type and holder; `roots` are who leads to each object."""
    seen = reached(graph, views)
    if not len(seen.target):
        return
    waste = np.maximum(seen.end - seen.covered, 0)
    shrunk = (seen.covered * _GROWN < seen.end) | (seen.runs > 1) | (seen.starts > 0)
    for kind, rows in ((OUT_OF_REACH, shrunk), (SPARE, ~shrunk)):
        chosen = np.flatnonzero(rows & (waste > 0))
        yield from _rows(graph, roots, seen, chosen, waste, kind)


def _rows(
    graph: HeapGraph, roots: Ints, seen: Reached, chosen: Ints, waste: Ints, kind: str
) -> Iterator[Waste]:
    target = seen.target[chosen]
    shape = graph.shapes_by_name[graph.typing.shape[target]].astype(np.int64)
    key = np.stack((shape, roots[target]), axis=1)
    if not len(key):
        return
    pairs, which = np.unique(key, axis=0, return_inverse=True)
    which = which.ravel()
    sums = np.bincount(which, waste[chosen], len(pairs)).astype(np.int64).tolist()
    counts = np.bincount(which, minlength=len(pairs)).tolist()
    order = np.lexsort((-waste[chosen], which))
    worst = target[order[np.searchsorted(which[order], np.arange(len(pairs)))]].tolist()
    for pair, size, count, node in zip(pairs.tolist(), sums, counts, worst, strict=True):
        yield Waste(
            kind=kind,
            type=graph.shapes[pair[0]].name if pair[0] else "?",
            holder=holder_name(graph, pair[1]),
            objects=count,
            bytes=size,
            example=Address(graph.address(node)),
            advice=_CLONE if kind == OUT_OF_REACH else _CLIP,
        )
