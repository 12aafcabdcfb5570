"""Pointers of reachable objects and of roots that lead to no object.

Garbage may point at what was freed before it, and the runtime's own objects at stacks.
"""

from __future__ import annotations

from functools import cached_property

import msgspec
import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.names import Names
from goprobe.analysis.heap.nodes import RootStray
from goprobe.analysis.heap.steps import selected
from goprobe.analysis.locate.locator import Locator
from goprobe.model.heap import DanglingEdge
from goprobe.runtime.heap.objects import FREE_SLOT, FREE_SPAN, MANUAL_SPAN
from goprobe.runtime.roots.ownpointers import OwnPointer, OwnPointers

_MOST_EDGES = 200
_REASONS = {
    FREE_SPAN: "into memory of the heap that is in no use",
    MANUAL_SPAN: "into a goroutine's stack, or other memory that is no object",
    FREE_SLOT: "into a slot whose object was freed",
}
_PAST_END = "past the last object of a span"


class Dangling(msgspec.Struct, frozen=True, dict=True):
    """Those of one graph: how many there are, and what they are called."""

    graph: HeapGraph

    def __len__(self) -> int:
        return len(self._of_objects) + len(self._of_roots)

    def edges(self) -> tuple[DanglingEdge, ...]:
        """The first of them, by name."""
        if not len(self):
            return ()
        names, locator = Names(self.graph), Locator(self.graph.world)
        edges = [self._of_object(names, locator, row) for row in self._of_objects[:_MOST_EDGES]]
        return (*edges, *(self._of_root(names, locator, stray) for stray in self._of_roots))

    @cached_property
    def _own(self) -> OwnPointers:
        return OwnPointers(self.graph.world)

    @cached_property
    def _of_objects(self) -> list[int]:
        """The rows of strays whose objects are reachable, and not the runtime's own by right."""
        graph = self.graph
        strays = graph.nodes.strays
        if not len(strays):
            return []
        rows = np.flatnonzero(graph.surely_reachable[strays.source])
        on_stack = rows[strays.why[rows] == MANUAL_SPAN]
        if not len(on_stack):
            return [int(row) for row in rows]
        source = strays.source[on_stack]
        lead = graph.lead[graph.objects.span[source]]
        pointers = map(
            OwnPointer,
            (graph.objects.base[source].astype(np.int64) + lead).tolist(),
            (8 * strays.offset[on_stack] - lead).tolist(),
            strays.value[on_stack].tolist(),
        )
        explained = np.array(self._own.explained(tuple(pointers)), bool)
        return sorted({*rows.tolist()} - {*on_stack[explained].tolist()})

    @cached_property
    def _of_roots(self) -> list[RootStray]:
        return [
            stray
            for stray in self.graph.nodes.root_strays
            if stray.why != MANUAL_SPAN
            or not self._own.explains_variable(stray.address, stray.value)
        ]

    def _of_object(self, names: Names, locator: Locator, row: int) -> DanglingEdge:
        strays = self.graph.nodes.strays
        source, why = int(strays.source[row]), int(strays.why[row])
        field = names.part(source, int(strays.offset[row]))
        to = locator.locate(int(strays.value[row]))
        return DanglingEdge(names.location(source), to, field, _REASONS.get(why, _PAST_END))

    def _of_root(self, names: Names, locator: Locator, stray: RootStray) -> DanglingEdge:
        place = stray.address or stray.group.address
        field = names.root_part(stray.group, place - stray.group.address)
        return DanglingEdge(
            source=locator.locate(place),
            to=locator.locate(stray.value),
            field=selected(stray.group.name, field),
            why=_REASONS.get(stray.why, _PAST_END),
        )
