"""The heap with all that keeps it alive as one graph, in compressed rows.

Nodes 0 to n - 1 are the heap's objects in address order; then one for each group of roots (a
variable, a goroutine, a finalizer); the last is the root of all.

Where an edge's pointer stands in its source, and where in its target it leads, is as much of a
large heap's edges as all else of its graph, and few are asked for it once the objects have their
types: so it can be given back. What is asked for afterwards is looked up again, in what stands
still for as long as the graph is there.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.errors import CannotWorkError
from goprobe.process.memory.copies import Words
from goprobe.runtime.heap.beside import Beside
from goprobe.runtime.heap.edges import Edges, Strays, leading_to, longer, ranges
from goprobe.runtime.heap.grouping import contained, distinct
from goprobe.runtime.heap.objects import NOT_HEAP, Ids, Objects, Resolver, parts_of
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.roots.groups import RootColumns, RootGroup, Roots
from goprobe.runtime.roots.roots import in_parts, joined

_MANY = 1 << 20  # edges
Offsets = NDArray[np.uint32]
Again = Callable[[Ints], Edges]
"""The edges of some objects once more, and any others'."""


class Column:
    """One of the two, by the numbers of edges, of those in compressed rows `first`. The roots',
    from `heap_edges` on, are kept in any case."""

    def __init__(
        self, name: str, values: Offsets, first: Ints, heap_edges: int, again: Again
    ) -> None:
        self._name, self._values, self._begin = name, values, 0
        self._first, self._heap_edges, self._again = first, heap_edges, again

    def __getitem__(self, edges: Any) -> Any:
        if not self._begin:
            return self._values[edges]
        if isinstance(edges, slice):
            edges = np.arange(*edges.indices(int(self._first[-1])))
        numbers = np.atleast_1d(edges)
        told = np.empty(len(numbers), np.uint32)
        kept = numbers >= self._begin
        told[kept] = self._values[numbers[kept] - self._begin]
        if not kept.all():
            told[~kept] = self._looked_up(numbers[~kept])
        return told if np.ndim(edges) else told[0]

    @property
    def whole(self) -> Offsets:
        """Of all edges."""
        whole: Offsets = self[:]
        return whole

    def forget(self) -> None:
        """Give back those of the heap's edges, where that is worth it."""
        if not self._begin and self._heap_edges > _MANY:
            self._values = self._values[self._heap_edges :].copy()
            self._begin = self._heap_edges

    def _looked_up(self, edges: Ints) -> Offsets:
        source = np.searchsorted(self._first, edges, "right") - 1
        again = self._again(distinct(source))
        begin = self._first[source]
        if (again.first[source + 1] - again.first[source] != self._first[source + 1] - begin).any():
            raise CannotWorkError("the heap changed while it was looked at")
        offsets: Offsets = getattr(again, self._name)[again.first[source] + edges - begin]
        return offsets


NO_OFFSET = (1 << 32) - 1


class RootStray(msgspec.Struct, frozen=True):
    """A root that points at no object: `why` is one of objects.py's reasons."""

    group: RootGroup
    address: int
    value: int
    why: int


class RootSummary(msgspec.Struct, frozen=True):
    """How many roots there are, and what is not sure of them (see Roots)."""

    count: int
    notes: tuple[str, ...]
    lost: tuple[str, ...]


class Nodes(msgspec.Struct, frozen=True, kw_only=True):
    """Edges of node i are those from first[i] to first[i + 1], heap pointers and roots alike.

    `offset` is where in its source an edge's pointer lies, in words (NO_OFFSET: nowhere in
    particular), `into` where in the target it points, in bytes, `beside` what stands beside it.
    `addresses` are those of the roots' pointers, which follow the `heap_edges`; 0 is a register, or
    no pointer at all. `carriers` are the objects that carry their types, `carried` those.
    """

    objects: Objects
    groups: list[RootGroup]
    first: Ints
    offset: Column
    target: Ids
    into: Column
    beside: Beside
    heap_edges: int
    addresses: Words
    strays: Strays
    carriers: Ids
    carried: Words
    root_strays: tuple[RootStray, ...]
    roots: RootSummary

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
        return bisect_right(self.first.data, edge) - 1

    def sources_of(self, edges: NDArray[Any]) -> Ints:
        """The same of many."""
        return np.searchsorted(self.first, edges, "right") - 1

    def place(self, source: int, edge: int) -> int:
        """The address of the pointer that an edge out of `source` is; 0 where it has none."""
        if edge >= self.heap_edges:
            return int(self.addresses[edge - self.heap_edges])
        return int(self.objects.base[source]) + 8 * int(self.offset[edge])

    def not_kept_by(self) -> tuple[Ints, Ids]:
        """Edges that keep nothing, and where they come from: a g is its goroutine's own, for as
        long as that is there, whatever of the runtime's and of its own has it, too."""
        n, is_g = len(self.objects), np.zeros(len(self), np.bool_)
        owners = [n + i for i, group in enumerate(self.groups) if group.gs]
        if not owners:
            return np.zeros(0, np.int64), np.zeros(0, np.int32)
        edges, _ = ranges(self.first[owners], self.first[np.array(owners) + 1])
        own = edges[self.target[edges] < n]
        is_g[self.target[own]] = True
        others = leading_to(self.target, is_g)
        others = others[~contained(others, own)]
        return others, self.sources_of(others).astype(np.int32)

    def sizes(self) -> Ints:
        """Bytes of each node: roots have none."""
        sizes = np.zeros(len(self), np.int64)
        for part in self.objects.parts():
            sizes[part] = self.objects.size_of(part)
        return sizes


