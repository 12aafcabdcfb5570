"""The loops of `tree`: who holds together what nobody holds alone, and nodes put into rows.

Nodes are known by their ranks, as in `dominatorloops`; `above` is the dominator of each. A node is
direct where its dominator itself points at it, and joint where only several others beside it do,
that are dominated by the same one.
"""

from __future__ import annotations

from goprobe.compiled import Row, loop


@loop
def beside(joint: Row, above: Row, begin: Row, sources: Row, up: Row, holders: Row) -> int:
    """Of all that leads to joint ranks the rank beside it from below which it comes, one rank
    behind the other, in `holders`; -1 for what comes from below itself.

    `joint` has first those whose dominators come last. `up` is a copy of `above` in the beginning:
    ways up that were gone are made shorter, up to what is beside a joint rank.
    """
    count = 0
    for i in range(len(joint)):
        to = joint[i]
        over = above[to]
        for place in range(begin[to], begin[to + 1]):
            at = sources[place]
            while above[at] != over:  # it dominates all that leads there
                at = up[at]
            holders[count] = at if at != to else -1
            count += 1
            behind = sources[place]
            while above[behind] != over:
                following = up[behind]
                up[behind] = at
                behind = following
    return count


@loop
def spread(
    joint: Row,
    place: Row,
    until: Row,
    holders: Row,
    order: Row,
    kind: Row,
    kinds: int,
    begin: Row,
    follow: Row,
    room: int,
    number: Row,
    sets: Row,
    table: Row,
    queue: Row,
    waits: Row,
) -> int:
    """Finds of each joint rank the kinds of the direct ranks that hold it, through other joint
    ones, too: the `number` of a set in `sets`, which has `room` places, for the lowest ones,
    ascending. Returns how many sets there are, -1 where there is no room for them.

    `place` is that of each rank among the joint ones, -1 for others; `joint` are their ranks in the
    order of `holders`, of each the ones before `until`; `order` is the node of each rank, whose
    `kind` is less than `kinds`. `sets` is all above every kind, but for those of one kind each,
    which follow the first; `table` (a power of two long, and longer than there is room for sets) -1
    throughout, `begin` (two more than there are joint ones), `waits` and `number` 0 in the
    beginning; `follow` and `queue` are room for the holders and the
    joint ones.
    """
    size = len(queue)
    for i in range(len(holders)):
        if holders[i] >= 0:
            source = place[holders[i]]
            if source >= 0:
                begin[source + 2] += 1
    for i in range(2, size + 2):
        begin[i] += begin[i - 1]
    at = 0
    for i in range(len(joint)):
        while at < until[i]:
            source = place[holders[at]] if holders[at] >= 0 else -1
            at += 1
            if source >= 0:
                follow[begin[source + 1]] = i
                begin[source + 1] += 1
    # Set 0 is empty, the following are those of one kind each, which no two others make.
    count, step, begins, waiting = kinds + 1, 0, 0, 0
    while step < len(joint) or waiting > 0:
        into, source = step, -1
        if step < len(joint):
            at, end = until[step - 1] if step > 0 else 0, until[step]
        else:
            source = queue[begins]
            begins = (begins + 1) % size
            waiting -= 1
            waits[source] = 0
            at, end = begin[source], begin[source + 1]
        for edge in range(at, end):
            have = 0
            if source >= 0:
                into = follow[edge]
                have = number[source]
            elif holders[edge] >= 0 and place[holders[edge]] < 0:
                have = kind[order[holders[edge]]] + 1
            had = number[into]
            if have == 0 or have == had:
                continue
            result = have
            if had != 0:
                base, one, other, mixed = count * room, had * room, have * room, 0
                if base + room > len(sets):
                    return -1
                for j in range(room):
                    lowest = min(sets[one], sets[other])
                    one += 1 if sets[one] == lowest else 0
                    other += 1 if sets[other] == lowest else 0
                    sets[base + j] = lowest
                    mixed = (mixed * 1000003 + lowest) & 0x7FFFFFFF
                where = mixed & (len(table) - 1)
                while True:
                    result = table[where]
                    if result < 0:
                        result = count
                        table[where] = count
                        count += 1
                        break
                    same = True
                    for j in range(room):
                        if sets[result * room + j] != sets[base + j]:
                            same = False
                    if same:
                        break
                    where = (where + 1) & (len(table) - 1)
                if result == had:
                    continue
            number[into] = result
            if waits[into] == 0:
                waits[into] = 1
                queue[(begins + waiting) % size] = into
                waiting += 1
        step += 1
    return count


@loop
def into_rows(
    above: Row,
    kind: Row,
    joint: Row,
    number: Row,
    only: Row,
    kinds: int,
    deepest: int,
    table: Row,
    row: Row,
    row_above: Row,
    row_kind: Row,
    row_depth: Row,
) -> int:
    """Puts each rank into a row: what is alike below what is alike. Returns how many there are; row
    0 is the first rank's.

    A rank is of its own `kind`, and below a row of the kind that `only` such hold, or of `kinds`
    and the number of its set where it is joint. What is of the kind of the row above belongs there.
    What would be too deep, or a row too many, gets into `row` as -1 - the last row above it.
    `table` is -1 throughout, a power of two long and twice as long as there may be rows.
    """
    count, most = 1, len(row_above)
    for at in range(1, len(above)):
        up = row[above[at]]
        if up < 0:
            row[at] = up
            continue
        which = joint[at]
        for step in range(2):
            wanted = kind[at]
            if step == 0:
                if which < 0:
                    continue
                wanted = only[number[which]]
                if wanted < 0:
                    wanted = kinds + number[which]
            if up < 0 or row_kind[up] == wanted:
                continue
            if row_depth[up] >= deepest:
                up = -1 - up
                continue
            place = ((up * 1000003 + wanted) * 40503 >> 4) & (len(table) - 1)
            while True:
                known = table[place]
                if known < 0:
                    break
                if row_above[known] == up and row_kind[known] == wanted:
                    break
                place = (place + 1) & (len(table) - 1)
            if known < 0 and count < most:
                known = count
                table[place] = known
                row_above[known], row_kind[known] = up, wanted
                row_depth[known] = row_depth[up] + 1
                count += 1
            up = known if known >= 0 else -1 - up
        row[at] = up
    return count
