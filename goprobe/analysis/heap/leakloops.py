"""The loop of `leaks`: what is reached where blocked goroutines hang behind what they wait on."""

from __future__ import annotations

from goprobe.compiled import Row, loop

# What is particular about an object.
HIDES, WAITED_FOR, ENDS = 1, 2, 4


@loop
def mark(
    first: Row, target: Row, count: int, about: Row, hidden: Row, waited: Row, whose: Row,
    stack_first: Row, stack_target: Row, marked: Row, queue: Row, waiting: int,
) -> int:  # fmt: skip
    """Marks what the nodes in `queue` lead to: objects, and goroutines, whose numbers come behind
    the `count` objects. Returns how many nodes are marked.

    The first `waiting` in `queue` are marked already; it has room for all. `about` says what is
    particular about each object: some of its edges, which are in `hidden` (ascending), lead
    nowhere; goroutines wait for it, `whose` beside each that it is in `waited` (ascending); it
    leads no further. A goroutine leads to what its stack does.
    """
    head, tail = 0, waiting
    while head < tail:
        node = queue[head]
        head += 1
        if node >= count:
            for place in range(stack_first[node - count], stack_first[node - count + 1]):
                to = stack_target[place]
                if not marked[to]:
                    marked[to] = 1
                    queue[tail] = to
                    tail += 1
            continue
        own = about[node]
        if own & ENDS:
            continue
        if own & WAITED_FOR:
            low, high = 0, len(waited)
            while low < high:
                middle = (low + high) >> 1
                if waited[middle] < node:
                    low = middle + 1
                else:
                    high = middle
            while low < len(waited) and waited[low] == node:
                to = count + whose[low]
                low += 1
                if not marked[to]:
                    marked[to] = 1
                    queue[tail] = to
                    tail += 1
        for edge in range(first[node], first[node + 1]):
            to = target[edge]
            if marked[to]:
                continue
            if own & HIDES:
                low, high = 0, len(hidden)
                while low < high:
                    middle = (low + high) >> 1
                    if hidden[middle] < edge:
                        low = middle + 1
                    else:
                        high = middle
                if low < len(hidden) and hidden[low] == edge:
                    continue
            marked[to] = 1
            queue[tail] = to
            tail += 1
    return tail
