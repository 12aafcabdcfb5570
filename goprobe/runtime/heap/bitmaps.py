"""Every word of the heap that may hold a pointer, by the runtime's own pointer maps.

The runtime has had three designs; each is one strategy, chosen once by what its structures declare:

- heapArena.bitmap, a bit for each word of the arena (Go 1.21; src/runtime/mbitmap.go). The bits
  behind an object's last pointer are written as zeros, which is what noMorePtrs abbreviates.
- Since Go 1.22: up to 512 bytes a bitmap at the end of the span (heapBitsInSpan); above that a word
  before the object with its type; for large objects mspan.largeType. A type's mask repeats over the
  whole object (typePointers.next).
- The same with the Green Tea collector's mark bits behind the bitmap (spanInlineMarkBits, an
  experiment in 1.25, default since 1.26; src/runtime/mgcmark_greenteagc.go): which spans have them
  is written in heapArena.pageUseSpanInlineMarkBits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.errors import UnreadableError
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import Memory
from goprobe.runtime.heap.allocated import Allocation
from goprobe.runtime.heap.grouping import by_key, distinct
from goprobe.runtime.heap.heap import Heap
from goprobe.runtime.heap.spantable import Ints, SpanTable
from goprobe.runtime.heap.typemasks import TypeMasks
from goprobe.runtime.heap.words import HeapWords, WordPart
from goprobe.runtime.layout.layout import Layout

_WORD = 8
_BITS = 64
_MASK_BYTES = 16
_AT_ONCE = 1 << 16  # words: more numbers than that get new memory each time

Flags = NDArray[np.bool_]


class HeapContents(msgspec.Struct, frozen=True):
    """The heap of one moment: spans in use, what of them is allocated, their words."""

    spans: SpanTable
    allocated: Allocation
    words: HeapWords


class PointerMaps(Protocol):
    """One design of pointer maps."""

    def mark(self, heap: HeapContents, part: WordPart, flags: Flags) -> None:
        """Sets the `flags` of those words of a part that may hold pointers, one for each word; what
        is no allocated object is marked at will."""

    def types(self, heap: HeapContents, part: WordPart) -> tuple[Ints, Words]:
        """Slots of objects that begin in a part and carry their type, and the types' addresses."""

    def masks(self, heap: HeapContents, rows: Ints, index: Ints) -> Words:
        """Of objects of at most 64 words, in spans with pointers: a bit for each word that may
        hold one. `rows` are their spans, `index` their numbers in them."""


def pointer_maps(memory: Memory, layout: Layout, heap: Heap) -> PointerMaps:
    """The design that this runtime declares."""
    # Up to Go 1.21 each arena has one bitmap for all of its words. Since then small objects have
    # bits at their span's end, larger ones their type in a word before them (mbitmap.go).
    if layout.has("heapArena", "bitmap"):
        return ArenaMaps(memory, layout, heap)
    return SpanMaps(memory, layout, heap)


def _pieces(heap: HeapContents, part: WordPart) -> Iterator[tuple[int, int, int]]:
    """Of each span of a part the row, and the words that the part has of it."""
    rows = part.rows
    begin = np.maximum(heap.words.start[rows], part.low)
    size = heap.spans.npages[rows] * heap.words.page_words
    end = np.minimum(heap.words.start[rows] + size, part.high)
    yield from zip(rows.tolist(), begin.tolist(), end.tolist(), strict=True)


