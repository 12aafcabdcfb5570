"""Channels with a buffer that nothing is in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.waste.maps import headers
from goprobe.analysis.waste.whose import Whose
from goprobe.model.heap import Waste
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.layout.columns import read_columns

EMPTY = "empty channels"
_SMALLER = "nothing waits in them at this moment: a shorter buffer, where it never fills"


def channels(graph: HeapGraph, whose: Whose) -> Iterator[Waste]:
    """By what their header says (runtime.hchan): elements in the buffer, its length, their size."""
    heads = headers(graph, "chan ")
    count, room, size = _fields(graph, heads, "qcount", "dataqsiz", "elemsize")
    # No buffer is larger than what is allocated for it: else the words are no header's.
    waste = np.minimum(room, np.int64(1) << 40) * size
    waste = np.minimum(waste, graph.snapshot.census.span_bytes)
    empty = np.flatnonzero((count == 0) & (waste > 0))
    yield from whose.rows(EMPTY, whose.leading(heads[empty]), waste[empty], lambda node: _SMALLER)


def _fields(graph: HeapGraph, heads: Ints, *names: str) -> Iterator[Ints]:
    """Fields of each header; -1 where it cannot be read. (Channels of what holds no pointers lie in
    spans that are not read with the heap.)"""
    world = graph.world
    fields, there = read_columns(world.memory, world.layout.struct("hchan"), graph.addresses(heads))
    for name in names:
        yield np.where(there, fields[name].view(np.int64), -1)
