"""Linked lists: what lies on long chains of one type is found at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.heapview import HeapView, different
from goprobe.runtime.types.shape import Rule
from goprobe.runtime.types.shapes import Shapes

_WORD = 8
_AT_ONCE = 1 << 19


class Chains:
    """Follows pointers from a shape to itself. `types` are the shapes that objects have so far."""

    def __init__(
        self,
        view: HeapView,
        shapes: Shapes,
        types: Ids,
        may_be: Callable[[int], NDArray[np.bool_]],
    ) -> None:
        self._view = view
        self._shapes = shapes
        self.shape = types
        self._may_be = may_be
        self._steps: dict[tuple[int, int], Ids] = {}

    def chase(self, shape: int, nodes: Ints) -> Ints:
        """Follow pointers from the shape to itself, as far as they go: linked lists.

        Returns the nodes with all that got the same shape on the way.
        """
        rules, shapes = self._shapes[shape].rules
        own = np.flatnonzero((rules == Rule.ONE) & (shapes == shape))
        if not len(own):
            return nodes
        chased = [nodes]
        for word in own.tolist():
            chased.append(self._along(np.concatenate(chased), self._links(shape, word), shape))
        return np.concatenate(chased)

    def _links(self, shape: int, word: int) -> Ids:
        """For every object that may have the shape, the one that its word points at; the number
        of objects where that is none."""
        key = (shape, word)
        if key not in self._steps:
            graph, fits = self._view.graph, self._may_be(shape)
            span, lead = self._view.objects.span, self._view.lead // _WORD
            rows = np.flatnonzero(fits[span])
            step = np.full(self._view.n + 1, self._view.n, np.int32)
            for start in range(0, len(rows), _AT_ONCE):
                edges, row = self._view.graph.edges_of(rows[start : start + _AT_ONCE])
                source = rows[start : start + _AT_ONCE][row]
                to = graph.target[edges]
                good = graph.offset[edges] == (word + lead[span[source]])
                good &= fits[span[to]] & (graph.into[edges] == self._view.lead[span[to]])
                step[source[good]] = to[good]
            self._steps[key] = step
        return self._steps[key]

    def _along(self, nodes: Ints, step: Ids, shape: int) -> Ints:
        """All that lies on the chains that begin at `nodes`, found by doubling the steps."""
        nodes = nodes[nodes < self._view.n]
        reached = np.zeros(self._view.n + 1, bool)
        reached[self._view.n] = True
        now = different(step[nodes].astype(np.int64), self._view.n + 1)
        now = now[now < self._view.n]
        now = now[self.shape[now] == 0]
        reached[now] = True
        jump, members = step, now
        while len(now):
            now = jump[members].astype(np.int64)
            now = different(now[~reached[now]], self._view.n + 1)
            reached[now] = True
            members = np.concatenate((members, now))
            jump = jump[jump]
        fresh: Ints = members[self.shape[members] == 0]
        self.shape[fresh] = shape
        return fresh
