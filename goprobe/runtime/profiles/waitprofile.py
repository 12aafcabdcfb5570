"""The profiles of blocking and of locks, as the runtime keeps them.

Source: src/runtime/mprof.go (blockRecord, BlockProfile, MutexProfile), runtime.go (ticks), Go 1.21
to 1.27. Counts are scaled by the runtime as it notes them.
"""

from __future__ import annotations

import struct

import msgspec

from goprobe.arch.ticks import ticks_and_time
from goprobe.errors import UndescribedError, UnreadableError
from goprobe.process.memory.memory import u64
from goprobe.process.proc.procfs import same_clock
from goprobe.runtime.profiles.buckets import Kind, read_buckets
from goprobe.runtime.world import World


class WaitSite(msgspec.Struct, frozen=True):
    stack: tuple[int, ...]
    count: int
    cycles: int


class WaitProfile(msgspec.Struct, frozen=True):
    """`rate` is how much is sampled, -1 where that is not known. `why` says what is missing."""

    sites: tuple[WaitSite, ...]
    rate: int
    why: str


_SHORTEST = 5_000_000
"""ns that the runtime waits for at least (minTimeForTicksPerSecond, runtime.go, Go 1.22 on)."""
_RATES = {Kind.BLOCK: "blockprofilerate", Kind.MUTEX: "mutexprofilerate"}


def wait_profile(world: World, kind: Kind) -> WaitProfile:
    rate, why = -1, ""
    try:
        rate = u64(world.memory, world.roots[_RATES[kind]])
    except (UndescribedError, UnreadableError) as error:
        why = str(error)
    try:
        buckets = read_buckets(world, kind)
    except (UndescribedError, UnreadableError) as error:
        return WaitProfile((), rate, str(error))
    record = world.layout.struct("blockRecord")
    count_at, cycles_at = record.offset("count"), record.offset("cycles")
    sites = []
    for bucket in buckets.all:
        (count,) = struct.unpack_from("<d", bucket.record, count_at)
        (cycles,) = struct.unpack_from("<q", bucket.record, cycles_at)
        whole = int(count) if abs(count) < 1 << 63 else 0  # no number, or beyond all: corrupt
        # BlockProfile has no counts of 0, so that readers may divide by them.
        sites.append(WaitSite(bucket.stack, whole or int(kind is Kind.BLOCK), cycles))
    return WaitProfile(tuple(sites), rate, buckets.broken or (why if rate < 0 else ""))


def cycles_per_second(world: World, *, live: bool) -> int:
    """Of the clock that waits are measured by; 0 where that is not known. While the program has had
    no use for it, it is measured as the runtime would (ticksPerSecond, runtime.go, Go 1.22 to
    1.27): from where both clocks stood at the start, and stand now for a process that is `live`."""
    try:
        at, layout = world.roots["ticks"], world.layout
        known = u64(world.memory, at + layout.offset("ticksType", "val"))
        if known or not live or not same_clock(world.pid):
            return known
        begun = u64(world.memory, at + layout.offset("ticksType", "startTicks"))
        since = u64(world.memory, at + layout.offset("ticksType", "startTime"))
    except (UndescribedError, UnreadableError):
        return 0
    ticks, now = ticks_and_time()
    passed = now - since
    if not begun or not since or ticks <= begun or passed < _SHORTEST:
        return 0
    return (ticks - begun) * 1_000_000_000 // passed
