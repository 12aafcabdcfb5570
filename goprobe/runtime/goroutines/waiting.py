"""What blocked goroutines hang in: their sudogs, by which channels and semaphores find them.

Source: src/runtime/runtime2.go (sudog, maybeTraceablePtr), chan.go, select.go, sema.go, Go 1.21 to
1.27. A goroutine's own list of them begins at g.waiting: for operations on channels in every
release, for semaphores and conditions since Go 1.26.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.process.memory.copies import Positions, Words, words_at
from goprobe.process.memory.memory import Memory
from goprobe.runtime.goroutines.goroutines import PARKED, Goroutine
from goprobe.runtime.layout.columns import read_columns
from goprobe.runtime.layout.layout import Layout

_ROUNDS = 1 << 12  # sudogs of one goroutine: cases of a select


class Sudogs(msgspec.Struct, frozen=True):
    """Some of them, in columns. `elem` is the value to send or room for one, or the semaphore;
    `channel` the hchan, 0 for none. `next` and `prev` are the neighbours in the queue, `waitlink`
    the next one in the goroutine's own list."""

    address: Words
    g: Words
    elem: Words
    channel: Words
    next: Words
    prev: Words
    waitlink: Words

    def take(self, rows: NDArray[np.generic]) -> Sudogs:
        return Sudogs(*(column[rows] for column in self.columns))

    @property
    def columns(self) -> tuple[Words, ...]:
        return tuple(getattr(self, name) for name in self.__struct_fields__)

    def __len__(self) -> int:
        return len(self.address)


def joined(parts: Iterable[Sudogs]) -> Sudogs:
    none = Sudogs(*(np.zeros(0, np.uint64) for _ in Sudogs.__struct_fields__))
    every = [none, *parts]
    return Sudogs(*(np.concatenate(c) for c in zip(*(p.columns for p in every), strict=True)))


def sudogs_at(memory: Memory, layout: Layout, addresses: Words) -> tuple[Sudogs, NDArray[np.bool_]]:
    """Those that can be read, in the order of their addresses; and which can."""
    sudogs, there = read_columns(memory, layout.struct("sudog"), addresses)
    # Since Go 1.26 elem and c are two words, a pointer and a number: one of them is the address
    # (maybeTraceablePtr), so that the detector of leaks may hide it from the collector.
    elem, channel = (
        np.where(sudogs[name] != 0, sudogs[name], sudogs.word(name, 1)) for name in ("elem", "c")
    )
    whole = Sudogs(
        addresses, sudogs["g"], elem, channel, sudogs["next"], sudogs["prev"], sudogs["waitlink"]
    )
    return whole.take(there), there


class WaitingLists(msgspec.Struct, frozen=True):
    """Of goroutines that are parked, what each hangs in, as far as that is its own: behind the
    sudog of a semaphore come those of others who wait for it. Those whose list cannot be read are
    left out.

    `gs` are the addresses of their g structs, ascending. The i-th has the sudogs from `first[i]` to
    `first[i + 1]`, in their order.
    """

    gs: Words
    first: Positions
    sudogs: Sudogs

    @property
    def owner(self) -> Positions:
        """Of each sudog, whose it is."""
        return np.repeat(np.arange(len(self.gs)), np.diff(self.first))


def waiting_lists(memory: Memory, layout: Layout, goroutines: Iterable[Goroutine]) -> WaitingLists:
    gs = np.sort(np.array([g.address for g in goroutines if g.status in PARKED], np.uint64))
    if not layout.has("sudog", "elem") or not layout.has("sudog", "c"):
        gs = gs[:0]
    heads, there = words_at(memory, gs + np.uint64(layout.offset("g", "waiting")))
    gs, heads = gs[there], heads[there]
    owner, sudogs = _followed(memory, layout, gs, heads)
    count = np.bincount(owner, minlength=len(gs))
    listed = (heads == 0) | (count > 0)
    first = np.zeros(int(listed.sum()) + 1, np.int64)
    np.cumsum(count[listed], out=first[1:])
    return WaitingLists(gs[listed], first, sudogs)


def _followed(memory: Memory, layout: Layout, gs: Words, heads: Words) -> tuple[Positions, Sudogs]:
    """The lists, a sudog of each at a time; sorted by whose they are."""
    parts: list[Sudogs] = []
    owners: list[Positions] = [np.zeros(0, np.int64)]
    seen, seen_by = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    owner, following = np.flatnonzero(heads), heads[heads != 0]
    for _ in range(_ROUNDS):
        if not len(owner):
            break
        sudogs, there = sudogs_at(memory, layout, following)
        owner = owner[there]
        own = sudogs.g == gs[owner]
        own &= ~np.isin(sudogs.address, seen)  # a list that leads back to what it had ends
        sudogs, owner = sudogs.take(own), owner[own]
        parts.append(sudogs)
        owners.append(owner)
        seen, seen_by = np.append(seen, sudogs.address), np.append(seen_by, owner)
        goes_on = sudogs.waitlink != 0
        owner, following = owner[goes_on], sudogs.waitlink[goes_on]
        open_ = np.isin(seen_by, owner)  # no list leads to what is another goroutine's
        seen, seen_by = seen[open_], seen_by[open_]
    every = np.concatenate(owners)
    order = np.argsort(every, kind="stable")
    return every[order], joined(parts).take(order)