def with_roots(
    objects: Objects, edges: Edges, roots: Roots, resolver: Resolver, again: Again
) -> Nodes:
    """Put the roots' edges behind those of the heap, which are given up for it."""
    n, groups = len(objects), roots.groups
    pointers = _Pointers(roots, resolver)
    parts = [*pointers.parts(), _structure(groups, n), *_through(groups, objects, edges, resolver)]
    parts += _gs(groups, resolver)
    who = np.concatenate([p[0] for p in parts])
    order = np.argsort(who, kind="stable")
    first = np.zeros(n + len(groups) + 2, np.int64)
    first[: n + 1] = edges.first
    np.cumsum(np.bincount(who, minlength=len(groups) + 1), out=first[n + 1 :])
    first[n + 1 :] += len(edges)
    del who

    heap_edges = len(edges)

    def behind(have: NDArray[Any], column: int) -> NDArray[Any]:
        return longer(have, np.concatenate([np.asarray(p[column]) for p in parts])[order])

    def places(name: str, have: Offsets, column: int) -> Column:
        return Column(name, behind(have, column), first, heap_edges, again)

    addresses = np.concatenate([p[4] for p in parts])[order]
    return Nodes(
        objects=objects,
        groups=groups,
        first=first,
        offset=places("offset", edges.offset, 1),
        target=behind(edges.target, 2),
        into=places("into", edges.into, 3),
        beside=edges.beside_with(len(order)),
        heap_edges=heap_edges,
        addresses=addresses,
        strays=edges.strays,
        carriers=edges.carriers,
        carried=edges.carried,
        root_strays=tuple(pointers.strays),
        roots=RootSummary(len(roots), tuple(roots.notes), tuple(roots.lost)),
    )


_Part = tuple[Ids, Offsets, Ids, Offsets, Words]
"""Of some edges out of groups: the group, offset, target, how far into it, address."""


class _Pointers:
    """The edges that roots are. `strays` are those that lead to no object, known behind them."""

    def __init__(self, roots: Roots, resolver: Resolver) -> None:
        self._roots, self._resolver = roots, resolver
        self._start = np.array([g.address for g in roots.groups], np.uint64)
        self._several = np.array([g.several > 1 for g in roots.groups], np.bool_)
        self._at = np.array([g.at if g.words else -1 for g in roots.groups], np.int64)
        self.strays: list[RootStray] = []

    def parts(self) -> Iterator[_Part]:
        for some in in_parts(self._roots):
            target, into = self._resolver.resolve(some.values)
            self._stray(some, target)
            good = target >= 0
            owner, address = some.owners[good], some.addresses[good]
            start = self._start[owner]
            placed = (start != 0) & (address >= start) & ((address - start) % np.uint64(8) == 0)
            offset = np.where(placed, (address - start) >> np.uint64(3), np.uint64(NO_OFFSET))
            offset[self._several[owner]] = 0
            lone = self._at[owner] >= 0
            offset[lone] = self._at[owner[lone]].astype(np.uint64)
            yield owner, _cut(offset), target[good], _cut(into[good]), address

    def _stray(self, some: RootColumns, target: Ids) -> None:
        for i in np.flatnonzero(target < NOT_HEAP).tolist():
            group = self._roots.groups[some.owners[i]]
            if not group.conservative:
                address, value = int(some.addresses[i]), int(some.values[i])
                self.strays.append(RootStray(group, address, value, int(target[i])))


def _cut(numbers: NDArray[Any]) -> Offsets:
    return np.asarray(np.minimum(numbers, NO_OFFSET), np.uint32)


def _structure(groups: list[RootGroup], n: int) -> _Part:
    """From the root of all to the groups, and from groups to their parts."""
    count = len(groups)
    parent = np.array([g.parent if g.parent >= 0 else count for g in groups], np.int32)
    nowhere, nodes = np.full(count, NO_OFFSET, np.uint32), np.arange(n, n + count, dtype=np.int32)
    return parent, nowhere, nodes, np.zeros(count, np.uint32), np.zeros(count, np.uint64)


def _gs(groups: list[RootGroup], resolver: Resolver) -> Iterator[_Part]:
    """From goroutines to the g structs that they are."""
    counts = np.array([len(group.gs) for group in groups], np.int64)
    owners = np.repeat(np.arange(len(groups), dtype=np.int32), counts)
    addresses = joined(group.gs for group in groups)
    for part in parts_of(len(addresses)):
        node, into = resolver.resolve(addresses[part])
        good = node >= 0
        nowhere = np.full(int(good.sum()), NO_OFFSET, np.uint32)
        none = np.zeros(len(nowhere), np.uint64)
        yield owners[part][good], nowhere, node[good], _cut(into[good]), none


def _through(
    groups: list[RootGroup], objects: Objects, edges: Edges, resolver: Resolver
) -> Iterator[_Part]:
    """What an object with a finalizer points at is kept for it; the object itself is not."""
    for number, group in enumerate(groups):
        through = np.frombuffer(group.through, np.uint64)
        for part in parts_of(len(through)):
            node, _ = resolver.resolve(through[part])
            node = node[node >= 0]
            numbers, which = edges.of(node)
            words = edges.offset[numbers].astype(np.uint64)
            place = objects.base[node[which]] + words * np.uint64(8)
            owner = np.full(len(numbers), number, np.int32)
            nowhere = np.full(len(numbers), NO_OFFSET, np.uint32)
            yield owner, nowhere, edges.target[numbers], edges.into[numbers], place
