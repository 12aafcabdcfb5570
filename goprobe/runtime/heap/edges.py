"""The heap as a graph: which object points at which, and every pointer that leads astray.

Edges are kept by source, in the order of words within it (compressed sparse rows).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from goprobe.compiled import effort
from goprobe.process.memory.copies import Words
from goprobe.runtime.heap.bitmaps import HeapContents, PointerMaps
from goprobe.runtime.heap.edgeloops import places
from goprobe.runtime.heap.objects import NOT_HEAP, Ids, Objects, Resolver
from goprobe.runtime.heap.spantable import Ints, parts_of

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
    room = len(heap.words.words)  # what is not used of it takes no memory
    source, target = np.empty(room, np.int32), np.empty(room, np.int32)
    offset, into = np.empty(room, np.uint32), np.empty(room, np.uint32)
    strays: list[Strays] = []
    seen = count = 0
    low, high = np.uint64(resolver.low), np.uint64(max(resolver.high - resolver.low, 0))
    for batch in maps.pointers(heap):
        seen += len(batch.value)
        near = np.flatnonzero(batch.value - low < high)
        origin = objects.of_slots(batch.slot[near])
        word, value = batch.offset[near], batch.value[near]
        to, inside = resolver.resolve(value)
        good = to >= 0
        new = slice(count, count + int(np.count_nonzero(good)))
        count = new.stop
        source[new], target[new] = origin[good], to[good]
        offset[new], into[new] = word[good], np.minimum(inside[good], _OFFSET_LIMIT)
        lost = np.flatnonzero(to < NOT_HEAP)
        if len(lost):
            strays.append(Strays(origin[lost], word[lost], value[lost], to[lost]))
        progress(seen)
    for column in (source, target, offset, into):
        column.resize(count, refcheck=False)  # nobody else has it
    columns: list[Any] = [offset, target, into]
    del offset, target, into
    return _by_source(len(objects), source, columns, _joined(strays), seen)


def _by_source(n: int, source: Ids, columns: list[Any], strays: Strays, seen: int) -> Edges:
    """Takes the columns out of their list, so that none is there twice for long."""
    first = np.zeros(n + 1, np.int64)
    for part in parts_of(len(source)):
        least = int(source[part].min())
        counts = np.bincount(source[part] - least)
        first[least + 1 : least + 1 + len(counts)] += counts
    np.cumsum(first, out=first)
    if (source[1:] < source[:-1]).any():
        if effort(len(source)) and len(source) < _SMALL:
            places(source, first[:-1].copy())
        else:
            # A few ascending runs: a stable sort merges them in linear time.
            order = np.argsort(source, kind="stable")
            source = np.empty_like(order)
            source[order] = np.arange(len(order))
        for i in range(len(columns)):
            ordered = np.empty_like(columns[i])
            for part in parts_of(len(source)):
                ordered[source[part]] = columns[i][part]
            columns[i] = ordered
    offset, target, into = columns
    return Edges(first, offset, target, into, strays, seen)


def longer(column: np.ndarray[Any, Any], more: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A column with more behind it. The column itself is made longer, where that can be done: there
    is no room for very long ones twice."""
    if not column.flags.owndata:
        return np.concatenate((column, more.astype(column.dtype)))
    have = len(column)
    column.resize(have + len(more), refcheck=False)
    column[have:] = more
    return column


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
