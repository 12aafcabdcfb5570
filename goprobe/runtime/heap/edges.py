"""The heap as a graph: which object points at which, and every pointer that leads astray.

Edges are kept by source, in the order of words within it (compressed sparse rows).
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.compiled import Effort, effort, first_time
from goprobe.process.memory.copies import Words
from goprobe.runtime.heap import edgeloops as loops
from goprobe.runtime.heap.beside import Beside, BesideNotes
from goprobe.runtime.heap.bitmaps import Flags, HeapContents, PointerMaps
from goprobe.runtime.heap.edgeloops import follow_words
from goprobe.runtime.heap.objects import NOT_HEAP, Ids, Objects, Resolver, parts_of
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.heap.words import WordPart

_OFFSET_LIMIT = (1 << 32) - 1
_WORD, _BITS = 8, 64
_AT_ONCE = 1 << 17  # words
_STRAYS_ROOM = 1 << 12


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
    `into` the offset there in bytes (cut off at 2**32 - 1). `beside` is what stands beside the
    pointers. `carriers` are the objects that carry their type, `carried` the types.
    """

    first: Ints
    offset: np.ndarray[tuple[int], np.dtype[np.uint32]]
    target: Ids
    into: np.ndarray[tuple[int], np.dtype[np.uint32]]
    beside: Beside
    strays: Strays
    pointers: int
    carriers: Ids
    carried: Words

    def __len__(self) -> int:
        return len(self.target)

    def of(self, nodes: Ids) -> tuple[Ints, Ints]:
        """The numbers of all edges of some objects, and which of those each one is of."""
        return ranges(self.first[nodes], self.first[nodes + 1])

    def sources(self) -> Ids:
        """The source of every edge."""
        counts = np.diff(self.first)
        return np.repeat(np.arange(len(counts), dtype=np.int32), counts)

    def beside_with(self, more: int) -> Beside:
        """What stands beside its pointers and so many more, of which nothing is known."""
        return self.beside.longer(more)


def leading_to(target: Ids, wanted: NDArray[np.bool_]) -> Ints:
    """The numbers of the edges to these `target`s that lead to `wanted` nodes."""
    parts = [np.flatnonzero(wanted[target[p]]) + p.start for p in parts_of(len(target))]
    return np.concatenate([np.zeros(0, np.int64), *parts])


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


def waits_for_follow(contents: HeapContents) -> str:
    """What those who wait for `follow` are told where its loop has to be compiled first."""
    return first_time(len(contents.words.words), follow_words)


def follow(
    heap: HeapContents,
    objects: Objects,
    resolver: Resolver,
    maps: PointerMaps,
    static: tuple[int, int],
    spans: Ints | None = None,
) -> Edges:
    """Follow every pointer of every object, or of those in some spans (rows, ascending). `static`
    is where the program itself lies: [low, high)."""
    made = _Made(heap, objects, resolver, static)
    for part in heap.words.parts(spans):
        flags = np.zeros(part.high - part.low, np.bool_)
        maps.mark(heap, part, flags)
        made.carry(*maps.types(heap, part))
        made.follow(part, flags)
    return made.edges()


