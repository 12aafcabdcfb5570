"""What stands beside each pointer of a heap, in two bytes.

Whoever finds types asks for words beside pointers: those before them, which tell the types of
interfaces' values, and those behind, which tell how long slices are. To look for them later, in
whatever order types are found, is to read most of a heap once more, a page at a time. So they are
noted as the pointers are followed, all that is short; the rest is looked up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goprobe.process.memory.copies import Words
from goprobe.runtime.heap.spantable import Ints

Notes = NDArray[np.uint16]

STATIC = 1 << 15
"""The word before is a static address; the other bits are its number in `told`."""
NOUGHT = 1 << 14
"""Without STATIC: the word behind is 0."""
SECOND = NOUGHT - 1
"""Without STATIC: one more than the word behind that one; all of these bits where that is large.
A note of 0 says nothing."""
TOLD_MOST = STATIC
BYTE_NOUGHT, BYTE_SET = STATIC + 1, STATIC + 2
"""Of an object whose first word is no static address: whether its first byte is 0."""
_STATIC_MOST = 1 << 29  # bytes of a program in memory


class Beside:
    """`notes` are those of each edge. `told` are static addresses by their numbers. `heads` says of
    each object the number of its first word, and one more, or what its first byte is; 0 where that
    is not known."""

    def __init__(self, notes: Notes, heads: Notes, told: Words) -> None:
        self.notes = notes
        self.heads = heads
        self.told = told

    def forget(self) -> None:
        """Give it back: nothing is known from then on."""
        none = np.zeros(0, np.uint16)
        self.notes, self.heads, self.told = none, none, np.zeros(0, np.uint64)

    def longer(self, count: int) -> Beside:
        """With so many edges more, of which nothing is known."""
        self.notes.resize(len(self.notes) + count, refcheck=False)
        return self

    def words(self, edges: Ints, step: int) -> tuple[NDArray[np.bool_], Words]:
        """The words so many words on from some edges' own, and which of these are known."""
        values = np.zeros(len(edges), np.uint64)
        known = np.zeros(len(edges), np.bool_)
        if not len(self.notes):
            return known, values
        notes = self.notes[edges]
        if step == -1:
            known = notes >= STATIC
            values[known] = self.told[notes[known] - STATIC]
        elif step == 1:
            known = (notes < STATIC) & (notes & NOUGHT != 0)
        elif step == 2:
            room = notes & SECOND
            known = (notes < STATIC) & (room != 0) & (room != SECOND)
            values[known] = room[known] - 1
        return known, values


class BesideNotes:
    """The same as it is made: `numbers` has of each word of the program that is in memory, from
    `low` on, the number of its address, and one more."""

    def __init__(self, static: tuple[int, int], edges: int, objects: int) -> None:
        """`edges` is how many there may be at most: what is not used of it takes no memory."""
        self.low = static[0]
        size = min(max(static[1] - static[0], 0), _STATIC_MOST)
        self.numbers: Notes = np.zeros(size >> 3, np.uint16)
        self.told = np.zeros(TOLD_MOST, np.int64)
        self.notes: Notes = np.zeros(edges, np.uint16)
        self.heads: Notes = np.zeros(objects, np.uint16)
        self.count = 0

    def made(self, edges: int) -> Beside:
        self.notes.resize(edges, refcheck=False)  # nobody else has it
        return Beside(self.notes, self.heads, self.told[: self.count].view(np.uint64).copy())
