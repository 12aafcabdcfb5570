"""Which pages of the heap are in use, by the page allocator's own bitmaps: two bits a page.

Source: src/runtime/mpagealloc.go (pageAlloc.chunks), mpallocbits.go (pallocData: the pages in use,
then those given back to the system), mpagecache.go (a P's own free pages count as in use there), Go
1.21 to 1.27. 128 bytes tell of 4 MiB, so that a heap of any size is soon read. What is in use has
the other bit cleared (pallocData.allocRange), but for the pages before a randomly chosen base of
the heap (markRandomPaddingPages, Go 1.26 on), which are nobody's.

Chunks of user arenas (arena.go, allocUserArenaChunk) are taken from the system past the allocator:
it never has their pages, and their spans tell of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import msgspec

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.heap.heap import Arena, Heap, bit_runs
from goprobe.runtime.layout.layout import Layout

_WORD = 8
_CHUNK = 8 << 20  # userArenaChunkBytes, arena.go


class PageBits(msgspec.Struct, frozen=True):
    """`count` pages of `size` bytes from `base` on: a bit for each, the lowest first."""

    base: int
    count: int
    size: int
    in_use: int
    scavenged: int

    def runs(self) -> Iterator[tuple[int, int, bool, bool]]:
        """[low, high), whether it is in use, and whether it was given back, in address order."""
        at = self.base
        bits, given, left = self.in_use, self.scavenged, self.count
        while left > 0:
            length, used = next(bit_runs(bits, left))
            same, back = next(bit_runs(given, length))
            yield at, at + same * self.size, used, back
            at, left = at + same * self.size, left - same
            bits, given = bits >> same, given >> same


def read_page_bits(
    memory: Memory, layout: Layout, heap: Heap, cached: Iterable[tuple[int, int]] = ()
) -> tuple[PageBits, ...]:
    """Of all arenas. `cached` are the first page's address and a bit for each page that a P keeps
    for itself. Raises UnreadableError."""
    free = {base: bits for base, bits in cached if bits}
    pages: list[PageBits] = []
    for low, high in heap.arena_ranges(users=False):
        pages += _of_range(memory, layout, heap, low, high)
    for arena in heap.user_arenas:
        pages += _of_chunks(heap, arena)
    return tuple(_without(bits, free) for bits in pages)


def _of_chunks(heap: Heap, arena: Arena) -> Iterator[PageBits]:
    """What was freed is given back at once, whatever still points at it."""
    count = _CHUNK // heap.page_size
    every = (1 << count) - 1
    for base in range(arena.base, arena.end, _CHUNK):
        span = heap.span_at(base)
        used = span is not None and heap.in_use(span) and not heap.is_faulted(span)
        yield PageBits(base, count, heap.page_size, every * used, every * (not used))


def _without(bits: PageBits, free: dict[int, int]) -> PageBits:
    """Less the pages that a P keeps (pageCache: 64 of them, aligned, so that they lie in one
    chunk)."""
    end = bits.base + bits.count * bits.size
    in_use = bits.in_use
    for base, mask in free.items():
        if bits.base <= base < end:
            in_use &= ~(mask << (base - bits.base) // bits.size)
    if in_use == bits.in_use:
        return bits
    return PageBits(bits.base, bits.count, bits.size, in_use, bits.scavenged)


def _of_range(
    memory: Memory, layout: Layout, heap: Heap, low: int, high: int
) -> Iterator[PageBits]:
    pages, second = layout.constants["pallocChunkPages"], layout.constants["pallocChunksL2Bits"]
    half, size = pages // 8, heap.page_size
    first, last = heap.page_number(low) // pages, -(-heap.page_number(high) // pages)
    while first < last:
        end = min(last, ((first >> second) + 1) << second)
        raw = _chunks(memory, heap, first >> second, first & ((1 << second) - 1), end - first, half)
        parts = (raw[at : at + 2 * half] for at in range(0, len(raw), 2 * half))
        for part, equal in groupby(parts):
            times, count = sum(1 for _ in equal), pages
            used, given = (int.from_bytes(part[at : at + half], "little") for at in (0, half))
            every = (1 << pages) - 1
            if used in (0, every) and given in (0, every):  # told as one: most of a large heap
                times, count = 1, times * pages
                used, given = (((1 << count) - 1) * (bits & 1) for bits in (used, given))
            for _ in range(times):
                base = low + (first * pages - heap.page_number(low)) * size
                yield PageBits(base, count, size, used & ~given, given)
                first += count // pages


def _chunks(memory: Memory, heap: Heap, table: int, first: int, count: int, half: int) -> bytes:
    """Chunks of one second-level table; where there is none no page was ever taken into use."""
    at = u64(memory, heap.record.at("pages.chunks") + _WORD * table)
    if not at:
        return (bytes(half) + b"\xff" * half) * count
    try:
        return memory.read(at + 2 * half * first, 2 * half * count)
    except UnreadableError:
        return b"".join(_chunk(memory, at, first + i, half) for i in range(count))


def _chunk(memory: Memory, table: int, number: int, half: int) -> bytes:
    """The table is mapped as it is needed, page by page."""
    try:
        return memory.read(table + 2 * half * number, 2 * half)
    except UnreadableError:
        return bytes(half) + b"\xff" * half
