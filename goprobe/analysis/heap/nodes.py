"""The heap with all that keeps it alive as one graph, in compressed rows.

Nodes 0 to n - 1 are the heap's objects in address order; then one for each group of roots (a
variable, a goroutine, a finalizer); the last is the root of all.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.process.memory.copies import Words
from goprobe.runtime.heap.edges import Edges, Strays, longer
from goprobe.runtime.heap.objects import NOT_HEAP, Ids, Objects, Resolver
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.roots.groups import RootGroup, Roots

Offsets = NDArray[np.uint32]
NO_OFFSET = (1 << 32) - 1


class RootStray(msgspec.Struct, frozen=True):
    """A root that points at no object: `why` is one of objects.py's reasons."""

    group: RootGroup
    address: int
    value: int
    why: int


class Nodes(msgspec.Struct, frozen=True, kw_only=True):
    """Edges of node i are those from first[i] to first[i + 1], heap pointers and roots alike.

    `offset` is where in its source an edge's pointer lies, in words (NO_OFFSET: nowhere in
    particular), `into` where in the target it points, in bytes. `addresses` are those of the
    roots' pointers, which follow the `heap_edges`; 0 is a register, or no pointer at all.
    `carriers` are the objects that carry their types, `carried` those.
    """

    objects: Objects
    groups: list[RootGroup]
    first: Ints
    offset: Offsets
    target: Ids
    into: Offsets
    heap_edges: int
    addresses: Words
    strays: Strays
    carriers: Ids
    carried: Words
    root_strays: tuple[RootStray, ...]
    notes: tuple[str, ...]

    @property
    def root(self) -> int:
        return len(self.first) - 2

    def __len__(self) -> int:
        return len(self.first) - 1

    def is_object(self, node: int) -> bool:
        return node < len(self.objects)

    def group(self, node: int) -> RootGroup:
        return self.groups[node - len(self.objects)]

    def sources(self) -> Ids:
        counts = np.diff(self.first)
        return np.repeat(np.arange(len(counts), dtype=np.int32), counts)

    def source_of(self, edge: int) -> int:
        """The node that an edge comes out of."""
        return int(np.searchsorted(self.first, edge, "right")) - 1

    def sources_of(self, edges: NDArray[Any]) -> Ints:
        """The same of many."""
        return np.searchsorted(self.first, edges, "right") - 1

    def place(self, source: int, edge: int) -> int:
        """The address of the pointer that an edge out of `source` is; 0 where it has none."""
        if edge >= self.heap_edges:
            return int(self.addresses[edge - self.heap_edges])
        return int(self.objects.base[source]) + 8 * int(self.offset[edge])

    def sizes(self) -> Ints:
        """Bytes of each node: roots have none."""
        sizes = np.zeros(len(self), np.int64)
        sizes[: len(self.objects)] = self.objects.size
        return sizes


def with_roots(objects: Objects, edges: Edges, roots: Roots, resolver: Resolver) -> Nodes:
    """Put the roots' edges behind those of the heap, which are given up for it."""
    n, groups = len(objects), roots.groups
    owner = np.frombuffer(roots.owners, np.int64)
    address = np.frombuffer(roots.addresses, np.uint64)
    value: Words = np.frombuffer(roots.values, np.uint64)
    target, into = resolver.resolve(value)
    start = np.array([g.address for g in groups] or [0], np.uint64)[owner]
    placed = (start != 0) & (address >= start) & ((address - start) % np.uint64(8) == 0)
    offset = np.where(placed, (address - start) >> np.uint64(3), np.uint64(NO_OFFSET))
    offset[np.array([g.several > 1 for g in groups] or [False])[owner]] = 0
    good = target >= 0
    parts = [(owner[good], offset[good].astype(np.uint32), target[good], into[good], address[good])]
    parts += _structure(groups, n)
    parts += _through(groups, objects, edges, resolver)
    who = np.concatenate([p[0] for p in parts])
    order = np.argsort(who, kind="stable")
    first = np.zeros(n + len(groups) + 2, np.int64)
    first[: n + 1] = edges.first
    np.cumsum(np.bincount(who, minlength=len(groups) + 1), out=first[n + 1 :])
    first[n + 1 :] += len(edges)

    heap_edges = len(edges)

    def behind(have: NDArray[Any], column: int) -> NDArray[Any]:
        more = np.concatenate([np.asarray(p[column]) for p in parts])[order]
        return longer(have, np.minimum(more.astype(np.int64), NO_OFFSET))

    addresses = np.concatenate([p[4] for p in parts])[order].astype(np.uint64)
    return Nodes(
        objects=objects,
        groups=groups,
        first=first,
        offset=behind(edges.offset, 1),
        target=behind(edges.target, 2),
        into=behind(edges.into, 3),
        heap_edges=heap_edges,
        addresses=addresses,
        strays=edges.strays,
        carriers=edges.carriers,
        carried=edges.carried,
        root_strays=_root_strays(roots, target),
        notes=tuple(roots.notes),
    )


_Part = tuple[Ints, Offsets, Ids, Ints, Words]


def _structure(groups: list[RootGroup], n: int) -> list[_Part]:
    """From the root of all to the groups, and from groups to their parts."""
    count = len(groups)
    parent = np.array([g.parent if g.parent >= 0 else count for g in groups], np.int64)
    nowhere = np.full(count, NO_OFFSET, np.uint32)
    nodes = np.arange(n, n + count, dtype=np.int32)
    return [(parent, nowhere, nodes, np.zeros(count, np.int64), np.zeros(count, np.uint64))]


def _through(
    groups: list[RootGroup], objects: Objects, edges: Edges, resolver: Resolver
) -> list[_Part]:
    """What an object with a finalizer points at is kept for it; the object itself is not."""
    rows = [i for i, g in enumerate(groups) if g.through]
    if not rows:
        return []
    through = np.concatenate([np.frombuffer(groups[i].through, np.uint64) for i in rows])
    owner = np.repeat(np.array(rows, np.int64), [len(groups[i].through) for i in rows])
    node, _ = resolver.resolve(through)
    owner, node = owner[node >= 0], node[node >= 0]
    numbers, which = edges.of(node)
    place = objects.base[node[which]] + edges.offset[numbers].astype(np.uint64) * np.uint64(8)
    nowhere = np.full(len(numbers), NO_OFFSET, np.uint32)
    into = edges.into[numbers].astype(np.int64)
    return [(owner[which], nowhere, edges.target[numbers], into, place)]


def _root_strays(roots: Roots, target: Ids) -> tuple[RootStray, ...]:
    strays = []
    for i in np.flatnonzero(target < NOT_HEAP).tolist():
        group = roots.groups[roots.owners[i]]
        if not group.conservative:
            strays.append(RootStray(group, roots.addresses[i], roots.values[i], int(target[i])))
    return tuple(strays)