class _Made:
    """Edges as they are found. Parts of the heap come in the order of addresses, and so do the
    edges."""

    def __init__(
        self, heap: HeapContents, objects: Objects, resolver: Resolver, static: tuple[int, int]
    ) -> None:
        self._heap, self._objects, self._resolver = heap, objects, resolver
        room = len(heap.words.words)  # what is not used of it takes no memory
        self._beside = BesideNotes(static, room, len(objects))
        self._offset, self._target = np.empty(room, np.uint32), np.empty(room, np.int32)
        self._into = np.zeros(room, np.uint32)
        self._count = self.seen = 0
        self._slots = heap.allocated.first[:-1] * _BITS
        self._spans = self._of_spans()
        self._effort = effort(room)
        if self._effort is not Effort.COMPILE and not follow_words.was_compiled:
            self._effort = Effort.NONE  # arrays are faster than a loop in Python
        self._first = np.zeros(len(objects) + 1, np.int64)
        self._strays: list[Strays] = []
        self._carried: list[tuple[Ids, Words]] = []

    def _of_spans(self) -> Ints:
        """What the loop looks at of each span."""
        spans = self._heap.spans
        table = np.zeros((len(spans), loops.OF_SPAN), np.int64)
        table[:, loops.BASE], table[:, loops.ELEMSIZE] = spans.base.view(np.int64), spans.elemsize
        table[:, loops.NELEMS], table[:, loops.FIRST_SLOT] = spans.nelems, self._slots
        table[:, loops.DIVIDE] = self._resolver.divide
        return table.reshape(-1)

    def carry(self, slots: Ints, rtypes: Words) -> None:
        if len(slots):
            self._carried.append((self._objects.of_slots(slots), rtypes))

    def follow(self, part: WordPart, flags: Flags) -> None:
        """The pointers among some words, those with a flag."""
        if self._effort:
            self._looped(part, flags)
            return
        for first in range(part.low, part.high, _AT_ONCE):
            some = flags[first - part.low : first - part.low + _AT_ONCE]
            self._taken(np.flatnonzero(some) + first)

    def _looped(self, part: WordPart, flags: Flags) -> None:
        heap, words, resolver = self._heap, self._heap.words, self._resolver
        beside = self._beside
        state = np.array((self._count, self.seen, 0, beside.count), np.int64)
        source, why = np.empty(_STRAYS_ROOM, np.int32), np.empty(_STRAYS_ROOM, np.int32)
        offset, value = np.empty(_STRAYS_ROOM, np.int64), np.empty(_STRAYS_ROOM, np.int64)
        while state[2] < len(flags):
            lost = follow_words.run(
                state, words.words.view(np.int64), flags, flags.view(np.int64), part.low,
                words.owner, words.page_words.bit_length() - 1, words.start,
                heap.allocated.words.view(np.int64), self._objects.before, self._spans,
                *resolver.tables, resolver.low, resolver.high,
                self._first, self._offset, self._target, self._into, source, offset, value, why,
                beside.low, beside.numbers, beside.told, beside.notes, beside.heads,
                effort=self._effort,
            )  # fmt: skip
            if lost:
                values = value[:lost].view(np.uint64).copy()
                some = Strays(source[:lost].copy(), offset[:lost].copy(), values, why[:lost].copy())
                self._strays.append(some)
        self._count, self.seen, beside.count = int(state[0]), int(state[1]), int(state[3])

    def _taken(self, place: Ints) -> None:
        """The same with arrays: the words at some places."""
        heap, words = self._heap, self._heap.words
        spans = heap.spans
        value = words.words[place]
        filled = value != 0
        place, value = place[filled], value[filled]
        span = words.owner[place // words.page_words]
        size = spans.elemsize[span] // _WORD
        within = place - words.start[span]
        index = within // size
        inside = (index < spans.nelems[span]) & (words.start[span] >= 0)
        slot = self._slots[span] + np.where(inside, index, 0)
        inside &= heap.allocated.has(slot)
        self.seen += int(np.count_nonzero(inside))
        low, high = np.uint64(self._resolver.low), np.uint64(self._resolver.high)
        near = np.flatnonzero(inside & (value >= low) & (value < high))
        origin = self._objects.of_slots(slot[near])
        word, value = (within - index * size)[near], value[near]
        to, into = self._resolver.resolve(value)
        self._add(origin, word, value, to, into)

    def _add(self, origin: Ids, word: Ints, value: Words, to: Ids, into: Ints) -> None:
        good = to >= 0
        new = slice(self._count, self._count + int(np.count_nonzero(good)))
        self._count = new.stop
        self._offset[new], self._target[new] = word[good], to[good]
        self._into[new] = np.minimum(into[good], _OFFSET_LIMIT)
        if len(source := origin[good]):
            least = int(source[0]) + 1
            counts = np.bincount(source - source[0])
            self._first[least : least + len(counts)] += counts
        lost = np.flatnonzero(to < NOT_HEAP)
        if len(lost):
            self._strays.append(Strays(origin[lost], word[lost], value[lost], to[lost]))

    def edges(self) -> Edges:
        for column in (self._offset, self._target, self._into):
            column.resize(self._count, refcheck=False)  # nobody else has it
        np.cumsum(self._first, out=self._first)
        none = np.zeros(0, np.int32), np.zeros(0, np.uint64)
        carried = [none, *self._carried]
        return Edges(
            self._first, self._offset, self._target, self._into, self._beside.made(self._count),
            _joined(self._strays), self.seen,
            np.concatenate([c[0] for c in carried]), np.concatenate([c[1] for c in carried]),
        )  # fmt: skip


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
