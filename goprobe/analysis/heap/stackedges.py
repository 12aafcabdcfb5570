"""Whose stack the roots of a heap's graph lie on: the collector's detector of leaks takes each
goroutine's by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from goprobe.analysis.heap.nodes import Nodes
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints


class StackEdges:
    """The objects that roots lead to: `own(i)` those from the stack of the i-th of some
    goroutines, `others` all those from elsewhere. With `only` of these nodes alone."""

    def __init__(
        self, nodes: Nodes, goroutines: Sequence[Goroutine], only: NDArray[np.bool_] | None = None
    ) -> None:
        n = len(nodes.objects)
        target = nodes.target[nodes.heap_edges :]
        wanted = target < n if only is None else (target < n) & only[target]
        edges = np.flatnonzero(wanted) + nodes.heap_edges
        place = nodes.addresses[edges - nodes.heap_edges]
        low = np.array([g.low for g in goroutines], np.uint64)
        high = np.array([g.high for g in goroutines], np.uint64)
        order = np.argsort(low, kind="stable")
        at = np.searchsorted(low[order], place, "right") - 1
        whose = order[np.maximum(at, 0)] if len(order) else at
        inside = (at >= 0) & (place < high[whose]) if len(order) else np.zeros(len(at), np.bool_)
        self.others: Ids = nodes.target[edges[~inside]]
        owner, kept = whose[inside], edges[inside]
        by_owner = np.argsort(owner, kind="stable")
        self.edges: Ints = kept[by_owner]
        self.targets: Ids = nodes.target[self.edges]
        self.first: Ints = np.zeros(len(goroutines) + 1, np.int64)
        np.cumsum(np.bincount(owner, minlength=len(goroutines)), out=self.first[1:])

    def own(self, index: int) -> Ids:
        return self.targets[self.first[index] : self.first[index + 1]]

    def owners(self) -> Ints:
        """Of each of `targets`, whose it is."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))
