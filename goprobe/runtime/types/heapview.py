"""The heap's objects and roots as words to look at, many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.process.memory.copies import Words
from goprobe.runtime.heap.beside import Beside
from goprobe.runtime.heap.edges import ranges
from goprobe.runtime.heap.grouping import by_key
from goprobe.runtime.heap.objects import Ids, Objects
from goprobe.runtime.heap.sizeclasses import TINY_BYTES, next_smaller, without_redzone
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.heap.words import ABSENT, HeapWords
from goprobe.runtime.types.bymask import ByMask
from goprobe.runtime.types.catalog import Catalog
from goprobe.runtime.types.shape import Meaning, Shape
from goprobe.runtime.types.wholes import SizeBounds, Wholes

_WORD = 8
_BITS = 64
_CACHE_LIMIT = 1 << 16


class Graph(msgspec.Struct, frozen=True):
    """Edges of objects and roots, and what the sources' words are (see analysis/heap/nodes.py)."""

    first: Ints
    offset: NDArray[np.uint32]
    target: Ids
    into: NDArray[np.uint32]
    beside: Beside

    def edges_of(self, nodes: Ints) -> tuple[Ints, Ints]:
        """Every edge of some nodes, and the number of the node (of `nodes`) that it begins at."""
        return ranges(self.first[nodes], self.first[nodes + 1])

    def edges_within(self, nodes: Ints, low: Ints, high: Ints) -> tuple[Ints, Ints]:
        """As `edges_of`, of those pointers that stand at words `low` to `high` (exclusive) of each
        object: its edges are in the order of words. A large array may have very many others."""
        begin = self._first_at(self.first[nodes], self.first[nodes + 1], low)
        end = self._first_at(begin, self.first[nodes + 1], high)
        return ranges(begin, end)

    def in_batches(self, nodes: Ints, most: int) -> Iterator[Ints]:
        """Some nodes in parts that have about so many edges each, at least one node."""
        ends = np.cumsum(self.first[nodes + 1] - self.first[nodes] + 1)
        start, before = 0, 0
        while start < len(nodes):
            end = max(int(np.searchsorted(ends, before + most, "right")), start + 1)
            yield nodes[start:end]
            start, before = end, int(ends[end - 1])

    def _first_at(self, begin: Ints, end: Ints, word: Ints) -> Ints:
        """Of each range of edges the first that stands at such a word or behind it."""
        low, high = begin.copy(), end.copy()
        for _ in range(int((high - low).max(initial=0)).bit_length()):
            open_ = low < high
            middle = np.where(open_, (low + high) >> 1, 0)
            before = open_ & (self.offset[middle] < word)
            low = np.where(before, middle + 1, low)
            high = np.where(open_ & ~before, middle, high)
        return low


class RootWords(msgspec.Struct, frozen=True):
    """How to look at the words of root nodes: node numbers begin at `base`.

    `shapes` are the roots' shapes (0: unknown); `word` reads the word at a word offset of a root.
    `before` is the word that stands before the only pointer of a root without a shape.
    """

    base: int
    shapes: Ids
    word: Callable[[int, int], int]
    before: Words


class Witnesses(msgspec.Struct, frozen=True, kw_only=True):
    """What else is asked: `word` reads a word outside the heap (0: not there), `kind` is what a
    type's descriptor at an address says, `masks` are the pointer words of objects (see bitmaps),
    `is_function` is whether code begins at an address. `texts` are [low, high) of all Go code;
    `element_at` is where in a channel its element's type stands. `by_code` says what words of roots
    mean (each a root's row, and where in it), as far as the code that uses those tells."""

    word: Callable[[int], int]
    kind: Callable[[int], GoKind]
    masks: Callable[[Ints], Words]
    is_function: Callable[[int], bool]
    texts: tuple[tuple[int, int], ...]
    element_at: int
    catalog: Catalog
    wholes: Wholes
    by_mask: ByMask
    by_code: Callable[[list[tuple[int, int]]], dict[tuple[int, int], Meaning]]


