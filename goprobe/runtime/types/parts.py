"""What is known of parts of objects: values of a shape, so many bytes into an object, so long."""

from __future__ import annotations

import numpy as np

from goprobe.runtime.heap.grouping import contained, distinct
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints

_MOST = (1 << 31) - 1

Part = tuple[int, Ints, Ints, Ints]
"""A shape, and of each object that holds it: its number, how far into it, how many bytes."""


class ObjectParts:
    """The parts of all objects. `shape`, `into` and `length` are those of each object's longest,
    `extent` is how far any of them reaches. (Pages of them that nothing is written to take no
    memory.)"""

    def __init__(self, count: int) -> None:
        self._count = count
        self.shape, self.into, self.length, self.extent = (
            np.zeros(count, np.int32) for _ in range(4)
        )
        self._fresh: list[Part] = []
        self._seen: dict[int, Ints] = {}
        self.arrays: list[Part] = []
        """Arrays that reach to the end of their objects, as slices say."""

    def note(self, shape: int, nodes: Ints, into: Ints, length: Ints | int) -> None:
        """Something points at a value of a shape, in each of some objects."""
        if not len(nodes):
            return
        near = into <= _MOST
        nodes, into = nodes[near], into[near]
        if isinstance(length, int):
            key = distinct(nodes << 32 | into)
            nodes, into, long = key >> 32, key & _MOST, np.full(len(key), min(length, _MOST))
            best = np.flatnonzero(np.diff(nodes, prepend=-1))
        else:
            nodes, into, long = _each_once(nodes, into, np.minimum(length[near], _MOST))
            # The last row of a node is its longest, and of those the first in the object.
            order = np.lexsort((-into, long, nodes))
            best = order[np.diff(nodes[order], append=-1) != 0]
        np.maximum.at(self.extent, nodes, np.minimum(into + long, _MOST).astype(np.int32))
        self._fresh.append((shape, nodes, into, long))
        best = best[long[best] > self.length[nodes[best]]]
        at = nodes[best]
        self.shape[at], self.into[at], self.length[at] = shape, into[best], long[best]

    def reach(self, shape: int, nodes: Ints, into: Ints, length: Ints) -> None:
        """An array, as a slice says, goes to the end of each of some objects."""
        if len(nodes):
            self.arrays.append((shape, nodes, into, length))

    def taken(self, types: Ids) -> list[Part]:
        """Parts that were noted since the last time, of objects that have no type yet."""
        by_shape: dict[int, list[Part]] = {}
        for part in self._fresh:
            by_shape.setdefault(part[0], []).append(part)
        self._fresh = []
        taken: list[Part] = []
        for shape, parts in by_shape.items():
            nodes, into, length = (np.concatenate([p[i] for p in parts]) for i in (1, 2, 3))
            nodes, into, length = _each_once(nodes, into, length)
            key = nodes << 32 | into  # ascending
            have = self._seen.get(shape, key[:0])
            fresh = (types[nodes] == 0) & ~contained(key, have)
            if fresh.any():
                # Two ascending runs: a stable sort merges them in linear time.
                self._seen[shape] = np.sort(np.concatenate((have, key[fresh])), kind="stable")
                taken.append((shape, nodes[fresh], into[fresh], length[fresh]))
        return taken


def _each_once(nodes: Ints, into: Ints, length: Ints) -> tuple[Ints, Ints, Ints]:
    """Of parts of a shape at the same place the longest."""
    key = nodes << 32 | into
    order = np.lexsort((length, key))
    key = key[order]
    last = np.ones(len(key), bool)
    last[:-1] = key[1:] != key[:-1]
    kept = order[last]
    return nodes[kept], into[kept], length[kept]
