"""Values that blocked goroutines are about to send or have room for, by their channels' own words.

A goroutine that waits in a channel operation hangs in a sudog, which points at the value in its
frame; what type that has the channel knows, also where the value is no variable of the program's.
Source: src/runtime/runtime2.go (sudog), chan.go (hchan, chansend), select.go, Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from goprobe.process.memory.memory import Memory
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.goroutines.waiting import Sudog
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.record import read_records

_SIZE_LIMIT = 1 << 16  # hchan.elemsize is a uint16


class Sent(msgspec.Struct, frozen=True):
    """[low, high) on a goroutine's stack holds a value of the type whose descriptor is `rtype`."""

    low: int
    high: int
    rtype: int


def sent_values(
    memory: Memory,
    layout: Layout,
    goroutines: Iterable[Goroutine],
    blocked: Mapping[int, tuple[Sudog, ...]],
) -> dict[int, tuple[Sent, ...]]:
    """Of each goroutine, by the address of its g, the values that channels know on its stack.
    `blocked` is what each hangs in."""
    return _typed(memory, layout, {g.address: g for g in goroutines}, blocked)


def _typed(
    memory: Memory,
    layout: Layout,
    by_g: Mapping[int, Goroutine],
    blocked: Mapping[int, tuple[Sudog, ...]],
) -> dict[int, tuple[Sent, ...]]:
    places = {sudog.channel for sudogs in blocked.values() for sudog in sudogs}
    channels = {
        record.address: record
        for record in read_records(memory, layout.struct("hchan"), sorted(places - {0}))
    }
    values: dict[int, tuple[Sent, ...]] = {}
    for sudog in (sudog for sudogs in blocked.values() for sudog in sudogs):
        g, channel, low = by_g[sudog.g], channels.get(sudog.channel), sudog.elem
        if channel is None or not g.low <= low < g.high:
            continue
        high = low + min(channel["elemsize"], _SIZE_LIMIT)
        if low < high <= g.high:
            sent = Sent(low, high, channel["elemtype"])
            values[g.address] = (*values.get(g.address, ()), sent)
    return values
