"""Who has what others wait on: variables whose pointers lead to it, on the stacks of goroutines and
in package-level variables, from the graph of the heap.

That somebody waits for it is no way to it: pointers through sudogs and gs do not count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property, lru_cache

import msgspec
import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.names import Names
from goprobe.analysis.heap.reach import START, UNREACHED, reach
from goprobe.analysis.heap.stackedges import StackEdges
from goprobe.analysis.heap.steps import selected
from goprobe.model.attached import Holder
from goprobe.process.memory.copies import Words
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.heap.edges import leading_to
from goprobe.runtime.heap.grouping import distinct
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.roots.groups import RootGroup, RootKind
from goprobe.runtime.roots.unnamed import TEMPORARY

_FEW = 1 << 10
_STEPS = 6  # pointers between a variable and what is waited on
_MOST_NODES = 1 << 16
_MOST_LOOKED_AT = 1 << 12  # objects that lead to one thing
_CASES = "cas0"
"""What selectgo (src/runtime/select.go) calls the cases that it is given."""
_WAITING = ("runtime.", "internal/", "sync.")

Way = list[tuple[int, int]]
"""Nodes from a root on, with the edge that led to each (-1 for the root)."""


class Having(msgspec.Struct, frozen=True, gc=False):
    """A goroutine (0: a package-level variable) that has something, by a `way`; `own`: by a
    variable of its program."""

    goroutine: int
    group: RootGroup
    way: Way
    own: bool


class Holders:
    """`wanted` are the nodes that are waited on, `queues` those of sudogs."""

    def __init__(self, graph: HeapGraph, names: Names, wanted: Iterable[int], queues: Ids) -> None:
        self._graph, self._names = graph, names
        self.looked_at = 0
        """How many nodes `of` has looked at."""
        # Of a hundred thousand channels many lie in one slice.
        self._steps_to = lru_cache(maxsize=_FEW)(lambda node: names.steps(self.shortest(node)))
        goroutines = [g for g in graph.world.goroutines.alive if g.high > g.low]
        # The runtime's own structs lead from anything to everything: from a timer to its p, and so
        # to all others (time.go, timers.heap).
        own = [g.address for g in goroutines] + list(graph.world.goroutines.processors)
        runtimes, _ = graph.resolve(np.array(own, np.uint64))
        nodes = graph.nodes
        self._shut = np.zeros(len(nodes), np.bool_)
        self._shut[queues] = True
        self._shut[runtimes[runtimes >= 0]] = True
        self._into = self._leading_to(wanted)
        self._from_stacks = self._stack_edges(goroutines)
        self._from_globals = self._global_edges()

    def pointers_to(self, wanted: Ints) -> tuple[Ids, Words]:
        """The pointers of the heap that lead to some nodes: the node, and the place of each."""
        nodes = self._graph.nodes
        mark = np.zeros(len(nodes), np.bool_)
        mark[wanted] = True
        edges = leading_to(nodes.target[: nodes.heap_edges], mark)
        source = nodes.sources_of(edges)
        place = nodes.objects.base[source] + nodes.offset[edges].astype(np.uint64) * np.uint64(8)
        return nodes.target[edges], place

    def of(self, node: int, address: int) -> list[Having]:
        """Who has what lies at an address in a node, each goroutine once, by its shortest way;
        package-level variables, too."""
        having: dict[int, Having] = {}
        edges = self._edges_to(node, address)  # None: by whichever
        level: list[tuple[int, Way]] = [(node, [])]
        seen = {node}
        while level and len(seen) < _MOST_LOOKED_AT:
            following: list[tuple[int, Way]] = []
            for at, way in level:
                self._enter(at, way, having, edges)
                for source, edge in self._into.get(at, ()):
                    if at == node and edges is not None and edge not in edges:
                        continue
                    if source not in seen and len(seen) < _MOST_LOOKED_AT:
                        seen.add(source)
                        following.append((source, [(at, edge), *way]))
            level = following
        self.looked_at += len(seen)
        return sorted(having.values(), key=lambda h: (not h.own, len(h.way), h.goroutine))

    def _edges_to(self, node: int, address: int) -> frozenset[int] | None:
        """The pointers that lead to what lies at an address in a node; None for all that lead to
        the node. Several small values without pointers may share one (the tiny allocator,
        malloc.go), and have pointers of their own."""
        if not address or not self._graph.is_tiny(node):
            return None
        nodes = self._graph.nodes
        edges = [edge for _, edge in self._into.get(node, ())]
        edges += [edge for _, edge, _ in self._from_stacks.get(node, ())]
        edges += [edge for edge, _ in self._from_globals.get(node, ())]
        into = address - int(self._graph.objects.base[node])
        begins = max((int(nodes.into[e]) for e in edges if int(nodes.into[e]) <= into), default=0)
        return frozenset(e for e in edges if begins <= int(nodes.into[e]) <= into)

    def name(self, having: Having, last: str = "") -> str:
        """ "main.work: s.queue (goroutine 7)", "main.server.queue"."""
        nodes = self._graph.nodes
        if not having.goroutine:
            return self._names.path_text(having.way, last)
        told = self._names.steps(having.way, having.group.name)
        part = selected(having.group.name, "".join(told.steps) + last) + told.notes
        function = f"{having.group.function}: " if having.group.function else ""
        assert not nodes.is_object(having.way[0][0])
        return f"{function}{part} (goroutine {having.goroutine})"

    def holder(self, having: Having, last: str = "") -> Holder:
        return Holder(having.goroutine, self.name(having, last), having.group.function)

    def shortest(self, node: int) -> Way:
        """The shortest way to a node from a package-level variable of the program; none where
        there is none."""
        via = self._via.data
        if node < 0 or via[node] == UNREACHED:
            return []
        way: Way = []
        at = node
        while (edge := via[at]) != START:
            way.append((at, edge))
            at = self._graph.nodes.source_of(edge)
        way.append((at, -1))
        way.reverse()
        return way

    def shortest_name(self, node: int, last: str = "") -> str:
        """How Go selects a node on that way; "" where there is none."""
        if node < 0 or (edge := self._via.data[node]) in (UNREACHED, START):
            return ""
        source = self._graph.nodes.source_of(edge)
        step = self._names.step(source, int(self._via.data[source]), edge)
        return self._steps_to(source).then(step).text(last)

    # What is worked out once

    def _leading_to(self, wanted: Iterable[int]) -> dict[int, list[tuple[int, int]]]:
        """The objects that lead to what is wanted, by what they point at: (object, edge) each."""
        nodes = self._graph.nodes
        target = nodes.target[: nodes.heap_edges]
        known = np.zeros(len(nodes), np.bool_)
        level = distinct(np.array([node for node in wanted if node >= 0], np.int64))
        known[level] = True
        into: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for _ in range(_STEPS):
            mark = np.zeros(len(nodes), np.bool_)
            mark[level] = True
            edges = leading_to(target, mark)
            source = nodes.sources_of(edges)
            kept = ~self._shut[source]
            edges, source = edges[kept], source[kept]
            if len(edges) > _MOST_NODES:
                break
            for at, by, edge in zip(
                target[edges].tolist(), source.tolist(), edges.tolist(), strict=True
            ):
                into[at].append((by, edge))
            level = distinct(source[~known[source]])
            known[level] = True
            if not len(level):
                break
        self._known = known
        return into

    def _stack_edges(self, goroutines: list[Goroutine]) -> dict[int, list[tuple[int, int, int]]]:
        """Pointers on stacks to what leads there: (goroutine, edge, the root that it comes out of)
        by the node pointed at."""
        nodes = self._graph.nodes
        stacks = StackEdges(nodes, goroutines, self._known)
        edges, source = stacks.edges, nodes.sources_of(stacks.edges)
        columns = (stacks.targets, stacks.owners(), edges, source)
        by_node: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for node, owner, edge, root in zip(*(c.tolist() for c in columns), strict=True):
            by_node[node].append((goroutines[owner].id, edge, root))
        return by_node

    def _global_edges(self) -> dict[int, list[tuple[int, int]]]:
        """The same of package-level variables: (edge, root)."""
        nodes, n = self._graph.nodes, len(self._graph.objects)
        edges = np.arange(nodes.heap_edges, len(nodes.target))
        target = nodes.target[edges]
        edges = edges[(target < n) & self._known[target]]
        source = nodes.sources_of(edges)
        columns = (nodes.target[edges], edges, source)
        by_node: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for node, edge, root in zip(*(c.tolist() for c in columns), strict=True):
            if self._is_global(root):
                by_node[node].append((edge, root))
        return by_node

    def _is_global(self, node: int) -> bool:
        nodes = self._graph.nodes
        if node == nodes.root:
            return False
        group = nodes.group(node)
        return group.kind is RootKind.GLOBAL and not group.name.startswith(
            ("runtime.", "*runtime.")
        )

    def _enter(
        self, node: int, way: Way, having: dict[int, Having], edges: frozenset[int] | None
    ) -> None:
        """Those whose variables point at a node; at the last one (no `way` is left) by `edges`."""
        nodes = self._graph.nodes
        edges = None if way else edges
        for goroutine, edge, source in self._from_stacks.get(node, ()):
            if edges is not None and edge not in edges:
                continue
            group = nodes.group(source)
            own = is_own(group)
            before = having.get(goroutine)
            if (before is None or (own and not before.own)) and not _of_runtime(group):
                whole: Way = [(source, -1), (node, edge), *way]
                having[goroutine] = Having(goroutine, group, whole, own)
        for edge, source in self._from_globals.get(node, ())[:1]:
            if 0 not in having and (edges is None or edge in edges):
                whole = [(source, -1), (node, edge), *way]
                having[0] = Having(0, nodes.group(source), whole, True)

    @cached_property
    def _via(self) -> Ints:
        graph, nodes, n = self._graph, self._graph.nodes, len(self._graph.objects)
        start = [n + i for i in range(len(nodes.groups)) if self._is_global(n + i)]
        target = nodes.target.copy()
        edges = leading_to(target, self._shut)
        target[edges] = nodes.sources_of(edges)
        graph.progress("looking for names of what is waited on")
        return reach(nodes.first, target, np.array(start, np.int32)).via


def is_own(group: RootGroup) -> bool:
    """Whether it is a variable of the program's own: not of how the runtime waits."""
    named = not group.name.startswith(("*", _CASES)) and group.name != TEMPORARY
    return named and not _of_runtime(group) and group.type is not None


def _of_runtime(group: RootGroup) -> bool:
    return group.function.startswith(_WAITING)
