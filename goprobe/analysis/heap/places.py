"""Where each edge's pointer stands in its source, and where in its target it leads.

Of a large heap's edges that is as much as all else of its graph, and few are asked for it once the
objects have their types: so it can be given back. What is asked for afterwards is looked up again,
in what stands still for as long as the graph is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from goprobe.errors import CannotWorkError
from goprobe.runtime.heap.edges import Edges
from goprobe.runtime.heap.spantable import Ints

_MANY = 1 << 20  # edges
Offsets = NDArray[np.uint32]
Again = Callable[[Ints], Edges]
"""The edges of some objects once more, and any others'."""


class Column:
    """One of the two, by the numbers of edges, of those in compressed rows `first`. The roots',
    from `heap_edges` on, are kept in any case."""

    def __init__(
        self, name: str, values: Offsets, first: Ints, heap_edges: int, again: Again
    ) -> None:
        self._name, self._values, self._begin = name, values, 0
        self._first, self._heap_edges, self._again = first, heap_edges, again

    def __getitem__(self, edges: Any) -> Any:
        if not self._begin:
            return self._values[edges]
        if isinstance(edges, slice):
            edges = np.arange(*edges.indices(int(self._first[-1])))
        numbers = np.atleast_1d(edges)
        found = np.empty(len(numbers), np.uint32)
        kept = numbers >= self._begin
        found[kept] = self._values[numbers[kept] - self._begin]
        if not kept.all():
            found[~kept] = self._looked_up(numbers[~kept])
        return found if np.ndim(edges) else found[0]

    @property
    def whole(self) -> Offsets:
        """Of all edges."""
        whole: Offsets = self[:]
        return whole

    def forget(self) -> None:
        """Give back those of the heap's edges, where that is worth it."""
        if not self._begin and self._heap_edges > _MANY:
            self._values = self._values[self._heap_edges :].copy()
            self._begin = self._heap_edges

    def _looked_up(self, edges: Ints) -> Offsets:
        source = np.searchsorted(self._first, edges, "right") - 1
        again = self._again(np.unique(source))
        begin = self._first[source]
        if (again.first[source + 1] - again.first[source] != self._first[source + 1] - begin).any():
            raise CannotWorkError("the heap changed while it was looked at")
        offsets: Offsets = getattr(again, self._name)[again.first[source] + edges - begin]
        return offsets
