"""Whose objects are: the field that leads to each, and the root."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.kinds import alike_roots, shown_alike
from goprobe.analysis.heap.reach import onward, reach
from goprobe.analysis.waste.meanings import Meanings
from goprobe.model.address import Address
from goprobe.model.heap import OTHERS, Waste
from goprobe.runtime.heap.grouping import distinct
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.roots.groups import RootKind
from goprobe.runtime.types.shape import ARRAYS, MAP_ENTRIES, MAP_INSIDE

_DOUBLINGS = 32  # of ways as long as there are objects
_KEY_BITS = 62

MOST_ROWS = 100
"""Of a kind; what is beyond them is one."""

Texts = Callable[[int], str]
"""What is said of an object."""


class Whose:
    """By the pointers that lead to objects: the field that each is, and the root that the shortest
    way to it begins at; where a global variable leads to it, one from that."""

    def __init__(self, graph: HeapGraph, meant: Meanings) -> None:
        self._graph = graph
        self._meant = meant
        nodes, n = graph.nodes, len(graph.objects)
        self._via = via = _ways(graph)
        above = np.full(len(nodes), nodes.root, np.int32)
        led = np.flatnonzero(via[:n] >= 0)
        above[led] = meant.source[via[led]]
        above[n:] = np.arange(n, len(nodes))
        self._root = furthest(above)
        self._alike = alike_roots(graph)

    def leading(self, objects: Ints | Ids) -> Ints:
        """The pointer by which a shortest way comes to each of some reachable objects."""
        return self._via[objects]

    def holder(self, edges: Ints) -> str:
        """The variable, goroutine or other root that leads to some pointers: those of several
        goroutines that mean the same are one."""
        roots = distinct(self._root[self._meant.source[edges]]).tolist()
        return "" if roots[0] == self._graph.nodes.root else shown_alike(self._graph, roots)

    def _holders(self, edges: Ints) -> Ids:
        """The holder of each, as a number."""
        return self._alike[self._root[self._meant.source[edges]] - len(self._graph.objects)]

    def field(self, edge: int) -> str:
        """The field that a pointer is, "main.T.body"; "" where it is none."""
        graph = self._graph
        source = int(self._meant.source[edge])
        if source >= len(graph.objects):
            return ""
        number = int(graph.typing.shape[source])
        shape = graph.shapes[number]
        if not number or shape.part[0] or shape.name.endswith(MAP_INSIDE):
            return ""
        for suffix in MAP_ENTRIES:
            if shape.name.endswith(suffix):
                return f'{shape.name.removesuffix(suffix)}["…"]'
        at = 8 * int(graph.nodes.offset[edge]) - int(graph.lead[graph.objects.span[source]])
        field = graph.shapes.field_at(number, at % max(shape.size, 8))
        name = shape.name
        for suffix in ARRAYS:
            if name.endswith(suffix):
                name = name.removesuffix(suffix).removeprefix("[]").removeprefix("chan ")
        return f"{name}{field}" if field else ""

    def all_of(self, edges: Ints) -> tuple[str, str]:
        """The field and the holder of some; each "" where these are not the same."""
        first = int(edges[0])
        holders, words = self._holders(edges), self._words(edges)
        holder = self.holder(edges) if (holders == holders[0]).all() else ""
        return self.field(first) if (words == words[0]).all() else "", holder

    def rows(
        self,
        kind: str,
        edges: Ints,
        waste: Ints,
        advice: Texts,
        *,
        named: str = "",
        below: Ints | None = None,
    ) -> Iterator[Waste]:
        """Objects that some pointers lead to and that waste so many bytes each, by type (or all
        `named` so), field and holder: those of the pointers, or of what they are `below`. The worst
        of a row is its example, and tells what would help."""
        if not len(edges):
            return
        graph = self._graph
        leading = edges if below is None else below
        which, count = self._groups(edges, leading, by_type=not named)
        sums = np.bincount(which, waste, count).astype(np.int64)
        numbers = np.bincount(which, minlength=count)
        order = np.lexsort((-waste, which))
        begin = np.searchsorted(which[order], np.arange(count))
        worst = edges[order[begin]]
        largest = np.argsort(-sums, kind="stable")
        for row in largest[:MOST_ROWS].tolist():
            node = int(graph.nodes.target[worst[row]])
            mine = leading[order[begin[row] : begin[row] + numbers[row]]]
            yield Waste(
                kind=kind,
                type=named or graph.type_name(node) or "?",
                field=self.field(int(mine[0])),
                holder=self.holder(mine),
                objects=int(numbers[row]),
                bytes=int(sums[row]),
                example=Address(graph.address(node)),
                advice=advice(node),
            )
        if len(rest := largest[MOST_ROWS:]):
            node = int(graph.nodes.target[worst[rest[0]]])
            left, size = int(numbers[rest].sum()), int(sums[rest].sum())
            yield rest_of(kind, left, size, Address(graph.address(node)), advice(node))

    def _words(self, edges: Ints) -> Ints:
        """The field that each pointer is, as a number; 0 for none. Fields of one name have one
        number: the slots of a map's groups, say."""
        of_object = self._meant.source[edges] < len(self._graph.objects)
        words: Ints = np.where(of_object, self._meant.word[edges], 0)
        _, first, which = np.unique(words, return_index=True, return_inverse=True)
        names = [self.field(int(edge)) for edge in edges[first].tolist()]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(["", *names]))}
        return np.array([numbers[name] for name in names], np.int64)[which.ravel()]

    def _groups(self, edges: Ints, leading: Ints, *, by_type: bool) -> tuple[Ints, int]:
        """Of each pointer the number of its group."""
        graph = self._graph
        columns: list[NDArray[np.integer]] = [self._holders(leading), self._words(leading)]
        if by_type:
            target = graph.nodes.target[edges]
            columns.append(graph.shapes_by_name[graph.typing.shape[target]])
        key = np.zeros(len(edges), np.int64)
        for column in columns:
            if (int(key.max()) + 1).bit_length() + int(column.max()).bit_length() > _KEY_BITS:
                _, key = np.unique(key, return_inverse=True)
            key = key * (int(column.max()) + 1) + column
        groups, which = np.unique(key, return_inverse=True)
        return which.ravel(), len(groups)


def _ways(graph: HeapGraph) -> Ints:
    """Of each node the edge by which a way comes to it: what stands in frames besides (copies of
    what variables have) is no more than a moment's."""
    nodes, n = graph.nodes, len(graph.objects)
    globals_ = [n + i for i, group in enumerate(nodes.groups) if group.kind is RootKind.GLOBAL]
    ways = reach(nodes.first, nodes.target, np.array(globals_, np.int32)).via
    onward(nodes.first, nodes.target, ways, np.array([nodes.root], np.int32))
    return ways


def rest_of(kind: str, objects: int, size: int, example: Address, advice: str) -> Waste:
    """The rows of a kind that are too many to be told one by one."""
    return Waste(
        kind=kind, type=OTHERS, holder="", objects=objects, bytes=size, example=example,
        advice=advice,
    )  # fmt: skip


def furthest(above: NDArray[np.int32]) -> NDArray[np.int32]:
    """Of each node the last one above it: whose own is itself."""
    for _ in range(_DOUBLINGS):
        further = above[above]
        if np.array_equal(further, above):
            break
        above = further
    return above
