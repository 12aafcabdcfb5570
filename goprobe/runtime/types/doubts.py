"""What is told of objects whose type is not certain: deduced, one of several, or a part.

Objects of which only a part is known are what alone can have that part there; a type whose values
may be the beginning of larger ones is told with those.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from goprobe.runtime.heap.grouping import by_key, groups
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.sizeclasses import TINY_BYTES
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.heap.words import ABSENT
from goprobe.runtime.types.heapview import HeapView, at_least, exact
from goprobe.runtime.types.parts import ObjectParts
from goprobe.runtime.types.shapes import Shapes
from goprobe.runtime.types.wholes import SizeBounds, WholeType

_WORD = 8


class Doubts:
    """`types` are the shapes that objects have so far, `sure` those that are certain."""

    def __init__(
        self,
        view: HeapView,
        shapes: Shapes,
        parts: ObjectParts,
        types: Ids,
        sure: NDArray[np.bool_],
    ) -> None:
        self._view = view
        self._shapes = shapes
        self._parts = parts
        self.shape = types
        self.sure = sure
        self._contradicted: list[tuple[Ints, int, int]] = []

    def contradict(self, nodes: Ints, shape: int, other: int) -> None:
        """Of objects that have a shape something says that they are of another one: pointers that
        were converted by unsafe, or to another name of the type. Which is right nobody knows."""
        one, two = self._shapes.row(shape), self._shapes.row(other)
        both = (shape, other)
        if (
            min(one, two) >= 0
            and all(self._shapes[n].pointers and not self._shapes.is_vague(n) for n in both)
            and not any(self._shapes.is_array(n) or self._shapes.is_special(n) for n in both)
            and not self._shapes.begins_with(shape, other)
        ):
            self._contradicted.append((nodes, shape, two))

    def deduced(self, nodes: Ints) -> list[tuple[int, Ints]]:
        """Shapes of objects that nothing but one can be, by a part of them."""
        nodes = nodes[(self.shape[nodes] == 0) & (self._parts.shape[nodes] != 0)]
        nodes = nodes[~self._view.tiny[nodes]]
        deduced: list[tuple[int, Ints]] = []
        for (shape, slot, into, length, mask), rows in self._alike(nodes):
            row = self._shapes.row(shape)
            if row < 0:
                continue
            known = self._view.witnesses.wholes
            wholes = known.holding(row, slot, into, length, mask)
            if wholes is not None and len(wholes) == 1 and known.is_made(wholes[0], slot):
                deduced.append((self._shapes.of_whole(wholes[0]), rows))
        return deduced

    def _alike(
        self, nodes: Ints
    ) -> list[tuple[tuple[int, SizeBounds, int, int, int | None], Ints]]:
        """Objects in groups of those of which the same is known."""
        span = self._view.objects.span[nodes]
        parts, view = self._parts, self._view
        slots, slot_of = view.slots
        alike = []
        for (shape, which, into, length, mask), rows in by_key(
            parts.shape[nodes],
            slot_of[span],
            parts.into[nodes],
            parts.length[nodes],
            view.masks(nodes),
        ):
            slot = slots[which]
            alike.append(((shape, slot, into, length, at_least(mask, slot)), nodes[rows]))
        return alike

    # What is told in the end

    def told(self) -> tuple[Ids, NDArray[np.bool_]]:
        """The shape of each object, and whether only a part of it is known."""
        shape = self.shape[: self._view.n].copy()
        for nodes, number in [*self._doubtful(shape), *self._doubtful_arrays(shape)]:
            shape[nodes] = number
        for nodes, number, row in self._contradicted:
            open_ = nodes[(shape[nodes] == number) & ~self.sure[nodes]]
            shape[open_] = self._shapes.either(number, (row,))
        rows = np.flatnonzero((shape == 0) & (self._parts.shape != 0))
        inner = np.zeros(self._view.n, bool)
        inner[rows] = True
        for (part, into), alike in by_key(self._parts.shape[rows], self._parts.into[rows]):
            shape[rows[alike]] = self._shapes.holding(part, into)
        used = np.flatnonzero(np.bincount(shape, minlength=1)).tolist()
        known = np.zeros(len(self._shapes), bool)
        known[[number for number in used if self._shapes.is_known(number)]] = True
        for own in self._view.objects.parts():
            shape[own] *= known[shape[own]]
        inner &= shape != 0
        return shape, inner

    def _doubtful(self, shape: Ids) -> Iterator[tuple[Ints, int]]:
        """Objects that may as well be of a larger type, and what is told of them instead."""
        wholes, shapes = self._view.witnesses.wholes, self._shapes
        some = np.array(
            [
                shapes.row(n) >= 0 and not shapes.is_array(n) and wholes.has_larger(shapes.row(n))
                for n in range(len(shapes))
            ],
            bool,
        )
        open_ = np.flatnonzero(some[shape] & ~self.sure & ~self._view.tiny)
        slots, slot_of = self._view.slots
        keys = shape[open_].astype(np.int64) * len(slots) + slot_of[self._view.objects.span[open_]]
        for key, rows in groups(keys, np.argsort(keys, kind="stable")):
            number, slot = key // len(slots), slots[key % len(slots)]
            row = shapes.row(number)
            if not wholes.larger(row, slot, None):
                continue
            nodes = open_[rows]
            masks = self._view.masks(nodes)
            for mask, alike in groups(masks, np.argsort(masks, kind="stable")):
                rivals = wholes.larger(row, slot, exact(mask, slot))
                if wholes.fits(WholeType(row, False), slot, exact(mask, slot)):
                    yield from self._weighed(nodes[alike], number, row, rivals)
                elif len(rivals) == 1:
                    yield nodes[alike], self._shapes.of_whole(WholeType(rivals[0], False))
                else:  # its pointer words are not the type's, so that is a part of it only
                    begin = np.zeros(len(alike), np.int64)
                    self._parts.note(number, nodes[alike], begin, self._shapes[number].size)
                    yield nodes[alike], 0

    def _weighed(
        self, nodes: Ints, number: int, row: int, rivals: tuple[int, ...]
    ) -> Iterator[tuple[Ints, int]]:
        """A shape, or one of its rivals. Allocated memory is cleared: what lies behind a value of
        its type is zero."""
        if len(rivals) == 1:
            size = int(self._view.witnesses.catalog.size[row])
            larger = self._is_filled_behind(nodes, size)
            yield nodes[larger], self._shapes.of_whole(WholeType(rivals[0], False))
            nodes = nodes[~larger]
        if rivals:
            yield nodes, self._shapes.either(number, rivals)

    def _is_filled_behind(self, nodes: Ints, size: int) -> NDArray[np.bool_]:
        """Whether there is anything but zeros behind the first `size` bytes of objects; False for
        those without pointers, whose contents were not read."""
        span = self._view.objects.span[nodes]
        start = self._view.words.start[span]
        index = (self._view.objects.base[nodes] - self._view.objects.spans.base[span]).astype(
            np.int64
        )
        first = start + (index + self._view.lead[span]) // _WORD
        filled = np.zeros(len(nodes), bool)
        last = int(self._view.room[span].max(initial=0)) // _WORD
        for word in range(size // _WORD, last):
            there = (start != ABSENT) & (word < self._view.room[span] // _WORD)
            value = self._view.words.at(np.where(there, first + word, 0))
            if word == size // _WORD:
                value = value >> np.uint64(8 * (size % _WORD))
            filled |= there & (value != 0)
        return filled

    def _doubtful_arrays(self, shape: Ids) -> Iterator[tuple[Ints, int]]:
        """Arrays that may as well be a struct's last field."""
        wholes, (slots, slot_of) = self._view.witnesses.wholes, self._view.slots
        for number, nodes, into, length in self._parts.arrays:
            row = self._shapes.row(number)
            left = (shape[nodes] == number) & ~self.sure[nodes]
            if row < 0 or not left.any():
                continue
            nodes, into, length = nodes[left], into[left], length[left]
            which = slot_of[self._view.objects.span[nodes]]
            for key, rows in groups(which, np.argsort(which, kind="stable")):
                slot = slots[key]
                if slot.high == TINY_BYTES or not wholes.has_structs(row, slot):
                    continue
                yield from self._weighed_arrays(number, slot, nodes[rows], into[rows], length[rows])

    def _weighed_arrays(
        self, number: int, slot: SizeBounds, nodes: Ints, into: Ints, length: Ints
    ) -> Iterator[tuple[Ints, int]]:
        """Arrays of a shape in equal slots, and what is told of them instead. Many are alike."""
        wholes, row = self._view.witnesses.wholes, self._shapes.row(number)
        for (place, size, mask), alike in by_key(into, length, self._view.masks(nodes)):
            words = exact(mask, slot)
            rivals = wholes.structs(row, slot, place, size, words)
            fits = wholes.fits(WholeType(row, True), slot, words)
            if rivals and len(rivals) == 1 and not fits:
                yield nodes[alike], self._shapes.of_whole(WholeType(rivals[0], False))
            elif rivals is None or rivals:
                yield nodes[alike], self._shapes.either(number, rivals or ())
