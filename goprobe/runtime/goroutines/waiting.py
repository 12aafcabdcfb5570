"""What blocked goroutines hang in: their sudogs, by which channels and semaphores find them.

Source: src/runtime/runtime2.go (sudog, maybeTraceablePtr), chan.go, select.go, sema.go, Go 1.21 to
1.27. A goroutine's own list of them begins at g.waiting: for operations on channels in every
release, for semaphores and conditions since Go 1.26.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from goprobe.process.memory.memory import Memory
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.record import read_numbers

_WORD = 8
_ROUNDS = 1 << 12  # sudogs of one goroutine: cases of a select

PARKED = ("waiting", "leaked")


class Sudog(msgspec.Struct, frozen=True):
    """`elem` is the value to send or room for one, or the semaphore; `channel` the hchan, 0 for
    none. `next` and `prev` are its neighbours in the queue."""

    address: int
    g: int
    elem: int
    channel: int
    next: int
    prev: int
    waitlink: int


def sudogs_at(memory: Memory, layout: Layout, addresses: Iterable[int]) -> dict[int, Sudog]:
    """Those that can be read, by their addresses."""
    sudog = layout.struct("sudog")
    fields = [sudog.fields[name] for name in ("g", "elem", "c", "next", "prev", "waitlink")]
    places = [(field.offset, field.size) for field in fields]
    # Since Go 1.26 elem and c are two words, a pointer and a number: one of them is the address
    # (maybeTraceablePtr), so that the detector of leaks may hide it from the collector.
    places += [(f.offset + _WORD, _WORD) for f in fields[1:3] if f.size > _WORD]
    sudogs: dict[int, Sudog] = {}
    for address, numbers in read_numbers(memory, sudog, list(addresses), places):
        g, elem, channel, following, prev, waitlink = numbers[:6]
        if len(numbers) > len(fields):
            elem, channel = elem or numbers[6], channel or numbers[7]
        sudogs[address] = Sudog(address, g, elem, channel, following, prev, waitlink)
    return sudogs


def waiting_lists(
    memory: Memory, layout: Layout, goroutines: Iterable[Goroutine]
) -> dict[int, tuple[Sudog, ...]]:
    """Each blocked goroutine's own list of sudogs, by the address of its g, as far as they are its
    own: behind that of a semaphore come those of others who wait for it. None where it cannot be
    read."""
    if not layout.has("sudog", "elem") or not layout.has("sudog", "c"):
        return {}
    waiting = [g for g in goroutines if g.status in PARKED]
    at = layout.offset("g", "waiting")
    first = memory.read_many([(g.address + at, _WORD) for g in waiting])
    lists: dict[int, list[Sudog]] = {}
    owner: dict[int, int] = {}
    for g, raw in zip(waiting, first, strict=True):
        if raw and (address := int.from_bytes(raw, "little")):
            owner[address] = g.address
        elif raw:
            lists[g.address] = []
    for _ in range(_ROUNDS):
        following: dict[int, int] = {}
        for address, sudog in sudogs_at(memory, layout, owner).items():
            if sudog.g == owner[address]:
                lists.setdefault(sudog.g, []).append(sudog)
                following[sudog.waitlink] = sudog.g
        following.pop(0, None)
        if not following:
            break
        owner = following
    return {g: tuple(sudogs) for g, sudogs in lists.items()}
