"""Every allocated object of the heap, numbered in address order, and whose address is whose.

Objects have numbers 0 to n - 1; slots (see Allocation) are where they might be. Both follow the
order of addresses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.process.memory.copies import Words
from goprobe.runtime.heap.allocated import Allocation
from goprobe.runtime.heap.grouping import distinct
from goprobe.runtime.heap.spantable import Ints, SpanTable

Ids = NDArray[np.int32]

# In place of an object's row: why none lies at an address.
NOT_HEAP, FREE_SPAN, MANUAL_SPAN, FREE_SLOT, SPAN_TAIL = -1, -2, -3, -4, -5
_PART = 1 << 15  # rows: numbers of them stay in the processor's cache, and are no new memory
_ARENA_BITS = 26  # logHeapArenaBytes on linux/amd64, runtime/malloc.go, Go 1.21 to 1.27
_TOP_LIMIT = 1 << 22
_SLOT_BITS = 64


def parts_of(count: int) -> Iterator[slice]:
    """Rows 0 to `count` a part at a time: what is worked out of each takes little memory."""
    for first in range(0, count, _PART):
        yield slice(first, min(first + _PART, count))


class Objects(msgspec.Struct, frozen=True):
    """`span` is the row of each object's span, `base` its address; sizes are the spans'."""

    spans: SpanTable
    allocated: Allocation
    span: Ids
    base: Words
    before: Ids
    """How many objects lie before each 64 slots."""

    def __len__(self) -> int:
        return len(self.base)

    @property
    def size(self) -> Ints:
        """Bytes of each object, rounded up to its size class."""
        return self.spans.elemsize[self.span]

    def parts(self) -> Iterator[slice]:
        """All objects, some at a time."""
        yield from parts_of(len(self))

    def size_of(self, part: slice | Ids | Ints | NDArray[np.bool_]) -> Ints:
        """As `size`, of some."""
        return self.spans.elemsize[self.span[part]]

    @property
    def noscan(self) -> NDArray[np.bool_]:
        noscan: NDArray[np.bool_] = self.spans.spanclass & 1 != 0
        return noscan[self.span]

    def of_slots(self, slots: Ints) -> Ids:
        """The numbers of the objects in slots that are allocated."""
        before: Ids = self.before[slots // _SLOT_BITS] + self.allocated.before_in_word(slots)
        return before.astype(np.int32)


def number_objects(spans: SpanTable, allocated: Allocation) -> Objects:
    """Number what is allocated in `spans`, which are in use and in address order."""
    span = np.repeat(np.arange(len(spans), dtype=np.int32), allocated.counts)
    base = np.empty(len(span), np.uint64)
    done = 0
    for part in parts_of(allocated.slots):
        words = slice(part.start // _SLOT_BITS, part.stop // _SLOT_BITS)
        slots = np.flatnonzero(allocated.mask(words)) + part.start
        own = slice(done, done + len(slots))
        done += len(slots)
        row = span[own]
        index = slots - allocated.first[row] * _SLOT_BITS
        base[own] = spans.base[row] + (index * spans.elemsize[row]).astype(np.uint64)
    return Objects(spans, allocated, span, base, allocated.before())


class Resolver:
    """Says of many addresses at once which object each points into.

    `manual` are the spans of stacks. `arenas` are [low, high) of the heap's arenas. `left_out`
    are spans whose objects are not looked at: pointers to them lead out of the heap.
    """

    def __init__(
        self,
        objects: Objects,
        manual: SpanTable,
        arenas: Sequence[tuple[int, int]],
        page: int,
        left_out: SpanTable | None = None,
    ) -> None:
        self._objects = objects
        spans = objects.spans
        self._page_bits = np.uint64(page.bit_length() - 1)
        others = [manual] if left_out is None else [manual, left_out]
        bases = np.concatenate([spans.base, *(s.base for s in others)])
        pages = np.concatenate([spans.npages, *(s.npages for s in others)])
        self._means = np.concatenate(
            (
                np.arange(len(spans), dtype=np.int32),
                np.full(len(manual), MANUAL_SPAN, np.int32),
                np.full(len(bases) - len(spans) - len(manual), NOT_HEAP, np.int32),
            )
        )
        ends = bases + (pages * page).astype(np.uint64)
        lows = np.array([low for low, _ in arenas], np.uint64)
        highs = np.array([high for _, high in arenas], np.uint64)
        every_low, every_high = np.concatenate((lows, bases)), np.concatenate((highs, ends))
        self.low = int(every_low.min(initial=(1 << 64) - 1))
        self.high = int(every_high.max(initial=0))
        self._build(bases, pages, lows, highs)
        self._elemsize = spans.elemsize.astype(np.uint64)
        large = spans.spanclass <= 1
        # The runtime divides likewise (mspan.divMul): exact for offsets within a small span.
        magic = np.uint64(0xFFFF_FFFF) // np.maximum(self._elemsize, np.uint64(1)) + np.uint64(1)
        self._divide = np.where(large, np.uint64(0), magic)
        self._first = objects.allocated.first[:-1] * _SLOT_BITS

    def _build(self, bases: Words, pages: Ints, lows: Words, highs: Words) -> None:
        """Two tables, as in the runtime: from address bits to a block of pages, then to spans."""
        shift = np.uint64(_ARENA_BITS)
        last = bases + (pages.astype(np.uint64) << self._page_bits) - np.uint64(1)
        begin = np.concatenate((lows, bases)) >> shift
        end = np.concatenate((highs - np.uint64(1), last)) >> shift
        several = [
            np.arange(a, b + 1, dtype=np.uint64)
            for a, b in zip(begin[begin != end].tolist(), end[begin != end].tolist(), strict=True)
            if b - a < _TOP_LIMIT
        ]
        blocks = distinct(np.concatenate((begin[begin == end], *several)))
        self._bottom = int(blocks.min(initial=0))
        reach = int(blocks.max(initial=0)) - self._bottom + 1
        if reach > _TOP_LIMIT:
            blocks = blocks[blocks - np.uint64(self._bottom) < np.uint64(_TOP_LIMIT)]
            reach = _TOP_LIMIT
        per_block = 1 << _ARENA_BITS - int(self._page_bits)
        self._per_block = per_block
        self._top = np.full(reach + 1, len(blocks), np.int32)
        self._top[(blocks - np.uint64(self._bottom)).astype(np.int64)] = np.arange(len(blocks))
        table = np.full((len(blocks) + 1) * per_block, FREE_SPAN, np.int32)
        table[-per_block:] = NOT_HEAP
        owner = np.repeat(np.arange(len(bases)), pages)
        nth = np.arange(len(owner)) - np.repeat(np.cumsum(pages) - pages, pages)
        page = (bases >> self._page_bits).astype(np.int64)[owner] + nth
        table[self._entry(page.astype(np.uint64) << self._page_bits)] = self._means[owner]
        self._pages = table

    def _entry(self, address: Words) -> Ints:
        block = (address >> np.uint64(_ARENA_BITS)).astype(np.int64) - self._bottom
        block = np.where((block >= 0) & (block < len(self._top) - 1), block, len(self._top) - 1)
        within = (address >> self._page_bits).astype(np.int64) & (self._per_block - 1)
        return self._top[block].astype(np.int64) * self._per_block + within

    @property
    def tables(self) -> tuple[Ids, int, Ids, int, int]:
        """By which `resolve` goes: for a loop."""
        return self._top, self._bottom, self._pages, int(self._page_bits), self._per_block

    @property
    def divide(self) -> Ints:
        """By which to multiply an offset in each span, and shift by 32: the number of the slot."""
        return self._divide.view(np.int64)

    def span_of(self, address: Words) -> Ids:
        """The row of the span in use that covers each address; else a negative reason."""
        return self._pages[self._entry(address)]

    def resolve(self, address: Words) -> tuple[Ids, Ints]:
        """The object that each address points into, and the offset in it.

        Where there is none: NOT_HEAP, FREE_SPAN, MANUAL_SPAN, FREE_SLOT or SPAN_TAIL.
        """
        objects, offset = np.empty(len(address), np.int32), np.empty(len(address), np.int64)
        for part in parts_of(len(address)):
            objects[part], offset[part] = self._resolved(address[part])
        return objects, offset

    def _resolved(self, address: Words) -> tuple[Ids, Ints]:
        span = self.span_of(address)
        in_span = span >= 0
        row = np.where(in_span, span, 0)
        spans = self._objects.spans
        if not len(spans):
            return span, np.zeros(len(address), np.int64)
        into = np.where(in_span, address - spans.base[row], np.uint64(0))
        index = (into * self._divide[row]) >> np.uint64(32)
        offset = (into - index * self._elemsize[row]).astype(np.int64)
        index = index.astype(np.int64)
        inside = index < spans.nelems[row]
        slot = self._first[row] + np.where(inside, index, 0)
        live = self._objects.allocated.has(slot)
        objects = np.where(live, self._objects.of_slots(slot), FREE_SLOT)
        objects = np.where(inside, objects, SPAN_TAIL)
        return np.where(in_span, objects, span).astype(np.int32), offset
