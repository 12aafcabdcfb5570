"""The loops of `dominators`: searches, referrers, semi-NCA, and sums over the tree.

Nodes are known by their ranks in the order of the search, except where it says so.
"""

from __future__ import annotations

from goprobe.compiled import Row, loop


@loop
def depth_first(
    first: Row,
    target: Row,
    root: int,
    order: Row,
    above: Row,
    seen: Row,
    way: Row,
    way_edge: Row,
) -> int:
    """Numbers what is reached from the node `root` in preorder; returns how many that is.

    `order` gets the node of each rank, `above` the parent of each rank. `seen`, 0 in the beginning,
    gets two numbers of each node, which are wanted together: its rank plus one (0: not reached) and
    how many edges lead to it from what is reached. `way` and `way_edge` are room for as many nodes:
    where to go on.
    """
    count, at, depth = 1, 0, 0
    order[0], above[0], seen[2 * root] = root, 0, 1
    edge, end = first[root], first[root + 1]
    while True:
        down = -1
        while edge < end and down < 0:
            to = target[edge]
            edge += 1
            seen[2 * to + 1] += 1
            if seen[2 * to] == 0:
                down = to
        if down >= 0:
            if edge < end:
                way[depth], way_edge[depth] = at, edge
                depth += 1
            order[count], above[count] = down, at
            at = count
            count += 1
            seen[2 * down] = count
            edge, end = first[down], first[down + 1]
        elif depth == 0:
            return count
        else:
            depth -= 1
            at, edge = way[depth], way_edge[depth]
            end = first[order[at] + 1]


@loop
def note_referrers(first: Row, target: Row, order: Row, seen: Row, begin: Row, sources: Row) -> int:
    """The ranks that lead to each rank, ascending: those of rank i from begin[i] to begin[i + 1].
    `seen` is what the search has left, and is no more good for anything afterwards."""
    total = 0
    for rank in range(len(order)):
        node = order[rank]
        begin[rank] = total
        total += seen[2 * node + 1]
        seen[2 * node + 1] = begin[rank]
    begin[len(order)] = total
    for rank in range(len(order)):
        node = order[rank]
        for edge in range(first[node], first[node + 1]):
            to = target[edge]
            place = seen[2 * to + 1]
            sources[place] = rank
            seen[2 * to + 1] = place + 1
    return total


@loop
def breadth_first(
    first: Row, target: Row, order: Row, rank: Row, above: Row, count: int, most: int
) -> int:
    """Goes through what is reached in the order of its distance; returns how many of `above`
    changed, -1 where it takes more than so many steps. When none does, they are the immediate
    dominators.

    `order` has the node of each rank, `rank` the rank of each node (-1: not reached yet), `above`
    of each rank the one that is the lowest above all that was seen to lead there. Of the first
    `count` ranks they are known: in the beginning of the root's, 0; what else is reached is
    numbered.
    """
    changed, at, steps = 0, 0, 0
    while at < count and steps <= most:
        node = order[at]
        for edge in range(first[node], first[node + 1]):
            to = rank[target[edge]]
            if to < 0:
                order[count], rank[target[edge]], above[count] = target[edge], count, at
                count += 1
                changed += 1
            else:
                one, other = above[to], at
                while one != other:
                    if one > other:
                        one = above[one]
                    else:
                        other = above[other]
                    steps += 1
                if one != above[to]:
                    above[to] = one
                    changed += 1
        at += 1
    return changed if steps <= most else -1


@loop
def note_joint_referrers(
    first: Row, target: Row, order: Row, above: Row, seen: Row, begin: Row, sources: Row
) -> int:
    """The same as `note_referrers`, but of ranks that their dominator leads to itself nothing but
    that. `seen` has the rank of each node plus one (0: not reached), and 0."""
    for rank in range(len(order)):
        for edge in range(first[order[rank]], first[order[rank] + 1]):
            to = target[edge]
            if above[seen[2 * to] - 1] == rank:
                seen[2 * to + 1] = -1
            elif seen[2 * to + 1] >= 0:
                seen[2 * to + 1] += 1
    total = 0
    for rank in range(len(order)):
        begin[rank] = total
        count = seen[2 * order[rank] + 1]
        if count < 0:
            sources[total] = above[rank]
            total += 1
        else:
            seen[2 * order[rank] + 1] = total
            total += count
    begin[len(order)] = total
    for rank in range(len(order)):
        for edge in range(first[order[rank]], first[order[rank] + 1]):
            to = target[edge]
            if seen[2 * to + 1] >= 0:
                sources[seen[2 * to + 1]] = rank
                seen[2 * to + 1] += 1
    return total


@loop
def semi_nca(
    above: Row, begin: Row, sources: Row, semi: Row, known: Row, label: Row, way: Row, ahead: int
) -> int:
    """Puts the immediate dominator of each rank into `label`.

    `semi`, `label` and `way` are room for as many ranks. `known` has two numbers of each, which are
    wanted together: an ancestor, in the beginning its parent, and the least semidominator from
    there down to it. Those of so many sources `ahead` are looked at first, all at once: memory has
    them in the time of one.
    """
    looked_at = 0
    for node in range(len(above) - 1, 0, -1):
        best = above[node]
        for place in range(begin[node], min(begin[node] + ahead, begin[node + 1])):
            looked_at += known[2 * sources[place]]
        for place in range(begin[node], begin[node + 1]):
            source = sources[place]
            if source > node:
                # The least semidominator on the way up to the last that is above the node; the
                # way is made shorter.
                steps, at = 0, source
                while known[2 * at] > node:
                    way[steps] = at
                    steps += 1
                    at = known[2 * at]
                top, least = known[2 * at], known[2 * at + 1]
                while steps > 0:
                    steps -= 1
                    at = way[steps]
                    if known[2 * at + 1] > least:
                        known[2 * at + 1] = least
                    else:
                        least = known[2 * at + 1]
                    known[2 * at] = top
                source = least
            if source < best:
                best = source
        semi[node], known[2 * node + 1] = best, best
    for node in range(len(above)):
        up = above[node]
        while up > semi[node]:
            up = label[up]
        label[node] = up
    return looked_at


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
