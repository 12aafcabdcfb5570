"""Who alone keeps each node: immediate dominators, by the semi-NCA algorithm.

L. Georgiadis, R. Tarjan, R. Werneck: Finding Dominators in Practice (2006). Most objects of a heap
have a single referrer, which then dominates them: only the others are worked on one by one.

A depth-first search waits for memory at each edge. Where many edges lead anywhere (a graph of
random nodes) it is faster breadth first, memory being asked for many at once: a node's dominator is
what is above all that leads to it, which is gone through again until nothing changes, two or three
times, or given up (m: 9 M edges 0.4 s, 1.5 with semi-NCA; of a compiler's heap, where half of them
lead far, 1.3 s and 0.5).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.analysis.heap import dominatorloops as loops
from goprobe.compiled import effort
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints

NONE = -1
_ROUNDS = 8
_SMALL = 1 << 31
_AHEAD = 16  # edges of a node
_WORTH_IT = 16  # a round that takes less than such a part of the edges is not
_DENSE = 4  # edges a node
_SAMPLE = 4096  # edges
_FAR, _MOSTLY = 16, 0.75  # further away than such a part of the nodes; so many of the edges
_AGAIN, _STEPS = 4, 2  # times; steps an edge


class Referrers(msgspec.Struct, frozen=True):
    """The ranks that lead to rank i, ascending: sources[begin[i]] to sources[begin[i + 1]]. Of what
    its dominator leads to there may be no other."""

    begin: NDArray[np.signedinteger[Any]]
    sources: Ids


class Dominators(msgspec.Struct, frozen=True, dict=True):
    """`order` are the reached nodes, of `count`, so that each comes after its dominator. A node's
    place in it is its rank; `above` is the rank of each rank's immediate dominator, the first one's
    itself. `known` are the referrers of each rank, where they were needed."""

    count: int
    order: Ids
    above: Ids
    known: Referrers | None = None

    @classmethod
    def of(cls, parent: Ids, order: Ids) -> Dominators:
        """By the dominator of each node."""
        rank = _ranks(len(parent), order)
        above: Ids = rank[parent[order]]
        above[:1] = 0
        return cls(len(parent), order, above)

    @cached_property
    def parent(self) -> Ids:
        """The node that dominates each one immediately; NONE for the root and what it does not
        reach."""
        parent = np.full(self.count, NONE, np.int32)
        parent[self.order[1:]] = self.order[self.above[1:]]
        return parent

    @property
    def rank(self) -> Ids:
        """Of each node, NONE for what is not reached."""
        return _ranks(self.count, self.order)

    def referrers(self, first: Ints, target: Ids) -> Referrers:
        """Those of each rank, in the graph that these are the dominators of."""
        if self.known is not None:
            return self.known
        narrowest = _narrowest(target)
        seen, begin = np.zeros(2 * self.count, narrowest), np.zeros(len(self.order) + 1, narrowest)
        seen[2 * self.order] = np.arange(1, len(self.order) + 1, dtype=np.int32)
        sources = np.empty(len(target) + len(self.order), np.int32)
        count = loops.note_joint_referrers(
            first, target, self.order, self.above, seen, begin, sources
        )
        return Referrers(begin, sources[:count])

    def retained(self, sizes: NDArray[np.signedinteger[Any]]) -> Ints:
        """Of each node, its own size and that of all nodes that it dominates: put in the place of
        the sizes, of which there may be very many."""
        total = sizes[self.order]
        loops.add_up(self.above, total)
        sizes[:] = 0
        sizes[self.order] = total
        return sizes

    def outermost(self, kinds: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether no node of the same kind dominates a node, for every node. Kinds below 0 are
        none: they hide nothing.

        Retained sizes of a kind are the sums over its outermost nodes: what they hold overlaps
        with nothing that another of them holds.
        """
        n = len(self.order)
        child, sibling = np.full(n, NONE, np.int32), np.full(n, NONE, np.int32)
        on_path, apart = np.zeros(int(kinds.max(initial=0)) + 1, np.int32), np.ones(n, bool)
        loops.outermost(self.above, kinds[self.order], child, sibling, on_path, apart)
        outermost = np.zeros(self.count, bool)
        outermost[self.order] = apart
        return outermost


