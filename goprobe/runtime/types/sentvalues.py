"""Values that blocked goroutines are about to send or have room for, by their channels' own words.

A goroutine that waits in a channel operation hangs in a sudog, which points at the value in its
frame; what type that has the channel knows, also where the value is no variable of the program's.
Source: src/runtime/runtime2.go (sudog), chan.go (hchan, chansend), select.go, Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from goprobe.process.memory.memory import Memory
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.record import Record, read_records

_WORD = 8
_ROUNDS = 1 << 12  # sudogs of one goroutine: cases of a select
_SIZE_LIMIT = 1 << 16  # hchan.elemsize is a uint16


class Sent(msgspec.Struct, frozen=True):
    """[low, high) on a goroutine's stack holds a value of the type whose descriptor is `rtype`."""

    low: int
    high: int
    rtype: int


def sent_values(
    memory: Memory, layout: Layout, goroutines: Iterable[Goroutine]
) -> dict[int, tuple[Sent, ...]]:
    """Of each goroutine, by the address of its g, the values that channels know on its stack."""
    if not layout.has("sudog", "elem") or not layout.has("sudog", "c"):
        return {}
    waiting = [g for g in goroutines if g.status == "waiting"]
    at = layout.offset("g", "waiting")
    first = memory.read_many([(g.address + at, _WORD) for g in waiting])
    owner = {int.from_bytes(raw, "little"): g for g, raw in zip(waiting, first, strict=True) if raw}
    owner.pop(0, None)
    blocked: list[tuple[Goroutine, Record]] = []
    for _ in range(_ROUNDS):
        if not owner:
            break
        following: dict[int, Goroutine] = {}
        for record in read_records(memory, layout.struct("sudog"), list(owner)):
            g = owner[record.address]
            if record["g"] == g.address:
                blocked.append((g, record))
                following[record["waitlink"]] = g
        following.pop(0, None)
        owner = following
    return _typed(memory, layout, blocked)


def _typed(
    memory: Memory, layout: Layout, blocked: Sequence[tuple[Goroutine, Record]]
) -> dict[int, tuple[Sent, ...]]:
    places = {_pointer(record, "c") for _, record in blocked}
    channels = {
        record.address: record
        for record in read_records(memory, layout.struct("hchan"), sorted(places - {0}))
    }
    values: dict[int, tuple[Sent, ...]] = {}
    for g, record in blocked:
        channel, low = channels.get(_pointer(record, "c")), _pointer(record, "elem")
        if channel is None or not g.low <= low < g.high:
            continue
        high = low + min(channel["elemsize"], _SIZE_LIMIT)
        if low < high <= g.high:
            sent = Sent(low, high, channel["elemtype"])
            values[g.address] = (*values.get(g.address, ()), sent)
    return values


def _pointer(record: Record, field: str) -> int:
    """Since Go 1.26 these are two words, a pointer and a number: one of them is the address
    (maybeTraceablePtr), so that the detector of leaks may hide it from the collector."""
    return record[field] or (record.word(field, 1) if record.layout.fields[field].size > 8 else 0)
