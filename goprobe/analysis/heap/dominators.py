"""Who alone keeps each node: immediate dominators, by the semi-NCA algorithm.

L. Georgiadis, R. Tarjan, R. Werneck: Finding Dominators in Practice (2006). Most objects of a heap
have a single referrer, which then dominates them: only the others are worked on one by one.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints

NONE = -1
_ROUNDS = 8
_WORTH_IT = 16  # a round that takes less than such a part of the edges is not


class Dominators(msgspec.Struct, frozen=True):
    """`parent[i]` dominates node i immediately; NONE for the root and what it does not reach.

    `order` are the reached nodes so that each comes after its dominator.
    """

    parent: Ids
    order: Ids

    def retained(self, sizes: Ints) -> Ints:
        """Of each node, its own size and that of all nodes that it dominates."""
        parents = self._parents()
        total = sizes[self.order].astype(np.int64)
        # What dominates nothing is added up at once, the rest one after the other.
        inner = np.zeros(len(parents), bool)
        inner[parents[1:]] = True
        inner[:1] = True
        alone = np.flatnonzero(~inner)
        weights = np.bincount(parents[alone], weights=total[alone], minlength=len(total))
        sums: list[int] = (total + weights.astype(np.int64)).tolist()
        ranks = np.flatnonzero(inner)[:0:-1]
        for rank, parent in zip(ranks.tolist(), parents[ranks].tolist(), strict=True):
            sums[parent] += sums[rank]
        totals = np.zeros(len(self.parent), np.int64)
        totals[self.order] = sums
        return totals

    def _parents(self) -> Ids:
        """The dominator of each node of `order`, as a place in `order`; the first one's is 0."""
        rank = np.zeros(len(self.parent), np.int32)
        rank[self.order] = np.arange(len(self.order), dtype=np.int32)
        parents: Ids = rank[self.parent[self.order]]
        parents[:1] = 0
        return parents

    def outermost(self, kinds: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether no node of the same kind dominates a node, for every node. Kinds below 0 are
        none: they hide nothing.

        Retained sizes of a kind are the sums over its outermost nodes: what they hold overlaps
        with nothing that another of them holds.
        """
        parents = self._parents()
        mine = kinds[self.order]
        above, members = _kinds_above(parents, mine)
        # held[s][k]: whether set s of kinds has kind k. Both are few.
        numbers, number_of = np.unique(mine, return_inverse=True)
        held = np.zeros((len(members), len(numbers)), bool)
        for row, kept in enumerate(members):
            held[row, np.searchsorted(numbers, sorted(kept))] = True
        apart = ~held[above[parents], number_of] | (mine < 0)
        apart[:1] = True
        outermost = np.zeros(len(self.parent), bool)
        outermost[self.order] = apart
        return outermost


def _kinds_above(
    parents: Ids, kinds: NDArray[np.int32]
) -> tuple[NDArray[np.int32], list[frozenset[int]]]:
    """Of each node that dominates others, which set of kinds is on the way to it, itself included;
    and the sets. Parents come before those that they dominate."""
    inner = np.zeros(len(parents), bool)
    inner[parents] = True
    members: list[frozenset[int]] = [frozenset()]
    added: list[dict[int, int]] = [{}]
    above = [0] * len(parents)
    ranks = np.flatnonzero(inner)
    lines = zip(ranks.tolist(), parents[ranks].tolist(), kinds[ranks].tolist(),
                kinds[parents[ranks]].tolist(), strict=True)  # fmt: skip
    for rank, parent, kind, like in lines:
        held = above[parent]
        if kind >= 0 and (kind != like or not rank):
            larger = added[held].get(kind)
            if larger is None:
                larger = held
                if kind not in members[held]:
                    larger = len(members)
                    members.append(members[held] | {kind})
                    added.append({})
                added[held][kind] = larger
            held = larger
        above[rank] = held
    return np.array(above, np.int32), members


def dominators(first: Ints, target: Ids, root: int) -> Dominators:
    """The dominator tree of all that is reached from `root`."""
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
    return Dominators(result, np.concatenate(orders))


def _plain(first: Ints, target: Ids, root: int) -> Dominators:
    nodes = len(first) - 1
    order, parent = _depth_first(first, target, root)
    n = len(order)
    rank = np.full(nodes, NONE, np.int32)
    rank[order] = np.arange(n, dtype=np.int32)
    begin, sources = _referrers(first, target, rank, order, n)
    tree = rank[parent[order]]
    tree[0] = 0
    dominated = _semi_nca(tree, begin, sources)
    result = np.full(nodes, NONE, np.int32)
    # Numbers in depth-first order: a dominator's is always the lower one.
    result[order[1:]] = order[dominated[1:]]
    return Dominators(result, order)


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
        return Dominators(parent, reached[np.argsort(place)].astype(np.int32))


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


def _depth_first(first: Ints, target: Ids, root: int) -> tuple[Ids, Ids]:
    """Nodes in depth-first preorder, and each one's parent in that tree."""
    starts, targets = first.tolist(), target.tolist()
    seen = bytearray(len(starts))
    parent = np.full(len(starts) - 1, NONE, np.int32)
    parents = parent.data
    order: list[int] = []
    note = order.append
    stack = [root]
    pop, push = stack.pop, stack.append
    while stack:
        node = pop()
        if seen[node]:
            continue
        seen[node] = 1
        note(node)
        for to in targets[starts[node] : starts[node + 1]]:
            if not seen[to]:
                # The last to push a node is the one under whom it will be popped.
                parents[to] = node
                push(to)
    return np.array(order, np.int32), parent


def _referrers(
    first: Ints, target: Ids, rank: NDArray[np.int32], order: Ids, n: int
) -> tuple[Ints, Ids]:
    """Edges backwards, in ranks: sources of node i are begin[i] to begin[i + 1]."""
    counts = np.diff(first)
    source = np.repeat(rank, counts)
    to = rank[target]
    kept = (source >= 0) & (source != to)
    source, to = source[kept], to[kept]
    by_target = np.argsort(to, kind="stable")
    begin = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(to, minlength=n), out=begin[1:])
    return begin, source[by_target]


def _semi_nca(tree: NDArray[np.int32], begin: Ints, sources: Ids) -> NDArray[np.int32]:
    """Immediate dominators in ranks. `tree` are the parents in the depth-first tree."""
    n = len(tree)
    several = np.flatnonzero(np.diff(begin) > 1)
    joins: list[int] = several[several > 0].tolist()
    semi: list[int] = tree.tolist()
    ancestor = list(semi)
    label = list(range(n))
    starts, who = begin.tolist(), sources.tolist()
    for node in reversed(joins):
        best = semi[node]
        for source in who[starts[node] : starts[node + 1]]:
            if source > node:
                source = semi[_least(source, node, ancestor, label, semi)]
            if source < best:
                best = source
        semi[node] = best
    dominator: list[int] = tree.tolist()
    for node in joins:
        above, limit = dominator[node], semi[node]
        while above > limit:
            above = dominator[above]
        dominator[node] = above
    return np.array(dominator, np.int32)


def _least(node: int, limit: int, ancestor: list[int], label: list[int], semi: list[int]) -> int:
    """The node of least semidominator on the way up to the last that is above `limit`.

    Shortens the way as it goes.
    """
    if ancestor[node] <= limit:
        return label[node]
    way = []
    while ancestor[node] > limit:
        way.append(node)
        node = ancestor[node]
    top, best = ancestor[node], label[node]
    for node in reversed(way):
        if semi[label[node]] > semi[best]:
            label[node] = best
        else:
            best = label[node]
        ancestor[node] = top
    return best
