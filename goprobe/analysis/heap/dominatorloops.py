"""The loops of `dominators`: depth-first search, referrers, semi-NCA, and sums over the tree.

Nodes are known by their ranks in depth-first order, except where it says so.
"""

from __future__ import annotations

from goprobe.compiled import Row, loop


@loop
def depth_first(
    first: Row,
    target: Row,
    root: int,
    order: Row,
    rank: Row,
    above: Row,
    looked: Row,
) -> int:
    """Numbers what is reached from the node `root` in preorder; returns how many that is.

    `order` gets the node of each rank, `rank` (-1 in the beginning) the rank of each node, `above`
    the parent of each rank. `looked` is how many edges of each node were looked at: 0.
    """
    count, at = 1, root
    order[0], rank[root], above[0] = root, 0, 0
    while True:
        edge, end = first[at] + looked[at], first[at + 1]
        down = -1
        while edge < end and down < 0:
            to = target[edge]
            edge += 1
            if rank[to] < 0:
                down = to
        looked[at] = edge - first[at]
        if down >= 0:
            order[count], rank[down], above[count] = down, count, rank[at]
            count += 1
            at = down
        elif at == root:
            return count
        else:
            at = order[above[rank[at]]]


@loop
def count_referrers(
    first: Row,
    target: Row,
    order: Row,
    rank: Row,
    above: Row,
    count: int,
    begin: Row,
) -> int:
    """Of each rank how many edges lead to it, in `begin` two places on. Those of the tree are left
    out: they say nothing new."""
    for i in range(count):
        node = order[i]
        for edge in range(first[node], first[node + 1]):
            to = rank[target[edge]]
            if above[to] != i and to != i:
                begin[to + 2] += 1
    for i in range(2, count + 2):
        begin[i] += begin[i - 1]
    return begin[count + 1]


@loop
def note_referrers(
    first: Row,
    target: Row,
    order: Row,
    rank: Row,
    above: Row,
    count: int,
    begin: Row,
    sources: Row,
) -> int:
    """Sources of those edges: those of rank i from begin[i] to begin[i + 1]."""
    for i in range(count):
        node = order[i]
        for edge in range(first[node], first[node + 1]):
            to = rank[target[edge]]
            if above[to] != i and to != i:
                sources[begin[to + 1]] = i
                begin[to + 1] += 1
    return 0


@loop
def semi_nca(
    above: Row,
    begin: Row,
    sources: Row,
    semi: Row,
    ancestor: Row,
    label: Row,
    way: Row,
) -> int:
    """Puts the immediate dominator of each rank into `label`.

    `semi` and `ancestor` are copies of `above` in the beginning, `label` is each rank itself, `way`
    room for as many.
    """
    for node in range(len(above) - 1, 0, -1):
        best = semi[node]
        for place in range(begin[node], begin[node + 1]):
            source = sources[place]
            if source > node:
                # The least semidominator on the way up to the last that is above the node; the
                # way is made shorter.
                steps, at = 0, source
                while ancestor[at] > node:
                    way[steps] = at
                    steps += 1
                    at = ancestor[at]
                top, least = ancestor[at], label[at]
                while steps > 0:
                    steps -= 1
                    at = way[steps]
                    if semi[label[at]] > semi[least]:
                        label[at] = least
                    else:
                        least = label[at]
                    ancestor[at] = top
                source = semi[least]
            if source < best:
                best = source
        semi[node] = best
    for node in range(len(above)):
        up = above[node]
        while up > semi[node]:
            up = label[up]
        label[node] = up
    return 0


@loop
def add_up(above: Row, total: Row) -> int:
    """Adds to each rank what lies below it."""
    for node in range(len(above) - 1, 0, -1):
        total[above[node]] += total[node]
    return 0


@loop
def outermost(above: Row, kinds: Row, child: Row, sibling: Row, on_path: Row, apart: Row) -> int:
    """Whether nothing above a rank is of its kind; kinds below 0 are none. `child` and `sibling`
    are -1, `on_path` (of each kind, how many are above) 0 in the beginning."""
    for node in range(len(above) - 1, 0, -1):
        sibling[node] = child[above[node]]
        child[above[node]] = node
    node = 0
    while True:
        kind = kinds[node]
        if kind >= 0:
            apart[node] = on_path[kind] == 0
            on_path[kind] += 1
        down = child[node]
        while down < 0:
            if kinds[node] >= 0:
                on_path[kinds[node]] -= 1
            if node == 0:
                return 0
            down = sibling[node]
            node = above[node]
        node = down
