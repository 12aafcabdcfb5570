"""What the allocator has counted since the program began: memstats.heapStats, in its three parts.

Source: src/runtime/mstats.go (consistentHeapStats, heapStatsDelta), mcache.go (refill, releaseAll),
Go 1.21 to 1.27. Each P allocates from spans of its own, and counts what it took from one when it
gives it back: runtime.ReadMemStats has all of them given back first, runtime/metrics does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from goprobe.arch.registers import signed
from goprobe.process.memory.memory import Memory
from goprobe.runtime.heap.classsizes import CLASS_TO_SIZE
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.record import Record

_MOST_CLASSES = 1024
_PARTS = 3  # consistentHeapStats.stats, mstats.go: what was counted is the sum of all three


class HeapStats(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes, objects by size class. `committed` is all that is or may be backed by memory,
    `released` what was given back; `in_heap`, `in_stacks` and `in_books` (work buffers, and the
    unrolled pointer masks of Go 1.21 to 1.24) are of spans."""

    committed: int
    released: int
    in_heap: int
    in_stacks: int
    in_books: int
    tiny_allocs: int
    large_alloc: int
    large_allocs: int
    large_free: int
    large_frees: int
    allocs: tuple[int, ...]
    frees: tuple[int, ...]

    @property
    def allocated_bytes(self) -> int:
        return self.large_alloc + _bytes(self.allocs)

    @property
    def freed_bytes(self) -> int:
        return self.large_free + _bytes(self.frees)

    @property
    def object_bytes(self) -> int:
        return self.allocated_bytes - self.freed_bytes

    @property
    def allocated_objects(self) -> int:
        """Slots: several tiny objects in one count once."""
        return self.large_allocs + sum(self.allocs)

    @property
    def freed_objects(self) -> int:
        return self.large_frees + sum(self.frees)


def _bytes(counts: Sequence[int]) -> int:
    return sum(n * size for n, size in zip(counts, CLASS_TO_SIZE, strict=False))


def read_heap_stats(memory: Memory, layout: Layout, memstats: int) -> HeapStats:
    """As runtime/metrics reads them. Raises UnreadableError, UndescribedError."""
    struct = layout.struct("heapStatsDelta")
    at = memstats + layout.offset("mstats", "heapStats")
    raw = memory.read(at, _PARTS * struct.size)
    parts = [Record(at, struct, raw[i * struct.size :]) for i in range(_PARTS)]

    def total(*names: str) -> int:
        return signed(sum(part[name] for name in names if name in struct for part in parts))

    def by_class(name: str) -> tuple[int, ...]:
        columns = zip(*(part.words(name)[:_MOST_CLASSES] for part in parts), strict=True)
        return tuple(signed(sum(column)) for column in columns)

    return HeapStats(
        committed=total("committed"),
        released=total("released"),
        in_heap=total("inHeap"),
        in_stacks=total("inStacks"),
        in_books=total("inWorkBufs", "inPtrScalarBits"),
        tiny_allocs=total("tinyAllocCount"),
        large_alloc=total("largeAlloc"),
        large_allocs=total("largeAllocCount"),
        large_free=total("largeFree"),
        large_frees=total("largeFreeCount"),
        allocs=by_class("smallAllocCount"),
        frees=by_class("smallFreeCount"),
    )


def with_cached(stats: HeapStats, cached: Sequence[tuple[int, int]], tiny: int) -> HeapStats:
    """The same as if every P had given back its spans: `cached` are the (size class, slots taken)
    of those, `tiny` the tiny objects."""
    allocs = list(stats.allocs)
    for size_class, slots in cached:
        if size_class < len(allocs):
            allocs[size_class] += slots
    return replace(stats, allocs=tuple(allocs), tiny_allocs=stats.tiny_allocs + tiny)
