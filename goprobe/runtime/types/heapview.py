"""The heap's objects and roots as words to look at, many at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.process.memory.copies import Words
from goprobe.runtime.heap.objects import Ids, Objects
from goprobe.runtime.heap.sizeclasses import TINY_BYTES, next_smaller
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.heap.words import ABSENT, HeapWords
from goprobe.runtime.types.bymask import ByMask
from goprobe.runtime.types.catalog import Catalog
from goprobe.runtime.types.wholes import Slot, Wholes

_WORD = 8
_BITS = 64
_SPARSE = 32
_CACHE_LIMIT = 1 << 16


class Graph(msgspec.Struct, frozen=True):
    """Edges of objects and roots, and what the sources' words are (see analysis/heap/nodes.py)."""

    first: Ints
    offset: NDArray[np.uint32]
    target: Ids
    into: NDArray[np.uint32]


class RootWords(msgspec.Struct, frozen=True):
    """How to look at the words of root nodes: node numbers begin at `base`.

    `shapes` are the roots' shapes (0: unknown); `word` reads the word at a word offset of a root.
    `before` is the word that stands before the only pointer of a root without a shape.
    """

    base: int
    shapes: Ids
    word: Callable[[int, int], int]
    before: Words


class Witnesses(msgspec.Struct, frozen=True):
    """What else is asked: `word` reads a word outside the heap (0: not there), `kind` is what a
    type's descriptor at an address says, `masks` are the pointer words of objects (see bitmaps),
    `is_function` is whether code begins at an address. `texts` are [low, high) of all Go code;
    `element_at` is where in a channel its element's type stands."""

    word: Callable[[int], int]
    kind: Callable[[int], GoKind]
    masks: Callable[[Ints], Words]
    is_function: Callable[[int], bool]
    texts: tuple[tuple[int, int], ...]
    element_at: int
    catalog: Catalog
    wholes: Wholes
    by_mask: ByMask


class HeapView:
    """What stands where. Node numbers are those of analysis/heap/nodes.py: objects, then roots."""

    def __init__(
        self, objects: Objects, words: HeapWords, graph: Graph, roots: RootWords, lead: Ints,
        witnesses: Witnesses,
    ) -> None:  # fmt: skip
        """`lead` is how many bytes a type header takes in each span's objects."""
        self.objects = objects
        self.words = words
        self.graph = graph
        self.roots = roots
        self.lead = lead
        self.witnesses = witnesses
        self.n = len(objects)
        self.noscan: NDArray[np.bool_] = objects.spans.spanclass & 1 != 0
        self.room: Ints = objects.spans.elemsize - lead
        self.below: Ints = next_smaller(objects.spans) - lead

    def in_span(self, nodes: Ints) -> Ints:
        """How many bytes into its span each object begins."""
        begin = self.objects.spans.base[self.objects.span[nodes]]
        found: Ints = (self.objects.base[nodes] - begin).astype(np.int64)
        return found

    def edges_of(self, nodes: Ints) -> tuple[Ints, Ints]:
        """Every edge of some nodes, and the number of the node (of `nodes`) that it begins at."""
        first = self.graph.first
        begin = first[nodes]
        counts = first[nodes + 1] - begin
        ends = np.cumsum(counts)
        edges = np.arange(int(ends[-1]) if len(ends) else 0)
        edges += np.repeat(begin - ends + counts, counts)
        return edges, np.repeat(np.arange(len(nodes)), counts)

    def lead_words(self, nodes: Ints) -> Ints:
        heap = nodes < self.n
        span = self.objects.span[np.where(heap, nodes, 0)] if self.n else nodes * 0
        words: Ints = np.where(heap, self.lead[span] // _WORD, 0)
        return words

    def word_before(self, edges: Ints, source: Ints, step: int) -> Words:
        """The word beside each edge's own, `step` words on."""
        at = self.graph.offset[edges].astype(np.int64) + step
        heap = source < self.n
        found = np.zeros(len(edges), np.uint64)
        nodes = source[heap]
        span = self.objects.span[nodes]
        start = self.words.start[span]
        place = start + self.in_span(nodes) // _WORD + at[heap]
        there = (start != ABSENT) & (place >= 0) & (place < len(self.words.words))
        values = np.zeros(len(nodes), np.uint64)
        values[there] = self.words.words[place[there]]
        found[heap] = values
        for row in np.flatnonzero(~heap).tolist():
            found[row] = self.roots.word(int(source[row]) - self.roots.base, int(at[row]))
        return found

    def words_at(self, nodes: Ints, offset: int) -> Words:
        """The word at a byte offset of each object. Those that hold no pointers are in no span
        that was read: they are looked at one by one."""
        span = self.objects.span[nodes]
        start, lead = self.words.start[span], self.lead[span] + offset
        base, index = self.objects.base[nodes], self.in_span(nodes)
        there = (start != ABSENT) & (offset < self.room[span])
        found = np.zeros(len(nodes), np.uint64)
        found[there] = self.words.words[(start + (index + lead) // _WORD)[there]]
        for row in np.flatnonzero(start == ABSENT)[:_CACHE_LIMIT].tolist():
            found[row] = self.witnesses.word(int(base[row]) + int(lead[row]))
        return found

    def masks(self, nodes: Ints) -> Ints:
        """The pointer words of small objects with pointers, 0 for others."""
        span = self.objects.span[nodes]
        small = np.flatnonzero(~self.noscan[span] & (self.room[span] <= _WORD * _BITS))
        found = np.zeros(len(nodes), np.int64)
        if len(small):
            found[small] = self.witnesses.masks(nodes[small]).view(np.int64)
        return found

    @cached_property
    def slots(self) -> tuple[list[Slot], Ints]:
        """The different slots, and of each span the number of its own."""
        keys = np.stack((self.below, self.room, self.noscan))
        several, which = np.unique(keys, axis=1, return_inverse=True)
        slots = [Slot(low, high, bool(noscan)) for low, high, noscan in several.T.tolist()]
        return slots, which.ravel()

    @cached_property
    def tiny(self) -> NDArray[np.bool_]:
        """Of each object whether it may be several small ones."""
        tiny: NDArray[np.bool_] = self.noscan & (self.objects.spans.elemsize == TINY_BYTES)
        return tiny[self.objects.span]


def exact(mask: int, slot: Slot) -> int | None:
    """The pointer words of an object in such a slot, None where they were not looked at."""
    return None if slot.high > _WORD * _BITS or slot.noscan else mask & (1 << _BITS) - 1


def different(nodes: Ints, count: int) -> Ints:
    """The different ones of some numbers below `count`, ascending."""
    if len(nodes) > count // _SPARSE:
        marks = np.zeros(count, bool)
        marks[nodes] = True
        return np.flatnonzero(marks).astype(np.int64)
    ordered = np.sort(nodes)
    new = np.ones(len(ordered), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return ordered[new]


def groups(keys: NDArray[np.generic], order: Ints) -> list[tuple[int, Ints]]:
    """(key, rows) for each different key; `order` sorts the keys."""
    if not len(order):
        return []
    ordered = keys[order]
    cuts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    parts = np.split(order, cuts)
    return [(int(keys[rows[0]]), rows) for rows in parts]
