"""Channels with a buffer that nothing is in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.waste.maps import PARTS
from goprobe.analysis.waste.whose import Whose
from goprobe.model.heap import Waste
from goprobe.process.memory.copies import MISSING, copy_ranges
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.shape import WORD

EMPTY = "empty channels"
_SMALLER = "nothing waits in them at this moment: a shorter buffer, where it never fills"


def channels(graph: HeapGraph, whose: Whose) -> Iterator[Waste]:
    """By what their header says (runtime.hchan): elements in the buffer, its length, their size."""
    shapes = graph.shapes
    names = [shapes[number].name for number in range(len(shapes))]
    header = np.array([n.startswith("chan ") and not n.endswith(PARTS) for n in names])
    heads = np.flatnonzero(header[graph.typing.shape] & graph.reachable)
    count, room, size = (_field(graph, heads, name) for name in ("qcount", "dataqsiz", "elemsize"))
    # No buffer is larger than what is allocated for it: else the words are no header's.
    waste = np.minimum(room, np.int64(1) << 40) * (size & 0xFFFF)  # elemsize is a uint16
    waste = np.minimum(waste, graph.snapshot.census.span_bytes)
    empty = np.flatnonzero((count == 0) & (waste > 0))
    yield from whose.rows(EMPTY, whose.leading(heads[empty]), waste[empty], lambda node: _SMALLER)


def _field(graph: HeapGraph, heads: Ints, name: str) -> Ints:
    """A word of each header; -1 where it cannot be read. (Channels of what holds no pointers lie in
    spans that are not read with the heap.)"""
    at = graph.world.layout.offset("hchan", name) // WORD * WORD
    address = graph.addresses(heads) + np.uint64(at)
    copied = copy_ranges(graph.world.memory, address, WORD)
    position = copied.positions(address, WORD)
    words = np.full(len(heads), -1, np.int64)
    there = position != MISSING
    words[there] = copied.words[position[there] // WORD].astype(np.int64)
    return words
