"""Roots that lead to what nothing tells the type of but the code that uses them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.heapview import HeapView
from goprobe.runtime.types.shape import Meaning


def used_roots(view: HeapView, types: Ids) -> Iterator[tuple[Meaning, Ints, Ints]]:
    """What pointers mean in roots that lead to objects without a type, with the edges that those
    are and their sources. `types` are the shapes of objects, as far as known."""
    rows = np.arange(len(view.roots.shapes))
    nodes = (rows + view.roots.base).astype(np.int64)
    edges, row = view.graph.edges_of(nodes)
    target = view.graph.target[edges]
    wanted = (
        (target < view.n) & (types[np.minimum(target, view.n - 1)] == 0) if view.n else target < 0
    )
    edges, row = edges[wanted], rows[row[wanted]]
    words = list(zip(row.tolist(), view.graph.offset[edges].tolist(), strict=True))
    told = view.witnesses.by_code(words) if words else {}
    by_meaning: dict[Meaning, list[int]] = {}
    for i, word in enumerate(words):
        if meaning := told.get(word):
            by_meaning.setdefault(meaning, []).append(i)
    for meaning, some in by_meaning.items():
        yield meaning, edges[some], row[some] + view.roots.base
