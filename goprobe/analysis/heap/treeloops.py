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
    kind: Row,
    begin: Row,
    follow: Row,
    room: int,
    sets: Row,
    queue: Row,
    waits: Row,
) -> int:
    """Puts into `sets`, `room` places for each joint rank, the kinds of the direct ranks that hold
    it, through other joint ones, too: the lowest ones, ascending.

    `place` is that of each rank among the joint ones, -1 for others; `joint` are their ranks in the
    order of `holders`, of each the ones before `until`. `sets` is all above every kind, `waits` 0,
    `begin` (two more than there are joint ones) 0 in the beginning; `follow` and `queue` are room
    for the holders and the joint ones.
    """
    size = len(queue)
    for i in range(len(holders)):
        if holders[i] >= 0:
            source = place[holders[i]]
            if source >= 0:
                begin[source + 2] += 1
    for i in range(2, size + 2):
        begin[i] += begin[i - 1]
    waiting, at = 0, 0
    for i in range(len(joint)):
        to = place[joint[i]]
        base = to * room
        while at < until[i]:
            holder = holders[at]
            at += 1
            if holder < 0:
                continue
            source = place[holder]
            if source >= 0:
                follow[begin[source + 1]] = to
                begin[source + 1] += 1
                continue
            value, j = kind[holder], 0
            while j < room and sets[base + j] < value:
                j += 1
            if j < room and sets[base + j] != value:
                for k in range(room - 1, j, -1):
                    sets[base + k] = sets[base + k - 1]
                sets[base + j] = value
                if waits[to] == 0:
                    waits[to] = 1
                    queue[waiting] = to
                    waiting += 1
    begins = 0
    while waiting > 0:
        source = queue[begins]
        begins = (begins + 1) % size
        waiting -= 1
        waits[source] = 0
        for i in range(begin[source], begin[source + 1]):
            to = follow[i]
            changed, base = False, to * room
            for n in range(room):
                value, j = sets[source * room + n], 0
                while j < room and sets[base + j] < value:
                    j += 1
                if j < room and sets[base + j] != value:
                    for k in range(room - 1, j, -1):
                        sets[base + k] = sets[base + k - 1]
                    sets[base + j] = value
                    changed = True
            if changed and waits[to] == 0:
                waits[to] = 1
                queue[(begins + waiting) % size] = to
                waiting += 1
    return 0


@loop
def number_sets(sets: Row, room: int, table: Row, numbers: Row) -> int:
    """Numbers the sets, equal ones alike; returns how many there are. `table` is -1 throughout, a
    power of two long and longer than there are sets."""
    count = 0
    for i in range(len(numbers)):
        mixed = 0
        for k in range(room):
            mixed = (mixed * 1000003 + sets[i * room + k]) & 0x7FFFFFFF
        place = mixed & (len(table) - 1)
        while True:
            other = table[place]
            if other < 0:
                table[place], numbers[i] = i, count
                count += 1
                break
            same = True
            for k in range(room):
                if sets[i * room + k] != sets[other * room + k]:
                    same = False
            if same:
                numbers[i] = numbers[other]
                break
            place = (place + 1) & (len(table) - 1)
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
