"""Values that blocked goroutines are about to send or have room for, by their channels' own words.

A goroutine that waits in a channel operation hangs in a sudog, which points at the value in its
frame; what type that has the channel knows, also where the value is no variable of the program's.
Source: src/runtime/runtime2.go (sudog), chan.go (hchan, chansend), select.go, Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import Memory
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.goroutines.waiting import WaitingLists
from goprobe.runtime.layout.columns import read_columns, rows_of
from goprobe.runtime.layout.layout import Layout

_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


class Sent(msgspec.Struct, frozen=True):
    """[low, high) on a goroutine's stack holds a value of the type whose descriptor is `rtype`."""

    low: int
    high: int
    rtype: int


class SentValues(msgspec.Struct, frozen=True):
    """All of them, in columns. `g` are the addresses of the g structs that they lie on the stacks
    of, ascending."""

    g: Words
    low: Words
    high: Words
    rtype: Words

    def of(self, g: int) -> Iterator[Sent]:
        """Those on the stack of the goroutine whose g is at an address."""
        begin, end = (int(np.searchsorted(self.g, np.uint64(g), side)) for side in _SIDES)
        for row in range(begin, end):
            yield Sent(int(self.low[row]), int(self.high[row]), int(self.rtype[row]))

    def holds(self, g: Words, place: Words) -> NDArray[np.bool_]:
        """Of places on the stacks of some goroutines whether one of them lies there."""
        begin, end = (np.searchsorted(self.g, g, side) for side in _SIDES)
        held = np.zeros(len(g), np.bool_)
        rows = np.flatnonzero(begin < end)
        while len(rows):
            at = begin[rows]
            held[rows] |= (self.low[at] <= place[rows]) & (place[rows] < self.high[at])
            begin[rows] += 1
            rows = rows[begin[rows] < end[rows]]
        return held


def sent_values(
    memory: Memory, layout: Layout, goroutines: Sequence[Goroutine], lists: WaitingLists
) -> SentValues:
    """Of these goroutines the values that channels know on their stacks; `lists` are what each
    hangs in."""
    sudogs, g = lists.sudogs, lists.gs[lists.owner]
    places = np.array([(each.address, each.low, each.high) for each in goroutines], np.uint64)
    addresses, lows, highs = places.reshape(-1, 3).T
    row = rows_of(g, addresses)
    low, high = lows[row], highs[row]
    own = np.flatnonzero(
        (row >= 0) & (sudogs.channel != 0) & (low <= sudogs.elem) & (sudogs.elem < high)
    )
    channels, which = np.unique(sudogs.channel[own], return_inverse=True)
    fields, there = read_columns(memory, layout.struct("hchan"), channels)
    size, rtype = fields["elemsize"][which], fields["elemtype"][which]
    begin = sudogs.elem[own]
    fit = there[which] & (size > 0) & (size <= high[own] - begin)
    own = own[fit]
    return SentValues(g[own], begin[fit], (begin + size)[fit], rtype[fit])
