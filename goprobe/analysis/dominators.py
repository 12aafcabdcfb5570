"""Who alone keeps each node: immediate dominators, by the semi-NCA algorithm.

L. Georgiadis, R. Tarjan, R. Werneck: Finding Dominators in Practice (2006). Most objects of a heap
have a single referrer, which then dominates them: only the others are worked on one by one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from goprobe.runtime.objects import Ids
from goprobe.runtime.spantable import Ints

NONE = -1
_ROUNDS = 8
_WORTH_IT = 16  # a round that takes less than such a part of the edges is not


@dataclass(frozen=True, slots=True)
class Dominators:
    """`parent[i]` dominates node i immediately; NONE for the root and what it does not reach.

    `order` are the reached nodes so that each comes after its dominator.
    """

    parent: Ids
    order: Ids

    def retained(self, sizes: Ints) -> Ints:
        """Of each node, its own size and that of all nodes that it dominates."""
        parents = self._ranks()
        total: list[int] = sizes[self.order].tolist()
        for rank in range(len(total) - 1, 0, -1):
            total[parents[rank]] += total[rank]
        found = np.zeros(len(self.parent), np.int64)
        found[self.order] = total
        return found

    def _ranks(self) -> list[int]:
        """The dominator of each node of `order`, as a place in `order`."""
        rank = np.zeros(len(self.parent), np.int32)
        rank[self.order] = np.arange(len(self.order), dtype=np.int32)
        found: list[int] = rank[self.parent[self.order]].tolist()
        return found

    def outermost(self, kinds: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether no node of the same kind dominates a node, for every node.

        Retained sizes of a kind are the sums over its outermost nodes: what they hold overlaps
        with nothing that another of them holds.
        """
        parents, mine = self._ranks(), kinds[self.order].tolist()
        apart = np.ones(len(mine), bool)
        # above[r]: the kinds on the way from the root to r, shared between nodes that add none.
        empty: frozenset[int] = frozenset()
        above: list[frozenset[int]] = [empty] * len(mine)
        if mine:
            above[0] = frozenset((mine[0],))
        known: dict[tuple[frozenset[int], int], frozenset[int]] = {}
        for rank in range(1, len(mine)):
            kind, held = mine[rank], above[parents[rank]]
            if kind in held:
                apart[rank] = False
                above[rank] = held
                continue
            key = (held, kind)
            made = known.get(key)
            if made is None:
                made = known[key] = held | {kind}
            above[rank] = made
        found = np.zeros(len(self.parent), bool)
        found[self.order] = apart
        return found


def dominators(first: Ints, target: Ids, root: int) -> Dominators:
    """The dominator tree of all that is reached from `root`."""
    nodes = len(first) - 1
    result = np.full(nodes, NONE, np.int32)
    first, target, pruned = _without_leaves(first, target, root)
    order, parent = _depth_first(first, target, root)
    n = len(order)
    rank = np.full(nodes, NONE, np.int32)
    rank[order] = np.arange(n, dtype=np.int32)
    begin, sources = _referrers(first, target, rank, order, n)
    tree = rank[parent[order]]
    tree[0] = 0
    found = _semi_nca(tree, begin, sources)
    result[order[1:]] = order[found[1:]]
    # Numbers in depth-first order: a dominator's is always the lower one.
    orders = [order]
    reached = rank != NONE
    for leaves, referrers in reversed(pruned):
        kept = reached[referrers]
        result[leaves[kept]] = referrers[kept]
        reached[leaves[kept]] = True
        orders.append(leaves[kept])
    return Dominators(result, np.concatenate(orders))


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
