"""The heap as a graph: which object points at which, and every pointer that leads astray.

Edges are kept by source, in the order of words within it (compressed sparse rows).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from goprobe.process.memory.copies import Words
from goprobe.runtime.heap.bitmaps import HeapContents, PointerMaps
from goprobe.runtime.heap.objects import NOT_HEAP, Ids, Objects, Resolver
from goprobe.runtime.heap.spantable import Ints

_OFFSET_LIMIT = (1 << 32) - 1
_SMALL = 1 << 31  # row numbers below fit 32 bits: half the memory


class Strays(msgspec.Struct, frozen=True):
    """Pointers out of objects that lead to no object: `why` is one of objects.py's reasons."""

    source: Ids
    offset: Ints
    value: Words
    why: Ids

    def __len__(self) -> int:
        return len(self.source)


class Edges(msgspec.Struct, frozen=True):
    """Edges of object i are those from first[i] to first[i + 1].

    `offset` is the pointer's place in the source in words, `target` the object pointed into and
    `into` the offset there in bytes (cut off at 2**32 - 1).
    """

    first: Ints
    offset: np.ndarray[tuple[int], np.dtype[np.uint32]]
    target: Ids
    into: np.ndarray[tuple[int], np.dtype[np.uint32]]
    strays: Strays
    pointers: int

    def __len__(self) -> int:
        return len(self.target)

    def of(self, nodes: Ids) -> tuple[Ints, Ints]:
        """The numbers of all edges of some objects, and which of those each one is of."""
        return ranges(self.first[nodes], self.first[nodes + 1])

    def sources(self) -> Ids:
        """The source of every edge."""
        counts = np.diff(self.first)
        return np.repeat(np.arange(len(counts), dtype=np.int32), counts)


def numbers_in(begin: Ints, end: Ints) -> Ints:
    """All numbers in some ranges, one range behind the other."""
    counts = end - begin
    ends = np.cumsum(counts)
    numbers: Ints = np.arange(int(ends[-1]) if len(ends) else 0)
    numbers += np.repeat(begin - ends + counts, counts)
    return numbers


def ranges(begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """The same, and which range each number is of."""
    return numbers_in(begin, end), np.repeat(np.arange(len(begin)), end - begin)


def follow(
    heap: HeapContents,
    objects: Objects,
    resolver: Resolver,
    maps: PointerMaps,
    progress: Callable[[int], None] = lambda done: None,
) -> Edges:
    """Follow every pointer of every object. `progress` is told how many were followed."""
    sources: list[Ids] = []
    offsets: list[np.ndarray[tuple[int], np.dtype[np.uint32]]] = []
    targets: list[Ids] = []
    intos: list[np.ndarray[tuple[int], np.dtype[np.uint32]]] = []
    strays: list[Strays] = []
    seen = 0
    low, high = np.uint64(resolver.low), np.uint64(max(resolver.high - resolver.low, 0))
    for batch in maps.pointers(heap):
        seen += len(batch.value)
        near = np.flatnonzero(batch.value - low < high)
        source = objects.of_slots(batch.slot[near])
        offset, value = batch.offset[near], batch.value[near]
        target, into = resolver.resolve(value)
        good = target >= 0
        sources.append(source[good])
        offsets.append(offset[good].astype(np.uint32))
        targets.append(target[good])
        intos.append(np.minimum(into[good], _OFFSET_LIMIT).astype(np.uint32))
        lost = np.flatnonzero(target < NOT_HEAP)
        if len(lost):
            strays.append(Strays(source[lost], offset[lost], value[lost], target[lost]))
        progress(seen)
    return _by_source(len(objects), sources, offsets, targets, intos, _joined(strays), seen)


def _by_source(
    n: int,
    sources: list[Ids],
    offsets: list[np.ndarray[tuple[int], np.dtype[np.uint32]]],
    targets: list[Ids],
    intos: list[np.ndarray[tuple[int], np.dtype[np.uint32]]],
    strays: Strays,
    seen: int,
) -> Edges:
    """Takes the batches out of their lists, so that they are not there twice for long."""
    source = _taken(sources, np.dtype(np.int32))
    first = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(source, minlength=n), out=first[1:])
    # A few ascending runs: a stable sort merges them in linear time.
    order = np.argsort(source, kind="stable")
    if len(order) < _SMALL:
        order = order.astype(np.int32)
    del source
    offset = _taken(offsets, np.dtype(np.uint32))[order]
    target = _taken(targets, np.dtype(np.int32))[order]
    into = _taken(intos, np.dtype(np.uint32))[order]
    return Edges(first, offset, target, into, strays, seen)


def _taken(parts: list[Any], kind: np.dtype[Any]) -> Any:
    whole = np.concatenate([np.zeros(0, kind), *parts])
    parts.clear()
    return whole


def _joined(strays: list[Strays]) -> Strays:
    none = Strays(
        np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, np.int32)
    )
    every = [none, *strays]
    return Strays(
        np.concatenate([s.source for s in every]),
        np.concatenate([s.offset for s in every]),
        np.concatenate([s.value for s in every]),
        np.concatenate([s.why for s in every]),
    )