class HeapView:
    """What stands where. Node numbers are those of analysis/heap/nodes.py: objects, then roots."""

    def __init__(
        self,
        objects: Objects,
        words: HeapWords,
        graph: Graph,
        roots: RootWords,
        lead: Ints,
        witnesses: Witnesses,
        *,
        redzones: bool = False,
    ) -> None:
        """`lead` is how many bytes a type header takes in each span's objects; `redzones`: the
        program was built with -asan."""
        self.objects = objects
        self.words = words
        self.graph = graph
        self.roots = roots
        self.lead = lead
        self.witnesses = witnesses
        self.n = len(objects)
        self.noscan: NDArray[np.bool_] = objects.spans.spanclass & 1 != 0
        self.room: Ints = objects.spans.elemsize - lead
        self.shared: NDArray[np.bool_] = self.noscan & (objects.spans.elemsize == TINY_BYTES)
        """Of each span whether its objects may be several small ones (the tiny allocator)."""
        self.below: Ints = next_smaller(objects.spans) - lead
        self._redzones = redzones
        if redzones:
            self.room, self.below = without_redzone(self.room), without_redzone(self.below)
            self.shared = np.zeros_like(self.shared)  # none is so small

    def of_user_arenas(self, nodes: Ints) -> NDArray[np.bool_]:
        """Chunks of user arenas (arena.go), which up to Go 1.21 have no type: of the hundred
        thousand values in one each may tell of the next, one a round, without an end in sight."""
        chunks: NDArray[np.bool_] = self.objects.spans.user_arena[self.objects.span[nodes]] != 0
        return chunks

    def may_be(self, shape: Shape, nodes: Ints) -> NDArray[np.bool_]:
        """Whether each object may be one value of a shape."""
        return self.may_hold(shape.size, shape.pointers, nodes)

    def may_hold(
        self, size: int | Ints, pointers: bool | NDArray[np.bool_], nodes: Ints
    ) -> NDArray[np.bool_]:
        """Whether each object may be one value of such a size, with pointers or without."""
        span = self.objects.span[nodes]
        fits: NDArray[np.bool_] = self.noscan[span] != pointers
        fits &= (size <= self.room[span]) & (size > self.below[span])
        shared = self.shared[span] & ~np.bool_(pointers) & np.less(size, TINY_BYTES)
        return fits | shared

    def in_span(self, nodes: Ints) -> Ints:
        """How many bytes into its span each object begins."""
        begin = self.objects.spans.base[self.objects.span[nodes]]
        offsets: Ints = (self.objects.base[nodes] - begin).astype(np.int64)
        return offsets

    def lead_words(self, nodes: Ints | Ids) -> Ints:
        heap = nodes < self.n
        words: Ints = np.zeros(len(nodes), np.int64)
        words[heap] = self.lead[self.objects.span[nodes[heap]]] // _WORD  # there may be no span
        return words

    def whole_words(self, nodes: Ints, words: int) -> Ints:
        """How many of each node's words may be of whole values of so many words: a slot may be a
        little larger than what it holds, and that is a larger value than was thought, perhaps."""
        most: Ints = np.full(len(nodes), np.iinfo(np.int64).max)
        heap = nodes < self.n
        room = self.room[self.objects.span[nodes[heap]]]
        most[heap] = room // _WORD // words * words
        return most

    def word_before(self, edges: Ints, source: Ints, step: int) -> Words:
        """The word beside each edge's own, `step` words on."""
        known, before = self.graph.beside.words(edges, step)
        if not known.all():
            rest = np.flatnonzero(~known)
            before[rest] = self._looked_up(edges[rest], source[rest], step)
        return before

    def _looked_up(self, edges: Ints, source: Ints, step: int) -> Words:
        at = self.graph.offset[edges].astype(np.int64) + step
        heap = source < self.n
        before = np.zeros(len(edges), np.uint64)
        nodes = source[heap]
        span = self.objects.span[nodes]
        start = self.words.start[span]
        place = start + self.in_span(nodes) // _WORD + at[heap]
        there = (start != ABSENT) & (place >= 0) & (place < len(self.words.words))
        values = np.zeros(len(nodes), np.uint64)
        values[there] = self.words.at(place[there])
        before[heap] = values
        for row in np.flatnonzero(~heap).tolist():
            before[row] = self.roots.word(int(source[row]) - self.roots.base, int(at[row]))
        return before

    def words_at(self, nodes: Ints, offset: int) -> Words:
        """The word at a byte offset of each object. Those that hold no pointers are in no span
        that was read: they are looked at one by one."""
        span = self.objects.span[nodes]
        start, lead = self.words.start[span], self.lead[span] + offset
        base, index = self.objects.base[nodes], self.in_span(nodes)
        there = (start != ABSENT) & (offset < self.room[span])
        words = np.zeros(len(nodes), np.uint64)
        words[there] = self.words.at((start + (index + lead) // _WORD)[there])
        for row in np.flatnonzero(start == ABSENT)[:_CACHE_LIMIT].tolist():
            words[row] = self.witnesses.word(int(base[row]) + int(lead[row]))
        return words

    def first_places(self, nodes: Ints) -> Ints:
        """Where the first words are of objects whose words are read."""
        return self.words.start[self.objects.span[nodes]] + self.in_span(nodes) // _WORD

    def masks(self, nodes: Ints) -> Ints:
        """The pointer words of small objects with pointers, 0 for others."""
        span = self.objects.span[nodes]
        small = np.flatnonzero(~self.noscan[span] & (self.room[span] <= _WORD * _BITS))
        masks = np.zeros(len(nodes), np.int64)
        if len(small):
            masks[small] = self.witnesses.masks(nodes[small]).view(np.int64)
        return masks

    @cached_property
    def slots(self) -> tuple[list[SizeBounds], Ints]:
        """The different slots, and of each span the number of its own."""
        slots: list[SizeBounds] = []
        which = np.zeros(len(self.room), np.int64)
        for (low, high, noscan), rows in by_key(self.below, self.room, self.noscan):
            which[rows] = len(slots)
            slots.append(SizeBounds(low, high, bool(noscan), self._redzones))
        return slots, which

    @cached_property
    def tiny(self) -> NDArray[np.bool_]:
        """Of each object whether it may be several small ones."""
        tiny: NDArray[np.bool_] = self.shared[self.objects.span]
        return tiny


def exact(mask: int, slot: SizeBounds) -> int | None:
    """The pointer words of an object in such a slot, None where they were not looked at."""
    known = not (slot.high > _WORD * _BITS or slot.noscan or slot.redzones)
    return mask & (1 << _BITS) - 1 if known else None


def at_least(mask: int, slot: SizeBounds) -> int | None:
    """The same where more may be marked behind the value, which wholes know."""
    known = not (slot.high > _WORD * _BITS or slot.noscan)
    return mask & (1 << _BITS) - 1 if known else None
