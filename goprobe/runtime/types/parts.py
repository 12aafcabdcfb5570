"""What is known of parts of objects: values of a shape, so many bytes into an object, so long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from goprobe.runtime.heap.grouping import contained, distinct, numbers
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.flowloop import LONGEST
from goprobe.runtime.types.shapes import Shapes

_MOST = LONGEST - 1

Part = tuple[int, Ints, Ints, Ints]
"""A shape, and of each object that holds it: its number, how far into it, how many bytes."""


_Noted = tuple[int, Ints, Ids]
"""The same in less memory: a shape, keys, which are the number of an object and (the low 32 bits)
how far into it, and how many bytes."""
_Length = TypeVar("_Length", np.int32, np.int64)


class ObjectParts:
    """The parts of all objects. `shape`, `into` and `length` are those of each object's longest (of
    several of them the first), `extent` is how far any of them reaches. (Pages of them that nothing
    is written to take no memory.)"""

    def __init__(self, count: int) -> None:
        self._count = count
        self.shape, self.into, self.length, self.extent = (
            np.zeros(count, np.int32) for _ in range(4)
        )
        self._fresh: list[_Noted] = []
        self._seen: dict[int, Ints] = {}
        self.arrays: list[Part] = []
        """Arrays that reach to the end of their objects, as slices say."""

    def note(self, shape: int, nodes: Ints, into: Ints, length: Ints | int) -> None:
        """Something points at a value of a shape, in each of some objects."""
        if not len(nodes):
            return
        near = into <= _MOST
        nodes, into = nodes[near], into[near]
        key = nodes << 32 | into
        if isinstance(length, int):
            key = distinct(key)
            long = np.full(len(key), min(length, _MOST))
            nodes, into = key >> 32, key & _MOST
            best = np.flatnonzero(np.diff(nodes, prepend=-1))
        else:
            key, long = _longest(key, np.minimum(length[near], _MOST))
            nodes, into = key >> 32, key & _MOST
            # The last row of a node is its longest, and of those the first in the object.
            order = np.lexsort((-into, long, nodes))
            best = order[np.diff(nodes[order], append=-1) != 0]
        np.maximum.at(self.extent, nodes, np.minimum(into + long, _MOST).astype(np.int32))
        self._fresh.append((shape, key, long.astype(np.int32)))
        have, at = self.length[nodes[best]], self.into[nodes[best]]
        best = best[(long[best] > have) | (long[best] == have) & (into[best] < at)]
        at = nodes[best]
        self.shape[at], self.into[at], self.length[at] = shape, into[best], long[best]

    def add(self, shape: int, nodes: Ints, into: Ints, length: Ints) -> None:
        """The same of parts of which it is noted already how far they reach, and of each object
        which is the longest."""
        key, long = _longest(nodes << 32 | into, length)
        self._fresh.append((shape, key, long.astype(np.int32)))

    def reach(self, shape: int, nodes: Ints, into: Ints, length: Ints) -> None:
        """An array, as a slice says, goes to the end of each of some objects."""
        if len(nodes):
            self.arrays.append((shape, nodes, into, length))

    def taken(self, types: Ids) -> list[Part]:
        """Parts that were noted since the last time, of objects that have no type yet."""
        by_shape: dict[int, list[_Noted]] = {}
        for part in self._fresh:
            by_shape.setdefault(part[0], []).append(part)
        self._fresh = []
        taken: list[Part] = []
        for shape in list(by_shape):
            key, length = _together(by_shape.pop(shape))
            have = self._seen.get(shape)
            fresh = types[key >> 32] == 0
            if have is not None:
                fresh &= ~contained(key, have)
            if not fresh.any():
                continue
            key, length = key[fresh], length[fresh]
            taken.append((shape, key >> 32, key & _MOST, length.astype(np.int64)))
            # Two ascending runs: a stable sort merges them in linear time.
            both = key if have is None else np.sort(np.concatenate((have, key)), kind="stable")
            self._seen[shape] = both
        return taken


def by_elements(
    shapes: Shapes, parts: ObjectParts, nodes: Ints, vague: int
) -> Iterator[tuple[Ints, int]]:
    """Objects of a shape that generic code has a name of its own for, and what they are told to be.
    Of arrays those are of another type's elements where a value of such a type, of the same layout,
    lies at the place of one."""
    about, held = shapes[vague], parts.shape[nodes]
    for part in numbers(held[held != 0]) if shapes.is_array(vague) else ():
        own, rtype = shapes[part], shapes.rtype(part)
        alike = own.size == about.size and np.array_equal(own.rules[0], about.rules[0])
        if rtype and alike and not shapes.is_array(part):
            whole = parts.into[nodes] % max(own.size, 1) == 0
            yield nodes[(held == part) & whole], shapes.array_of_rtype(rtype)
    yield nodes, vague


def _together(parts: list[_Noted]) -> tuple[Ints, Ids]:
    """Parts of a shape that were noted; those noted at once are in order already."""
    key, length = (np.concatenate([p[i] for p in parts]) for i in (1, 2))
    if len(parts) > 1:
        parts.clear()
        key, length = _longest(key, length)
    return key, length


def _longest(key: Ints, length: NDArray[_Length]) -> tuple[Ints, NDArray[_Length]]:
    """Of parts of a shape at the same place the longest, by their keys (see _Noted)."""
    if (length == length[:1]).all():
        key = distinct(key)
        return key, length[: len(key)]
    order = np.lexsort((length, key))
    key = key[order]
    last = np.ones(len(key), bool)
    last[:-1] = key[1:] != key[:-1]
    return key[last], length[order[last]]
