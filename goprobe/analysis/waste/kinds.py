"""Waste that sizes and counts tell of: maps emptier than they were, structs just too large for a
size class, sparse spans, tiny objects by the thousand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.waste.holders import holder_name
from goprobe.model.address import Address
from goprobe.model.heap import Waste
from goprobe.runtime.heap.sizeclasses import next_smaller
from goprobe.runtime.heap.spantable import Ints

MAPS, ROUNDED, SPARSE, TINY = "sparse map", "rounded up", "sparse spans", "tiny objects"
_INSIDE = (" table", " directory", " groups", " buckets", " overflow")
_MANY = (" backing", " buffer", "string data", *_INSIDE)
_LAYERS = 6  # from a map to what it is made of
_WORD = 8
_MOST_BITS = 40
_FULL = 8  # slots of a group, and of a bucket (abi.MapGroupSlots, OldMapBucketCount), Go 1.21-1.27
_LOAD = 4  # a map that has only grown is at least 7/16 full (7/8 before it doubles)
_MANY_TINY = 10_000
_MANY_SPANS = 4  # every class that is used at all has one or two spans to allocate from
_TINY_BYTES = 16


def maps(graph: HeapGraph, roots: Ints) -> Iterator[Waste]:
    """Maps with room for many more entries than they have, by type and holder. The count is the
    first word of either design's header (internal/runtime/maps.Map, runtime.hmap)."""
    shapes, typing = graph.shapes, graph.typing
    names = [shapes[number].name for number in range(len(shapes))]
    header = np.array([n.startswith("map[") and not n.endswith(_MANY) for n in names])
    heads = np.flatnonzero(header[typing.shape] & graph.reachable)
    old = "hmap" in graph.world.layout.structs
    total, slots = _buckets(graph, heads) if old else _groups(graph, heads, names)
    used = graph.view.words_at(heads, 0).astype(np.int64)
    emptied = np.flatnonzero((slots > _FULL) & (used * _LOAD < slots))
    for row in emptied.tolist():
        node, room, count = int(heads[row]), int(slots[row]), int(used[row])
        yield Waste(
            kind=MAPS,
            type=names[int(typing.shape[node])],
            holder=holder_name(graph, int(roots[node])),
            objects=1,
            bytes=int(total[row]) * (room - 2 * count) // room,
            example=Address(graph.address(node)),
            advice=f"{count} entries in room for {room}: maps never shrink; a fresh one with the "
            "entries that are left gives it back",
        )


def _groups(graph: HeapGraph, heads: Ints, names: Sequence[str]) -> tuple[Ints, Ints]:
    """Of each map of Go 1.24 on the bytes of its groups, and the slots in them."""
    nodes, typing, n = graph.nodes, graph.typing, len(graph.objects)
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
        layer = np.unique(targets[fresh])
        if not len(layer):
            break
    parts = np.flatnonzero((owner >= 0) & groups[typing.shape])
    sizes = graph.objects.size[parts]
    unit = np.array([max(graph.shapes[number].size, 1) for number in range(len(names))])
    room = sizes // unit[typing.shape[parts]] * _FULL
    total = np.bincount(owner[parts], sizes, len(heads)).astype(np.int64)
    return total, np.bincount(owner[parts], room, len(heads)).astype(np.int64)


