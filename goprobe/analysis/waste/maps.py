"""Maps far larger than their entries, and maps that nothing is in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.waste.whose import Whose
from goprobe.model.heap import Waste
from goprobe.runtime.heap.grouping import distinct
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.shape import ARRAYS, MAP_ENTRIES, MAP_INSIDE, WORD

SPARSE, EMPTY = "sparse map", "empty maps"
_INSIDE = (*MAP_INSIDE, *MAP_ENTRIES, " overflow")
PARTS = (*ARRAYS, "string data", *_INSIDE)
"""How the shapes of what objects of a type are made of are called."""

_LAYERS = 6  # from a map to what it is made of
_MOST_BITS = 40  # of a count that makes sense
_FULL = 8  # slots of a group, and of a bucket (abi.MapGroupSlots, OldMapBucketCount), Go 1.21-1.27
_LOAD = 4  # a map that has only grown is at least 7/16 full (7/8 before it doubles)
_LEAVE_NIL = "nothing is in them: a nil map can be read, and made when something is put in"


def maps(graph: HeapGraph, whose: Whose) -> Iterator[Waste]:
    """Maps with room for many more entries than they have. The count is the first word of either
    design's header (internal/runtime/maps.Map, runtime.hmap)."""
    heads = headers(graph, "map[")
    old = "hmap" in graph.world.layout.structs
    total, slots = _buckets(graph, heads) if old else _groups(graph, heads)
    used = np.minimum(graph.view.words_at(heads, 0), np.uint64(1 << _MOST_BITS)).astype(np.int64)
    sparse = np.flatnonzero((slots > _FULL) & (used * _LOAD < slots))
    room = np.maximum(slots, 1)
    waste = total * (slots - 2 * used) // room
    counts = dict(zip(heads[sparse].tolist(), used[sparse].tolist(), strict=True))
    rooms = dict(zip(heads[sparse].tolist(), slots[sparse].tolist(), strict=True))

    def fresh(node: int) -> str:
        return (
            f"{counts[node]:,} entries in room for {rooms[node]:,}: maps never shrink; a fresh one "
            "with the entries that are left gives it back"
        )

    yield from whose.rows(SPARSE, whose.leading(heads[sparse]), waste[sparse], fresh)
    empty = np.flatnonzero((used == 0) & (slots <= _FULL))
    size = graph.objects.size_of(heads) + total
    yield from whose.rows(EMPTY, whose.leading(heads[empty]), size[empty], lambda node: _LEAVE_NIL)


def headers(graph: HeapGraph, begins: str) -> Ints:
    """The reachable objects of types whose names begin so, without those that they are made of."""
    names = _names(graph)
    header = np.array([name.startswith(begins) and not name.endswith(PARTS) for name in names])
    return np.flatnonzero(header[graph.typing.shape] & graph.reachable)


def _names(graph: HeapGraph) -> list[str]:
    """Of all shapes."""
    return [graph.shapes[number].name for number in range(len(graph.shapes))]


def _groups(graph: HeapGraph, heads: Ints) -> tuple[Ints, Ints]:
    """Of each map of Go 1.24 on the bytes of its groups, and the slots in them."""
    nodes, typing, n, names = graph.nodes, graph.typing, len(graph.objects), _names(graph)
    inside = np.array([name.endswith(_INSIDE) for name in names])
    groups = np.array([name.endswith(" groups") for name in names])
    owner = np.full(n, -1, np.int64)
    owner[heads] = np.arange(len(heads))
    layer = heads
    for _ in range(_LAYERS):
        edges, which = graph.view.graph.edges_of(layer)
        targets = nodes.target[edges].astype(np.int64)
        fresh = targets < n
        fresh &= inside[typing.shape[np.where(fresh, targets, 0)]]
        fresh &= owner[np.where(fresh, targets, 0)] < 0
        owner[targets[fresh]] = owner[layer[which[fresh]]]
        layer = distinct(targets[fresh])
        if not len(layer):
            break
    parts = np.flatnonzero((owner >= 0) & groups[typing.shape])
    sizes = graph.objects.size_of(parts)
    unit = np.array([max(graph.shapes[number].size, 1) for number in range(len(names))])
    count = np.maximum(sizes // unit[typing.shape[parts]], 1)
    # A table has a power of two of groups (table.go, newTable); its slot in the heap is larger.
    room = _FULL << np.log2(count).astype(np.int64)
    total = np.bincount(owner[parts], sizes, len(heads)).astype(np.int64)
    return total, np.bincount(owner[parts], room, len(heads)).astype(np.int64)


def _buckets(graph: HeapGraph, heads: Ints) -> tuple[Ints, Ints]:
    """Of each map up to Go 1.23 the bytes of its buckets, without those that overflow, and the
    slots in them: 1 << hmap.B buckets (map.go)."""
    layout, nodes, n = graph.world.layout, graph.nodes, len(graph.objects)
    at = layout.offset("hmap", "B")
    words = graph.view.words_at(heads, at // WORD * WORD)
    bits = (words >> np.uint64(at % WORD * 8)).astype(np.int64) & 0xFF
    edges, which = graph.view.graph.edges_of(heads)
    place = nodes.offset[edges].astype(np.int64) - graph.view.lead_words(heads)[which]
    mine = (place == layout.offset("hmap", "buckets") // WORD) & (nodes.target[edges] < n)
    sizes = graph.objects.size_of(nodes.target[edges][mine])
    total = np.bincount(which[mine], sizes, len(heads)).astype(np.int64)
    # A slot takes a byte at least (tophash): a map that claims to have more has them not.
    return total, np.minimum(_FULL << np.minimum(bits, _MOST_BITS), total)
