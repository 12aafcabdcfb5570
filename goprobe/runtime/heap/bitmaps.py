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
from goprobe.runtime.heap.heap import Heap
from goprobe.runtime.heap.spantable import Ints, SpanTable
from goprobe.runtime.heap.typemasks import TypeMasks
from goprobe.runtime.heap.words import ABSENT, HeapWords
from goprobe.runtime.layout.layout import Layout

_WORD = 8
_BATCH_WORDS = 1 << 18
_BITS = 64
_MASK_BYTES = 16


class Pointers(msgspec.Struct, frozen=True):
    """Words that are not nil and that the runtime takes for pointers.

    `slot` is the object's (see Allocation), `offset` the word's within the object in words,
    `value` what it holds.
    """

    slot: Ints
    offset: Ints
    value: Words


class HeapContents(msgspec.Struct, frozen=True):
    """The heap of one moment: spans in use, what of them is allocated, their words."""

    spans: SpanTable
    allocated: Allocation
    live: NDArray[np.bool_]
    words: HeapWords


class PointerMaps(Protocol):
    """One design of pointer maps."""

    def pointers(self, heap: HeapContents) -> Iterator[Pointers]:
        """Every pointer word of every allocated object, in batches of bounded size."""

    def types(self, heap: HeapContents) -> tuple[Ints, Words]:
        """Slots of objects that carry their type, and the types' addresses."""

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


def _batches(rows: Ints, words: Ints) -> Iterator[Ints]:
    """Rows in runs of at most `_BATCH_WORDS` words together, at least one row each."""
    if not len(rows):
        return
    total = np.cumsum(words)
    first = 0
    while first < len(rows):
        before = int(total[first - 1]) if first else 0
        until = int(np.searchsorted(total, before + _BATCH_WORDS, side="right"))
        until = max(until, first + 1)
        yield rows[first:until]
        first = until