def _buckets(graph: HeapGraph, heads: Ints) -> tuple[Ints, Ints]:
    """Of each map up to Go 1.23 the bytes of its buckets, without those that overflow, and the
    slots in them: 1 << hmap.B buckets (map.go)."""
    layout, nodes, n = graph.world.layout, graph.nodes, len(graph.objects)
    at = layout.offset("hmap", "B")
    words = graph.view.words_at(heads, at // _WORD * _WORD)
    bits = (words >> np.uint64(at % _WORD * 8)).astype(np.int64) & 0xFF
    edges, which = graph.view.graph.edges_of(heads)
    place = nodes.offset[edges].astype(np.int64) - graph.view.lead_words(heads)[which]
    mine = (place == layout.offset("hmap", "buckets") // _WORD) & (nodes.target[edges] < n)
    sizes = graph.objects.size[nodes.target[edges][mine]]
    total = np.bincount(which[mine], sizes, len(heads)).astype(np.int64)
    return total, np.where(total > 0, _FULL << np.minimum(bits, _MOST_BITS), 0)


def rounded(graph: HeapGraph) -> Iterator[Waste]:
    """What size classes add to objects of each type."""
    typing, objects = graph.typing, graph.objects
    alive = graph.reachable & (typing.shape > 0)
    shape = typing.shape[alive]
    counts = np.bincount(shape, minlength=len(graph.shapes))
    sizes = np.bincount(shape, objects.size[alive], len(graph.shapes)).astype(np.int64)
    lead = np.bincount(shape, graph.lead[objects.span[alive]], len(graph.shapes)).astype(np.int64)
    below, firsts = next_smaller(objects.spans), _firsts(graph)
    for number in np.flatnonzero(counts).tolist():
        each = graph.shapes[number]
        if each.size <= 0 or each.part[0] or each.name.endswith(_MANY):
            continue
        if each.name.startswith("runtime."):
            continue  # nobody can change these
        count = int(counts[number])
        waste = int(sizes[number]) - int(lead[number]) - each.size * count
        first = int(firsts[number])
        slot, under = int(objects.size[first]), int(below[objects.span[first]])
        if 0 < waste < count * slot // 2:
            yield Waste(
                kind=ROUNDED,
                type=each.name,
                holder="",
                objects=count,
                bytes=waste,
                example=Address(graph.address(first)),
                advice=f"{each.size} bytes in slots of {slot}: {each.size - under} bytes less, by "
                "another order of fields or smaller types, and they fit the class below",
            )


def _firsts(graph: HeapGraph) -> Ints:
    """Of each type that objects have the first of these."""
    shape = graph.typing.shape
    first = np.full(len(graph.shapes), -1, np.int64)
    first[shape[::-1]] = np.arange(len(shape))[::-1]  # the last assignment holds
    return first


def sparse(graph: HeapGraph) -> Iterator[Waste]:
    """Size classes whose spans are mostly free."""
    for each in graph.snapshot.census.classes:
        if each.size and each.spans >= _MANY_SPANS and each.objects * 2 < each.slots:
            share = 100 * each.objects / each.slots
            yield Waste(
                kind=SPARSE,
                type=f"size class {each.size}{', without pointers' if each.noscan else ''}",
                holder="",
                objects=each.objects,
                bytes=each.free,
                example=_example(graph, each.size, noscan=each.noscan),
                advice=f"{share:.0f} % of the slots are in use, in {each.spans} spans that cannot "
                "be returned while any of them is: they fill up with objects of this size only",
            )


def _example(graph: HeapGraph, size: int, *, noscan: bool) -> Address:
    spans = graph.snapshot.spans
    mine = (spans.elemsize == size) & ((spans.spanclass & 1 != 0) == noscan)
    rows = np.flatnonzero(mine & (spans.spanclass > 1))
    if not len(rows):
        return Address(0)
    emptiest = rows[np.argmin(spans.alloc_count[rows])]
    return Address(int(spans.base[emptiest]))


def tiny(graph: HeapGraph) -> Iterator[Waste]:
    """Pointers to objects of at most two words, by the thousand: each costs a pointer."""
    counts = np.bincount(graph.typing.shape[graph.reachable], minlength=len(graph.shapes))
    firsts = _firsts(graph)
    for number in np.flatnonzero(counts >= _MANY_TINY).tolist():
        each = graph.shapes[number]
        if not 0 < each.size <= _TINY_BYTES or each.name.endswith(_MANY):
            continue
        first = int(firsts[number])
        yield Waste(
            kind=TINY,
            type=each.name,
            holder="",
            objects=int(counts[number]),
            bytes=int(counts[number]) * _WORD,
            example=Address(graph.address(first)),
            advice="each has a pointer of its own that the collector follows: hold them by value",
        )