def _put(flags: Flags, places: Ints, bits: NDArray[np.uint8], page_words: int) -> None:
    """Bits of whole pages, one behind the other, whose first words lie at some places."""
    lines = flags.reshape(-1, page_words)
    lines[places // page_words] = bits.view(np.bool_).reshape(-1, page_words)


class ArenaMaps:
    """heapArena.bitmap: a bit for each word."""

    def __init__(self, memory: Memory, layout: Layout, heap: Heap) -> None:
        self._memory = memory
        self._offset = layout.offset("heapArena", "bitmap")
        self._heap = heap

    def types(self, heap: HeapContents, part: WordPart) -> tuple[Ints, Words]:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)

    def mark(self, heap: HeapContents, part: WordPart, flags: Flags) -> None:
        ranges: list[tuple[int, int]] = []
        pages: list[Ints] = []
        for row, low, high in _pieces(heap, part):
            base = int(heap.spans.base[row]) + (low - int(heap.words.start[row])) * _WORD
            ranges += self._ranges(base, high - low)
            pages.append(np.arange(low - part.low, high - part.low, heap.words.page_words))
        joined = b"".join(
            bytes(n) if bits is None else bits
            for (_, n), bits in zip(ranges, self._memory.read_many(ranges), strict=True)
        )
        if joined:
            bits = np.unpackbits(np.frombuffer(joined, np.uint8), bitorder="little")
            _put(flags, np.concatenate(pages), bits, heap.words.page_words)

    def masks(self, heap: HeapContents, rows: Ints, index: Ints) -> Words:
        size = heap.spans.elemsize[rows]
        at = heap.spans.base[rows].astype(np.int64) + index * size
        ranges: list[tuple[int, int]] = []
        for address in at.tolist():  # an object lies in one arena, and each page in whole bytes
            arena = self._heap.arena_at(address)
            low = arena.address + self._offset + (address - arena.base) // 64 if arena else 0
            ranges.append((low, _MASK_BYTES))
        raw = b"".join(part or bytes(_MASK_BYTES) for part in self._memory.read_many(ranges))
        words = np.frombuffer(raw, np.uint64).reshape(-1, 2)
        return _shifted(words[:, 0], words[:, 1], at // _WORD % _BITS & 7, size // _WORD)

    def _ranges(self, base: int, size: int) -> Iterator[tuple[int, int]]:
        """Where the bits of a span lie: it may reach over several arenas."""
        end = base + size * _WORD
        while base < end:
            arena = self._heap.arena_at(base)
            until = min(end, arena.end) if arena else end
            low = arena.address + self._offset + (base - arena.base) // 64 if arena else 0
            yield low, (until - base) // 64
            base = until


class SpanMaps:
    """Bitmaps at the ends of spans, type headers, and types of large objects."""

    def __init__(self, memory: Memory, layout: Layout, heap: Heap) -> None:
        constants = layout.constants
        self._memory = memory
        self._heap = heap
        self._page = constants["_PageSize"]
        self._in_span = constants["minSizeForMallocHeader"]
        self._header = constants["mallocHeaderSize"] // _WORD
        inline = layout.structs.get("spanInlineMarkBits")
        declared = layout.has("heapArena", "pageUseSpanInlineMarkBits")
        self._inline = inline.size // _WORD if inline and declared else 0
        self._inline_at = (
            layout.offset("heapArena", "pageUseSpanInlineMarkBits") if self._inline else 0
        )
        self._inline_of: tuple[SpanTable, NDArray[np.bool_]] | None = None
        self._masks = TypeMasks(memory, layout)
        # The bitmaps of spans are kept: to read them anew, one reads the spans.
        self._bits = np.zeros(0, np.uint64)
        self._have = np.zeros(0, np.bool_)

    def _small(self, spans: SpanTable, rows: Ints) -> Ints:
        """Those of some spans."""
        return rows[(spans.spanclass[rows] > 1) & (spans.elemsize[rows] <= self._in_span)]

    def _headed(self, spans: SpanTable, rows: Ints) -> Ints:
        return rows[(spans.spanclass[rows] > 1) & (spans.elemsize[rows] > self._in_span)]

    def _large(self, heap: HeapContents, rows: Ints) -> Ints:
        """Those whose object is alive."""
        spans = heap.spans
        rows = rows[(spans.spanclass[rows] == 0) & (spans.large_type[rows] != 0)]
        return rows[heap.allocated.has(heap.allocated.first[rows] * _BITS)]

    def mark(self, heap: HeapContents, part: WordPart, flags: Flags) -> None:
        self._mark_small(heap, part, flags)
        self._mark_headed(heap, part, flags)
        self._mark_large(heap, part, flags)

    # Up to 512 bytes: a bitmap in the span

    def _mark_small(self, heap: HeapContents, part: WordPart, flags: Flags) -> None:
        spans, page = heap.spans, heap.words.page_words
        small = self._small(spans, part.rows)
        inline = self._uses_inline_marks(spans)
        if len(self._have) != len(spans):
            self._have = np.zeros(len(spans), np.bool_)
            self._bits = np.empty(len(heap.words.words) // _BITS, np.uint64)
        self._have[small] = True
        for pages in distinct(spans.npages[small]).tolist():
            size = pages * page
            for marks in (False, True):
                rows = small[(spans.npages[small] == pages) & (inline[small] == marks)]
                start = heap.words.start[rows]
                end = size - (self._inline if marks else 0)
                raw = heap.words.words[start[:, None] + np.arange(end - size // _BITS, end)]
                self._bits[(start // _BITS)[:, None] + np.arange(size // _BITS)] = raw
                bits = np.unpackbits(raw.view(np.uint8), bitorder="little")
                places = (start - part.low)[:, None] + np.arange(0, size, page)
                _put(flags, places.ravel(), bits, page)

    def _uses_inline_marks(self, spans: SpanTable) -> NDArray[np.bool_]:
        """Of each span, whether mark bits lie between its bitmap and its end."""
        known = self._inline_of
        if known is not None and known[0] is spans:
            return known[1]
        inline = self._read_inline_marks(spans)
        self._inline_of = (spans, inline)
        return inline

    def _read_inline_marks(self, spans: SpanTable) -> NDArray[np.bool_]:
        inline = np.zeros(len(spans), bool)
        if not self._inline:
            return inline
        for arena in self._heap.arenas:
            low, high = (
                int(np.searchsorted(spans.base, np.uint64(edge)))
                for edge in (arena.base, arena.end)
            )
            if low == high:
                continue
            pages = (arena.end - arena.base) // self._page
            try:
                raw = self._memory.read(arena.address + self._inline_at, pages // 8)
            except UnreadableError:
                continue
            bits = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little").view(np.bool_)
            page = (spans.base[low:high] - np.uint64(arena.base)) // np.uint64(self._page)
            inline[low:high] = bits[page.astype(np.int64)]
        return inline

    def masks(self, heap: HeapContents, rows: Ints, index: Ints) -> Words:
        if len(self._have) != len(heap.spans) or not self._have[rows].all():
            for part in heap.words.parts(distinct(rows)):
                self._mark_small(heap, part, np.zeros(part.high - part.low, np.bool_))
        size = heap.spans.elemsize[rows] // _WORD
        bit = index * size
        at = np.minimum(heap.words.start[rows] // _BITS + bit // _BITS, len(self._bits) - 1)
        following = np.minimum(at + 1, len(self._bits) - 1)
        return _shifted(self._bits[at], self._bits[following], bit % _BITS, size)

    # Above 512 bytes: a type before the object

    def types(self, heap: HeapContents, part: WordPart) -> tuple[Ints, Words]:
        slots, _, _, headers = self._headers(heap, part)
        rows = self._large(heap, part.rows)
        rows = rows[heap.words.start[rows] >= part.low]
        return (
            np.concatenate((slots, heap.allocated.first[rows] * _BITS)),
            np.concatenate((headers, heap.spans.large_type[rows])),
        )

    def _headers(self, heap: HeapContents, part: WordPart) -> tuple[Ints, Ints, Ints, Words]:
        """Of every object with a header: slot, first word's place, size in words, type."""
        spans = heap.spans
        rows = self._headed(spans, part.rows)
        counts = spans.nelems[rows]
        owner = np.repeat(rows, counts)
        index = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        slot = heap.allocated.first[owner] * _BITS + index
        live = heap.allocated.has(slot)
        owner, index, slot = owner[live], index[live], slot[live]
        size = spans.elemsize[owner] // _WORD
        place = heap.words.start[owner] + index * size
        return slot, place, size, heap.words.words[place]

    def _mark_headed(self, heap: HeapContents, part: WordPart, flags: Flags) -> None:
        _, place, size, header = self._headers(heap, part)
        for (words, rtype), rows in by_key(size, header):
            offsets = self._repeated(rtype, words - self._header) + self._header
            begin = place[rows] - part.low
            each = max(_AT_ONCE // max(len(offsets), 1), 1)
            for first in range(0, len(begin), each):
                flags[begin[first : first + each, None] + offsets] = True

    def _mark_large(self, heap: HeapContents, part: WordPart, flags: Flags) -> None:
        for row in self._large(heap, part.rows).tolist():
            mask = self._masks.of(int(heap.spans.large_type[row]))
            if not mask.words or not len(mask.pointers):
                continue
            start = int(heap.words.start[row])
            low, high = max(part.low - start, 0), part.high - start
            high = min(high, int(heap.spans.elemsize[row]) // _WORD)
            times = np.arange(low // mask.words, -(-high // mask.words)) * mask.words
            pointers = mask.pointers
            if len(times) == 1:  # a very large type: only those of this part
                within = np.searchsorted(pointers, (low - times[0], high - times[0]))
                pointers = pointers[within[0] : within[1]]
            offsets = (times[:, None] + pointers).ravel()
            offsets = offsets[(offsets >= low) & (offsets < high)]
            flags[offsets + (start - part.low)] = True

    def _repeated(self, rtype: int, words: int) -> Ints:
        """Offsets of the pointers in an object of so many words."""
        mask = self._masks.of(rtype)
        if not mask.words or not len(mask.pointers):
            return mask.pointers
        times = -(-words // mask.words)
        starts = np.arange(times, dtype=np.int64)[:, None] * mask.words
        offsets: Ints = (starts + mask.pointers[None, :]).ravel()
        return offsets[offsets < words]


def _shifted(low: Words, high: Words, shift: Ints, count: Ints) -> Words:
    """`count` bits of two words each, from bit `shift` on."""
    by = shift.astype(np.uint64)
    # A shift by the width of a word is not defined.
    upper = np.where(shift > 0, high << (np.uint64(_BITS) - np.maximum(by, np.uint64(1))), high * 0)
    ones = np.uint64(0xFFFF_FFFF_FFFF_FFFF) >> (_BITS - np.clip(count, 1, _BITS)).astype(np.uint64)
    shifted: Words = (low >> by | upper) & ones
    return shifted
