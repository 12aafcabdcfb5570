"""The census of the heap: what is allocated, by size class, and whether the count proves right.

Source: src/runtime/mheap.go, mstats.go (readmemstats_m), Go 1.21 to 1.27. Objects and bytes are
those of MemStats.HeapObjects and HeapAlloc: slots, so that several tiny objects in one slot of
16 bytes count once, and sizes as they were rounded up.
"""

from __future__ import annotations

import msgspec
import numpy as np

from goprobe.runtime.heap.allocated import Allocation, allocation
from goprobe.runtime.heap.grouping import distinct
from goprobe.runtime.heap.spantable import Bounds, HeapCopy, Ints, SpanTable, decode_spans
from goprobe.runtime.heap.totals import HeapTotals
from goprobe.runtime.layout.layout import Layout

# mspan.sweepgen less mheap_.sweepgen (mheap.go): cached are the spans that a P allocates from.
CACHED = 3
CACHED_UNSWEPT = 1
SWEEPING = -1
_UNSWEPT = -2


class ClassCount(msgspec.Struct, frozen=True):
    """The spans of one size class, scannable or not. `size` is 0 for large objects' spans.

    `bytes` are the allocated objects', `free` what is left in slots and tails.
    """

    size: int
    noscan: bool
    objects: int
    bytes: int
    spans: int
    slots: int
    free: int


class Mismatch(msgspec.Struct, frozen=True):
    """A span whose allocated slots do not number what the runtime counted (allocCount). `settled`:
    nothing was under way in it that would explain it."""

    span: int
    base: int
    counted: int
    expected: int
    why: str
    settled: bool


class Census(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes. `free_bytes` lie in spans in use: free slots and tails.

    `spans` are those in use; `manual` ones hold stacks and other memory that the runtime manages by
    hand; `dead` mspans wait for use. `unswept` spans still count garbage that the last cycle found.
    `totals` are the runtime's own sums of the same moment, `arenas` where the heap lies.
    """

    spans: SpanTable
    allocated: Allocation
    classes: tuple[ClassCount, ...]
    objects: int
    bytes: int
    span_bytes: int
    manual: SpanTable
    manual_bytes: int
    dead_spans: int
    tiny_slots: int
    unswept: int
    mismatches: tuple[Mismatch, ...]
    unreadable: tuple[int, ...]
    totals: HeapTotals
    sweepgen: int
    page: int
    arenas: tuple[Bounds, ...]

    @property
    def free_bytes(self) -> int:
        return self.span_bytes - self.bytes


def count(copy: HeapCopy, layout: Layout) -> Census:
    """Everything that the copy tells; needs the target no more."""
    constants = layout.constants
    page = constants["_PageSize"]
    every = decode_spans(copy, layout)
    spans = every.take(every.state == constants["mSpanInUse"])
    manual = every.take(every.state == constants["mSpanManual"])
    allocated = allocation(spans, copy.bits)
    classes = _classes(spans, allocated.counts, page)
    tiny = spans.spanclass == constants["tinySpanClass"]
    return Census(
        spans=spans,
        allocated=allocated,
        classes=classes,
        objects=int(allocated.counts.sum()),
        bytes=int((allocated.counts * spans.elemsize).sum()),
        span_bytes=int(spans.npages.sum()) * page,
        manual=manual,
        manual_bytes=int(manual.npages.sum()) * page,
        dead_spans=int((every.state == constants["mSpanDead"]).sum()),
        tiny_slots=int(allocated.counts[tiny].sum()),
        unswept=int((phase(spans, copy.sweepgen) == _UNSWEPT).sum()),
        mismatches=_mismatches(spans, allocated, copy.sweepgen),
        unreadable=every.unreadable,
        totals=copy.totals,
        sweepgen=copy.sweepgen,
        page=page,
        arenas=copy.arenas,
    )


def _classes(spans: SpanTable, counts: Ints, page: int) -> tuple[ClassCount, ...]:
    order = distinct(spans.spanclass)
    row = np.searchsorted(order, spans.spanclass)
    sums = [
        np.bincount(row, weights=column, minlength=len(order)).astype(np.int64).tolist()
        for column in (
            np.ones(len(spans), np.int64),
            counts,
            counts * spans.elemsize,
            spans.nelems,
            spans.npages * page,
        )
    ]
    sizes = dict(zip(spans.spanclass.tolist(), spans.elemsize.tolist(), strict=True))
    classes = []
    for spanclass, n, objects, used, slots, size in zip(order.tolist(), *sums, strict=True):
        small = spanclass >> 1 != 0
        classes.append(
            ClassCount(
                sizes[spanclass] if small else 0,
                bool(spanclass & 1),
                objects,
                used,
                n,
                slots,
                size - used,
            )
        )
    return tuple(classes)


def phase(spans: SpanTable, sweepgen: int) -> Ints:
    """Each span's sweepgen less the heap's, as the signed 32-bit number that it is."""
    return (spans.sweepgen - sweepgen + (1 << 31)) % (1 << 32) - (1 << 31)


def _mismatches(spans: SpanTable, allocated: Allocation, sweepgen: int) -> tuple[Mismatch, ...]:
    off = allocated.counts - spans.alloc_count
    wrong = np.flatnonzero((off != 0) | ~allocated.readable)
    step = phase(spans, sweepgen)
    # nextFreeFast (malloc.go) moves freeindex on, and counts in its next instruction.
    under_way = (step == SWEEPING) | ((step == CACHED) & (np.abs(off) == 1))
    return tuple(
        Mismatch(
            span=int(spans.address[i]),
            base=int(spans.base[i]),
            counted=int(allocated.counts[i]),
            expected=int(spans.alloc_count[i]),
            why=_why(int(step[i]), bool(allocated.readable[i])),
            settled=not (allocated.readable[i] and under_way[i]),
        )
        for i in wrong.tolist()
    )


def _why(phase: int, readable: bool) -> str:
    if not readable:
        return "its allocation bits cannot be read"
    if phase == SWEEPING:
        return "it was being swept at that moment"
    if phase == CACHED:
        return "a thread was allocating from it at that moment"
    return "unexplained"