def _ranks(count: int, order: Ids) -> Ids:
    rank = np.full(count, NONE, np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank


def dominators(first: Ints, target: Ids, root: int) -> Dominators:
    """The dominator tree of all that is reached from `root`."""
    if effort(len(target)):
        by_levels = _by_levels(first, target, root) if _scattered(first, target) else None
        return by_levels or _plain(first, target, root)
    first, target, pruned = _without_leaves(first, target, root)
    chains = _Chains(first, target, root)
    tree = chains.expanded(_plain(chains.first, chains.target, root))
    result, orders = tree.parent, [tree.order]
    reached = np.zeros(len(result), bool)
    reached[tree.order] = True
    for leaves, referrers in reversed(pruned):
        kept = reached[referrers]
        result[leaves[kept]] = referrers[kept]
        reached[leaves[kept]] = True
        orders.append(leaves[kept])
    return Dominators.of(result, np.concatenate(orders))


def _scattered(first: Ints, target: Ids) -> bool:
    """Whether there are many edges, and most of them lead to nodes that are far away."""
    nodes = len(first) - 1
    if len(target) < max(_DENSE * nodes, 1):
        return False
    edges = np.arange(0, len(target), max(1, len(target) // _SAMPLE))
    source = np.searchsorted(first, edges, "right") - 1
    return float((abs(target[edges] - source) > nodes // _FAR).mean()) >= _MOSTLY


def _by_levels(first: Ints, target: Ids, root: int) -> Dominators | None:
    """None where it would take long."""
    nodes, most = len(first) - 1, _STEPS * len(target)
    order, above = np.empty(nodes, np.int32), np.empty(nodes, np.int32)
    rank = np.full(nodes, NONE, np.int32)
    order[0], rank[root], above[0], count = root, 0, 0, 1
    for _ in range(1 + _AGAIN):
        changed = loops.breadth_first(first, target, order, rank, above, count, most)
        if changed < 0:
            return None
        count = int(np.count_nonzero(rank >= 0))
        if not changed:
            # A dominator is nearer than what it dominates, its number the lower one.
            return Dominators(nodes, order[:count].copy(), above[:count].copy())
    return None


def _plain(first: Ints, target: Ids, root: int) -> Dominators:
    nodes = len(first) - 1
    order, above = np.empty(nodes, np.int32), np.empty(nodes, np.int32)
    seen = np.zeros(2 * nodes, _narrowest(target))
    way, way_edge = np.empty(nodes, np.int32), np.empty(nodes, np.int64)
    n = loops.depth_first(first, target, root, order, above, seen, way, way_edge)
    del way_edge
    order, above = order[:n].copy(), above[:n].copy()
    referrers = _referrers(first, target, order, seen)
    del seen
    known, semi, label = np.empty(2 * n, np.int32), np.zeros(n, np.int32), np.empty(n, np.int32)
    known[::2] = above
    ahead = _AHEAD if effort(len(target)) else 0
    loops.semi_nca(above, referrers.begin, referrers.sources, semi, known, label, way[:n], ahead)
    # Numbers in depth-first order: a dominator's is always the lower one.
    return Dominators(nodes, order, label, referrers)


def _narrowest(target: Ids) -> type[np.signedinteger[Any]]:
    """What the numbers of edges fit."""
    return np.int32 if len(target) < _SMALL else np.int64


def _referrers(
    first: Ints, target: Ids, order: Ids, seen: NDArray[np.signedinteger[Any]]
) -> Referrers:
    begin = np.zeros(len(order) + 1, seen.dtype)
    sources = np.empty(len(target), np.int32)
    count = loops.note_referrers(first, target, order, seen, begin, sources)
    return Referrers(begin, sources[:count])


class _Chains:
    """A graph in which runs of nodes, each the only one to point at the next and pointing at
    nothing else, are one node: linked lists."""

    def __init__(self, first: Ints, target: Ids, root: int) -> None:
        self.first, self.target = first, target
        n = len(first) - 1
        out, referred = np.diff(first), np.bincount(target, minlength=n)
        source = np.repeat(np.arange(n, dtype=np.int32), out)
        link = (referred[target] == 1) & (out[source] == 1) & (target != root)
        self._some = int(link.sum()) >= max(len(target) // _WORTH_IT, 1)
        if not self._some:
            return
        self._before = np.full(n, NONE, np.int32)
        self._before[target[link]] = source[link]
        self._head, self._distance = _heads(self._before)
        self._tail = np.arange(n, dtype=np.int32)
        goes_on = np.zeros(n, bool)
        goes_on[source[link]] = True
        ends = np.flatnonzero(~goes_on)
        self._tail[self._head[ends]] = ends
        source = self._head[source[~link]]
        order = np.argsort(source, kind="stable")
        self.target = target[~link][order]
        self.first = np.zeros(n + 1, np.int64)
        np.cumsum(np.bincount(source, minlength=n), out=self.first[1:])

    def expanded(self, tree: Dominators) -> Dominators:
        """The dominators of the graph with its chains, from those of the one without."""
        if not self._some:
            return tree
        rank = np.full(len(self._head), NONE, np.int64)
        rank[tree.order] = np.arange(len(tree.order))
        reached = np.flatnonzero(rank[self._head] != NONE)
        parent = np.full(len(rank), NONE, np.int32)
        heads = tree.order[1:]
        # All that leads out of a chain leaves from its last node.
        parent[heads] = self._tail[tree.parent[heads]]
        inner = reached[self._before[reached] != NONE]
        parent[inner] = self._before[inner]
        place = rank[self._head[reached]] * len(rank) + self._distance[reached]
        return Dominators.of(parent, reached[np.argsort(place)].astype(np.int32))


def _heads(before: Ids) -> tuple[Ids, Ints]:
    """The first node of each one's chain, and how far it is, by doubling the steps."""
    head = np.where(before == NONE, np.arange(len(before), dtype=np.int32), before)
    distance = (before != NONE).astype(np.int64)
    active = np.flatnonzero(before != NONE)
    # Rings that nothing leads to have no first node: they are given up after enough rounds.
    for _ in range(len(before).bit_length() + 1):
        further = head[head[active]]
        moving = further != head[active]
        active, further = active[moving], further[moving]
        if not len(active):
            break
        steps = distance[head[active]]
        distance[active] += steps
        head[active] = further
    return head, distance


def _without_leaves(first: Ints, target: Ids, root: int) -> tuple[Ints, Ids, list[tuple[Ids, Ids]]]:
    """The graph without nodes that point at nothing and have one referrer, which dominates them.

    Without them others become such nodes: a few rounds take most of a heap away. Returns the nodes
    of each round with their referrers, too.
    """
    pruned: list[tuple[Ids, Ids]] = []
    for _ in range(_ROUNDS):
        out = np.diff(first)
        referred = np.bincount(target, minlength=len(out))
        leaf = (out == 0) & (referred == 1)
        leaf[root] = False
        away = leaf[target]
        count = int(away.sum())
        if count < len(target) // _WORTH_IT:
            break
        source = np.repeat(np.arange(len(out), dtype=np.int32), out)
        pruned.append((target[away], source[away]))
        kept = np.concatenate(([0], np.cumsum(~away)))
        first, target = kept[first], target[~away]
    return first, target, pruned
