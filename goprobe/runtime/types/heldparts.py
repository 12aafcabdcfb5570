"""What parts make of the objects that hold them, for the loop along which types flow (`flowloop`).

Pointers into the middle of objects wait until all else has had its say. Where each leads to the
next, as in a list whose links lie in its elements, that is over and over again: what was found of
such parts in such objects is then told to the loop, which goes on by itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goprobe.runtime.heap.grouping import by_key
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.flowloop import LIKE, LONG, TOLD
from goprobe.runtime.types.heapview import HeapView
from goprobe.runtime.types.parts import ObjectParts, Part

_MOST, _PATIENCE = 1 << 16, 64
_LIKE_MOST, _SHAPES_MOST = 1 << 21, 1 << 22

HeldColumns = tuple[Ids, NDArray[np.int64], Ids]


class HeldParts:
    """`types` are the shapes that objects have so far."""

    def __init__(self, view: HeapView, parts: ObjectParts, types: Ids) -> None:
        self._view = view
        self._parts = parts
        self._types = types
        self._like: Ids = np.zeros(0, np.int32)
        self._known: dict[tuple[int, int], int] = {}
        self._sorted: HeldColumns | None = None
        self._given_up = False
        self._rounds = 0

    @property
    def columns(self) -> HeldColumns:
        """Of each object what it is like (of none before something was noted), the keys, ascending,
        and two numbers of each: how long the part is, and the whole's shape, 0 where nothing tells
        that."""
        if self._sorted is None:
            rows = sorted((*key, whole) for key, whole in self._known.items())
            keys = np.array([key for key, _, _ in rows], np.int64)
            made_of = np.array([made for _, *made in rows], np.int32).reshape(-1)
            self._sorted = (self._like, keys, made_of)
        return self._sorted

    def note(self, fresh: list[Part], wholes: list[tuple[int, Ints]]) -> None:
        """Objects and their parts, and the shapes of those that have one by their part. Told after
        each round; the first are not remembered: most heaps have no more."""
        self._rounds += 1
        if self._rounds <= _PATIENCE:
            return
        if not len(self._like):
            self._like = self._alike()
        if self._given_up:
            return
        told = dict(
            pair
            for shape, rows in wholes
            for pair in zip(rows.tolist(), [shape] * len(rows), strict=True)
        )
        for shape, nodes, into, length in fresh:
            alone = (self._parts.shape[nodes] == shape) & (self._parts.into[nodes] == into)
            alone &= (self._parts.length[nodes] == length) & (length < LONG) & (into < LONG)
            alone &= self._parts.extent[nodes] == into + length
            keys = self._like[nodes].astype(np.int64) << LIKE | shape << TOLD | into
            for row in np.flatnonzero(alone)[: _MOST - len(self._known)].tolist():
                whole = told.get(int(nodes[row]), 0)
                if self._types[nodes[row]] == whole and shape < _SHAPES_MOST:
                    self._known.setdefault((int(keys[row]), int(length[row])), whole)
        self._sorted = None

    def _alike(self) -> Ids:
        """Which objects are in equal slots, with pointers at the same words."""
        view = self._view
        _, slot_of = view.slots
        numbers: dict[tuple[int, int], int] = {}
        like = np.zeros(view.n, np.int32)
        for part in view.objects.parts():
            slots = slot_of[view.objects.span[part]]
            masks = view.masks(np.arange(part.start, part.stop))
            for (slot, mask), rows in by_key(slots, masks):
                like[part][rows] = numbers.setdefault((slot, mask), len(numbers))
            if len(numbers) >= _LIKE_MOST:
                self._given_up = True
                return like[:0]
        return like
