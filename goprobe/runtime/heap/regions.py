"""Memory that the runtime keeps for itself: span metadata, arena index, GC bits, page allocator.

Source: src/runtime/mheap.go, mfixalloc.go, malloc.go (persistentalloc), mpagealloc.go (Go 1.21 to
1.27). Everything is found by following the runtime's own pointers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.heap.heap import Heap
from goprobe.runtime.layout.layout import Layout

_PERSISTENT_CHUNK = 256 << 10  # persistentChunkSize, malloc.go
_LIST_LIMIT = 1 << 16
_PALLOC_DATA = 128  # sizeof(pallocData): two bitmaps of 512 pages
_WORD = 8
_PROFILE_BUCKETS = 179999  # buckHashSize, mprof.go


class RuntimeRegion(msgspec.Struct, frozen=True):
    """[low, high) in the target; `what` it is for, `how` it was found."""

    low: int
    high: int
    what: str
    how: str


def runtime_regions(
    memory: Memory, layout: Layout, roots: Mapping[str, int], heap: Heap
) -> tuple[RuntimeRegion, ...]:
    """The runtime's own regions, the more specific ones first."""
    finders: tuple[Callable[[], Iterator[RuntimeRegion]], ...] = (
        lambda: _arena_index(heap, layout),
        lambda: _gc_bits(memory, layout, roots),
        lambda: _page_allocator(memory, layout, heap),
        lambda: _span_list(heap),
        lambda: _profile_table(memory, roots),
        lambda: _persistent(memory, roots),
    )
    regions: list[RuntimeRegion] = []
    for finder in finders:
        try:
            regions.extend(finder())
        except (UnreadableError, KeyError):
            continue
    return tuple(regions)


def _arena_index(heap: Heap, layout: Layout) -> Iterator[RuntimeRegion]:
    struct = layout.struct("heapArena")
    for arena in heap.arenas:
        yield RuntimeRegion(
            arena.address,
            _page_end(arena.address + struct.size),
            "arena metadata",
            f"heapArena of arena {arena.base:#x}",
        )
    low, high = heap.arena_table
    yield RuntimeRegion(low, high, "arena index", "second level of mheap_.arenas")


def _page_end(address: int) -> int:
    return (address + 0xFFF) & ~0xFFF


def _profile_table(memory: Memory, roots: Mapping[str, int]) -> Iterator[RuntimeRegion]:
    """The hash table of profiling buckets (buckhash, mprof.go: 179999 pointers)."""
    at = u64(memory, roots["buckhash"])
    if at:
        high = _page_end(at + _PROFILE_BUCKETS * _WORD)
        yield RuntimeRegion(at, high, "profile hash table", "runtime.buckhash")


def _gc_bits(memory: Memory, layout: Layout, roots: Mapping[str, int]) -> Iterator[RuntimeRegion]:
    struct = layout.struct("gcBitsArena")
    # gcBitsArenas: a lock, then free, next, current, previous (mheap.go).
    words = memory.read(roots["gcBitsArenas"] + _WORD, 4 * _WORD)
    seen: set[int] = set()
    for i, name in enumerate(("free", "next", "current", "previous")):
        at = int.from_bytes(words[_WORD * i : _WORD * (i + 1)], "little")
        while at and at not in seen and len(seen) < _LIST_LIMIT:
            seen.add(at)
            yield RuntimeRegion(at, at + struct.size, "GC bits", f"gcBitsArenas.{name}")
            at = u64(memory, at + struct.offset("next"))


def _page_allocator(memory: Memory, layout: Layout, heap: Heap) -> Iterator[RuntimeRegion]:
    record = heap.record
    levels = layout.constants.get("summaryLevels", 5)
    summary = memory.read(record.at("pages.summary"), 24 * levels)
    for level in range(levels):
        at, _, capacity = (
            int.from_bytes(summary[24 * level + 8 * i : 24 * level + 8 * i + 8], "little")
            for i in range(3)
        )
        yield RuntimeRegion(
            at, at + capacity * _WORD, "page summary", f"mheap_.pages.summary[{level}]"
        )
    first = 1 << layout.constants.get("pallocChunksL1Bits", 13)
    second = 1 << layout.constants.get("pallocChunksL2Bits", 13)
    table = memory.read(record.at("pages.chunks"), first * _WORD)
    for i, at in enumerate(memoryview(table).cast("Q")):
        if at:
            yield RuntimeRegion(
                at, at + second * _PALLOC_DATA, "page bitmap", f"mheap_.pages.chunks[{i}]"
            )
    if layout.has("mheap", "pages.scav.index.chunks"):
        at, capacity = record["pages.scav.index.chunks"], record.word("pages.scav.index.chunks", 2)
        if at and capacity < 1 << 40:
            yield RuntimeRegion(
                at, at + capacity * _WORD, "scavenger index", "mheap_.pages.scav.index.chunks"
            )


def _span_list(heap: Heap) -> Iterator[RuntimeRegion]:
    at, capacity = heap.record["allspans"], heap.record.word("allspans", 2)
    if at and capacity < 1 << 32:
        yield RuntimeRegion(at, at + capacity * _WORD, "span list", "mheap_.allspans")


def _persistent(memory: Memory, roots: Mapping[str, int]) -> Iterator[RuntimeRegion]:
    at = u64(memory, roots["persistentChunks"])
    seen: set[int] = set()
    while at and at not in seen and len(seen) < _LIST_LIMIT:
        seen.add(at)
        yield RuntimeRegion(
            at,
            at + _PERSISTENT_CHUNK,
            "runtime metadata",
            f"persistentalloc chunk {at:#x}",
        )
        at = u64(memory, at)
