"""Every span of the heap at once, as columns: copied inside a stop, decoded after it.

Source: src/runtime/mheap.go (mspan, mheap.allspans), mbitmap.go (isFree, newMarkBits), Go 1.21 to
1.27. `heap.py` answers questions on single addresses; this is for the heap as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.counts import counted
from goprobe.errors import UnreadableError
from goprobe.process.memory.copies import MISSING, Copy, Positions, Words, copy_ranges
from goprobe.process.memory.memory import Memory, u32, u64
from goprobe.runtime.heap.heap import SPAN_LIMIT, Heap
from goprobe.runtime.heap.totals import HeapRoots, HeapTotals, read_totals
from goprobe.runtime.layout.layout import Layout, StructLayout

Ints = NDArray[np.int64]
Bounds = tuple[int, int]
"""[low, high)"""

_NELEMS_LIMIT = 1 << 16  # mspan.nelems is a uint16 since 1.22, and never reached 2**16 before
_SPAN_BYTES_LIMIT = 1 << 47
_INLINE_MARKS = 128  # sizeof(spanInlineMarkBits), mgcmark_greenteagc.go
_ADDRESS_LIMIT = 1 << 57


class HeapCopy(msgspec.Struct, frozen=True):
    """What a census needs of one stop: the mspans and the allocation bits of those in use."""

    pointers: Words
    spans: Copy
    bits: Copy
    sweepgen: int
    totals: HeapTotals
    arenas: tuple[Bounds, ...]


class SpanTable(msgspec.Struct, frozen=True):
    """Columns, one entry a span, in address order. Addresses are the target's, sizes in bytes.

    `address` is the mspan's own. Only spans that make sense are here; `unreadable` are the
    addresses of the mspans left out.
    """

    address: Words
    base: Words
    npages: Ints
    state: Ints
    spanclass: Ints
    elemsize: Ints
    nelems: Ints
    freeindex: Ints
    alloc_bits: Words
    alloc_count: Ints
    counted_before: Ints
    limit: Words
    large_type: Words
    sweepgen: Ints
    specials: Words
    user_arena: Ints
    unreadable: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.address)

    def take(self, rows: NDArray[np.bool_] | Positions, lost: Words | None = None) -> SpanTable:
        """The spans of a mask or of row numbers, in that order; `lost` are unreadable, too."""
        columns: list[Any] = [getattr(self, name)[rows] for name in self.__struct_fields__[:-1]]
        more = () if lost is None else tuple(lost.tolist())
        return SpanTable(*[*columns, self.unreadable + more])


_FIELDS = (
    "startAddr", "npages", "state", "spanclass", "elemsize", "nelems", "freeindex",
    "allocBits", "allocCount", "allocCountBeforeCache", "limit", "largeType",
    "sweepgen", "specials", "isUserArenaChunk",
)  # fmt: skip
_ADDRESSES = {"startAddr", "allocBits", "limit", "largeType", "specials"}


def copy_heap(memory: Memory, layout: Layout, roots: HeapRoots) -> HeapCopy:
    """All that the census needs of the target, in about ten reads for a heap of any size.

    Raises UnreadableError where the list of spans is not there or claims too many.
    """
    pointers, sweepgen = _span_list(memory, layout, roots.mheap)
    spans = copy_ranges(memory, pointers, layout.struct("mspan").size)
    bits = _copy_bits(memory, layout, pointers, spans)
    return HeapCopy(pointers, spans, bits, sweepgen, *_books(memory, layout, roots))


def copy_again(memory: Memory, layout: Layout, roots: HeapRoots, rehearsed: HeapCopy) -> HeapCopy:
    """The same as `copy_heap`, faster: where everything lies was found out before the stop.

    Bitmaps that a collection has moved since are missing, and count as unreadable. Takes over
    the memory of `rehearsed`. Raises UnreadableError.
    """
    pointers, sweepgen = _span_list(memory, layout, roots.mheap)
    if len(pointers) != len(rehearsed.pointers):
        return copy_heap(memory, layout, roots)
    rehearsed.spans.refresh(memory)
    rehearsed.bits.refresh(memory)
    books = _books(memory, layout, roots)
    return HeapCopy(pointers, rehearsed.spans, rehearsed.bits, sweepgen, *books)


def _books(
    memory: Memory, layout: Layout, roots: HeapRoots
) -> tuple[HeapTotals, tuple[Bounds, ...]]:
    arenas = Heap(memory, layout, roots.mheap).arena_ranges()
    return read_totals(memory, layout, roots), arenas


def _span_list(memory: Memory, layout: Layout, mheap: int) -> tuple[Words, int]:
    # "allspans is a slice of all mspans ever created. Each mspan appears exactly once" (mheap.go):
    # a free one keeps its struct, so no entry leads nowhere.
    at = mheap + layout.offset("mheap", "allspans")
    start, count = u64(memory, at), u64(memory, at + 8)
    sweepgen = u32(memory, mheap + layout.offset("mheap", "sweepgen"))
    if count > SPAN_LIMIT:
        raise UnreadableError(start, 8 * count, f"mheap_.allspans claims {counted(count, 'span')}")
    return np.frombuffer(memory.read(start, 8 * count), np.uint64), sweepgen


def _copy_bits(memory: Memory, layout: Layout, pointers: Words, spans: Copy) -> Copy:
    # Only spans in use: a dead one's allocBits may lead to a block that is used again.
    struct = layout.struct("mspan")
    positions = spans.positions(pointers, struct.size)
    positions = positions[positions != MISSING]
    state = _column(spans, struct, positions, "state").astype(np.int64)
    positions = positions[state == layout.constants["mSpanInUse"]]
    nelems = _column(spans, struct, positions, "nelems")
    nelems = nelems[nelems <= _NELEMS_LIMIT]
    longest = bits_size(int(nelems.max(initial=0)))
    return copy_ranges(memory, _column(spans, struct, positions, "allocBits"), longest)


def bits_size(nelems: int) -> int:
    """Bytes of an allocation bitmap (newMarkBits rounds up to whole words)."""
    return (nelems + 63) // 64 * 8


def _column(spans: Copy, struct: StructLayout, positions: Positions, name: str) -> Words:
    if name not in struct:
        return np.zeros(len(positions), np.uint64)
    field = struct.fields[name]
    return spans.numbers(positions + field.offset, min(field.size, 8))


def decode_spans(copy: HeapCopy, layout: Layout) -> SpanTable:
    """The copied mspans as columns; what no runtime would have written is left out and named."""
    struct = layout.struct("mspan")
    positions = copy.spans.positions(copy.pointers, struct.size)
    there = positions != MISSING
    positions = positions[there]
    address = copy.pointers[there]
    columns: list[Any] = [address]
    for name in _FIELDS:
        column = _column(copy.spans, struct, positions, name)
        columns.append(column if name in _ADDRESSES else _signed(column))
    lost = tuple(copy.pointers[~there].tolist())
    table = SpanTable(*[*columns, lost])
    return _plausible(table, layout, copy.arenas)


def _signed(column: Words) -> Ints:
    # Nothing counted here reaches 2**62; what claims to is turned into what no check accepts.
    return np.where(column < np.uint64(1 << 62), column, np.uint64(1 << 62)).astype(np.int64)


def _plausible(table: SpanTable, layout: Layout, arenas: Sequence[Bounds]) -> SpanTable:
    constants = layout.constants
    dead, in_use = constants["mSpanDead"], constants["mSpanInUse"]
    page = constants["_PageSize"]
    good = (table.state >= dead) & (table.state <= constants["mSpanManual"])
    sized = (table.npages > 0) & (table.npages < _SPAN_BYTES_LIMIT // page)
    sized &= (table.base % np.uint64(page) == 0) & (table.base < np.uint64(_ADDRESS_LIMIT))
    sized &= _in_arenas(table, arenas, page)
    size = np.where(sized, table.npages, 0) * page
    consistent = (table.elemsize > 0) & (table.elemsize <= size)
    consistent &= (table.nelems > 0) & (table.nelems <= _NELEMS_LIMIT)
    slots = np.where(consistent, table.nelems, 0) * np.where(consistent, table.elemsize, 0)
    consistent &= (slots <= size) & _filled(table, size, size - slots)
    consistent &= (table.freeindex <= table.nelems) & (table.alloc_count <= table.nelems)
    good &= (table.state == dead) | sized
    good &= (table.state != in_use) | consistent
    kept = table.take(good, table.address[~good])
    return _disjoint(kept.take(np.argsort(kept.base, kind="stable")), layout)


def _in_arenas(table: SpanTable, arenas: Sequence[Bounds], page: int) -> NDArray[np.bool_]:
    """Of each span, whether it lies in one piece of the arenas, which are neighbours as a rule."""
    lows = np.array([low for low, _ in arenas] or [0], np.uint64)
    highs = np.array([high for _, high in arenas] or [0], np.uint64)
    at = np.maximum(np.searchsorted(lows, table.base, side="right") - 1, 0)
    room = np.where(table.base < highs[at], highs[at] - table.base, np.uint64(0))
    inside: NDArray[np.bool_] = (table.base >= lows[at]) & (
        table.npages <= (room // np.uint64(page)).astype(np.int64)
    )
    return inside


def _filled(table: SpanTable, size: Ints, rest: Ints) -> NDArray[np.bool_]:
    """Of each span in use, whether it has as many slots as its pages have room for: whether the
    `rest` of its `size` that is no slot is too small for one more.

    One large object takes all of them; what is set apart at a span's end is for a bitmap, a bit a
    word, and marks (initSpan, mheap.go; userArenaChunkReserveBytes, arena.go; Go 1.21 to 1.27).
    """
    apart = size // 64 + _INLINE_MARKS
    filled: NDArray[np.bool_] = rest - apart < np.where(table.spanclass > 1, table.elemsize, 1)
    return filled


def _disjoint(table: SpanTable, layout: Layout) -> SpanTable:
    """Without spans that claim pages of others: no two live spans share any. Of those that do as
    many are kept as can be: one that claims too much goes, not all that it lies over."""
    alive = table.state != layout.constants["mSpanDead"]
    rows = np.flatnonzero(alive)
    ends = table.base[rows] + (table.npages[rows] * layout.constants["_PageSize"]).astype(np.uint64)
    before = np.maximum.accumulate(np.concatenate((np.zeros(1, np.uint64), ends)))[: len(rows)]
    heads = table.base[rows] >= before
    if heads.all():
        return table
    good = np.ones(len(table), bool)
    group = np.cumsum(heads)
    crowded = np.flatnonzero(np.bincount(group)[group] > 1)
    order = crowded[np.argsort(ends[crowded], kind="stable")]
    taken = 0
    for row, base, end in zip(
        rows[order].tolist(), table.base[rows[order]].tolist(), ends[order].tolist(), strict=True
    ):
        if base >= taken:
            taken = end
        else:
            good[row] = False
    return table.take(good, table.address[~good])