def _unpacked(rows: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(np.unpackbits(rows, axis=1, bitorder="little").view(np.bool_), bool)


def _present(heap: HeapContents) -> NDArray[np.bool_]:
    return np.asarray(heap.words.start != ABSENT)


def _from_bits(
    heap: HeapContents, rows: Ints, words: NDArray[np.uint64], bits: NDArray[np.bool_]
) -> Pointers:
    """Pointers of equally long spans: `words` and `bits` have a line for each of `rows`."""
    flat = np.flatnonzero(bits)
    value = words.ravel()[flat]
    filled = value != 0
    flat, value = flat[filled], value[filled]
    row, within = np.divmod(flat, words.shape[1])
    span = rows[row]
    size = heap.spans.elemsize[span] // _WORD
    index = within // size
    in_slot = index < heap.spans.nelems[span]
    slot = heap.allocated.first[span] * 64 + np.where(in_slot, index, 0)
    in_slot &= heap.live[slot]
    return Pointers(slot[in_slot], (within - index * size)[in_slot], value[in_slot])


class ArenaMaps:
    """heapArena.bitmap: a bit for each word."""

    def __init__(self, memory: Memory, layout: Layout, heap: Heap) -> None:
        self._memory = memory
        self._offset = layout.offset("heapArena", "bitmap")
        self._page = layout.constants["_PageSize"]
        self._heap = heap

    def types(self, heap: HeapContents) -> tuple[Ints, Words]:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)

    def pointers(self, heap: HeapContents) -> Iterator[Pointers]:
        spans = heap.spans
        chosen = _present(heap) & (spans.spanclass & 1 == 0)
        for pages in np.unique(spans.npages[chosen]).tolist():
            rows = np.flatnonzero(chosen & (spans.npages == pages))
            size = pages * self._page // _WORD
            for batch in _batches(rows, np.full(len(rows), size)):
                at = heap.words.start[batch][:, None] + np.arange(size)
                bits = self._bits(spans.base[batch].tolist(), size)
                yield _from_bits(heap, batch, heap.words.words[at], bits)

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

    def _bits(self, bases: list[int], size: int) -> NDArray[np.bool_]:
        ranges = [r for base in bases for r in self._ranges(base, size)]
        parts = self._memory.read_many(ranges)
        joined = b"".join(
            bytes(n) if part is None else part for (_, n), part in zip(ranges, parts, strict=True)
        )
        raw = np.frombuffer(joined, np.uint8).reshape(len(bases), -1)
        return _unpacked(raw)[:, :size]

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
        self._masks = TypeMasks(memory, layout)

    def _small(self, heap: HeapContents) -> NDArray[np.bool_]:
        spans = heap.spans
        scan = _present(heap) & (spans.spanclass > 1)
        return scan & (spans.elemsize <= self._in_span)

    def _headed(self, heap: HeapContents) -> NDArray[np.bool_]:
        spans = heap.spans
        return _present(heap) & (spans.spanclass > 1) & (spans.elemsize > self._in_span)

    def _large(self, heap: HeapContents) -> NDArray[np.bool_]:
        spans = heap.spans
        return np.asarray(_present(heap) & (spans.spanclass == 0) & (spans.large_type != 0), bool)

    def pointers(self, heap: HeapContents) -> Iterator[Pointers]:
        yield from self._of_small(heap)
        yield from self._of_headed(heap)
        yield from self._of_large(heap)

    # Up to 512 bytes: a bitmap in the span

    def _of_small(self, heap: HeapContents) -> Iterator[Pointers]:
        spans, small = heap.spans, self._small(heap)
        inline = self._uses_inline_marks(spans)
        for pages in np.unique(spans.npages[small]).tolist():
            size = pages * self._page // _WORD
            for marks in (False, True):
                rows = np.flatnonzero(small & (spans.npages == pages) & (inline == marks))
                end = size - (self._inline if marks else 0)
                for batch in _batches(rows, np.full(len(rows), size)):
                    at = heap.words.start[batch][:, None] + np.arange(size)
                    words = heap.words.words[at]
                    raw = np.ascontiguousarray(words[:, end - size // 64 : end])
                    yield _from_bits(heap, batch, words, _unpacked(raw.view(np.uint8)))

    def _uses_inline_marks(self, spans: SpanTable) -> NDArray[np.bool_]:
        """Of each span, whether mark bits lie between its bitmap and its end."""
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
        spans = heap.spans
        size = spans.elemsize[rows] // _WORD
        marks = np.where(self._uses_inline_marks(spans)[rows], self._inline, 0)
        whole = spans.npages[rows] * (self._page // _WORD)
        first = heap.words.start[rows] + whole - marks - whole // _BITS
        bit = index * size
        at = np.minimum(first + bit // _BITS, max(len(heap.words.words) - 1, 0))
        low = heap.words.words[at]
        high = heap.words.words[np.minimum(at + 1, len(heap.words.words) - 1)]
        return _shifted(low, high, bit % _BITS, size)

    # Above 512 bytes: a type before the object

    def types(self, heap: HeapContents) -> tuple[Ints, Words]:
        slots, _, _, headers = self._headers(heap)
        rows = np.flatnonzero(self._large(heap))
        large = heap.allocated.first[rows] * 64
        live = heap.live[large]
        return (
            np.concatenate((slots, large[live])),
            np.concatenate((headers, heap.spans.large_type[rows][live])),
        )

    def _headers(self, heap: HeapContents) -> tuple[Ints, Ints, Ints, Words]:
        """Of every object with a header: slot, first word's place, size in words, type."""
        spans = heap.spans
        rows = np.flatnonzero(self._headed(heap))
        counts = spans.nelems[rows]
        owner = np.repeat(rows, counts)
        index = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        slot = heap.allocated.first[owner] * 64 + index
        live = heap.live[slot]
        owner, index, slot = owner[live], index[live], slot[live]
        size = spans.elemsize[owner] // _WORD
        place = heap.words.start[owner] + index * size
        return slot, place, size, heap.words.words[place]

    def _of_headed(self, heap: HeapContents) -> Iterator[Pointers]:
        slot, place, size, header = self._headers(heap)
        order = np.lexsort((size, header))
        pairs = np.stack((header[order], size[order].astype(np.uint64)))
        cuts = np.flatnonzero((pairs[:, 1:] != pairs[:, :-1]).any(axis=0)) + 1
        for rows in np.split(order, cuts) if len(order) else ():
            words = int(size[rows[0]])
            offsets = self._repeated(int(header[rows[0]]), words - self._header) + self._header
            for part in _batches(rows, np.full(len(rows), max(len(offsets), 1))):
                yield _gathered(heap, slot[part], place[part], offsets)

    def _of_large(self, heap: HeapContents) -> Iterator[Pointers]:
        spans = heap.spans
        for row in np.flatnonzero(self._large(heap)).tolist():
            slot = int(heap.allocated.first[row]) * 64
            if not heap.live[slot]:
                continue
            mask = self._masks.of(int(spans.large_type[row]))
            if not mask.words or not len(mask.pointers):
                continue
            yield from _strided(
                heap,
                slot,
                int(heap.words.start[row]),
                int(spans.elemsize[row]) // _WORD,
                mask.words,
                mask.pointers,
            )

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


def _gathered(heap: HeapContents, slot: Ints, place: Ints, offsets: Ints) -> Pointers:
    """The words at the same offsets of several objects."""
    values = heap.words.words[place[:, None] + offsets[None, :]]
    row, column = np.nonzero(values)
    return Pointers(slot[row], offsets[column], values[row, column])


def _strided(
    heap: HeapContents, slot: int, place: int, words: int, stride: int, pointers: Ints
) -> Iterator[Pointers]:
    """The pointers of one large object, a batch of elements at a time."""
    per_batch = max(_BATCH_WORDS // stride, 1)
    for first in range(0, words, stride * per_batch):
        count = min(-(-(words - first) // stride), per_batch)
        offsets = (first + np.arange(count, dtype=np.int64)[:, None] * stride + pointers).ravel()
        offsets = offsets[offsets < words]
        values = heap.words.words[place + offsets]
        filled = values != 0
        positions = offsets[filled]
        yield Pointers(np.full(len(positions), slot, np.int64), positions, values[filled])
