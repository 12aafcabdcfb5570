"""The heap's bookkeeping as a whole: copied inside a stop, counted after it, held against the sums
that the runtime keeps.

    books = Bookkeeping.of(layout, roots, bias)
    rehearsed = books.copy(memory)          # while the target runs: where everything lies
    copy = books.copy(memory, rehearsed)    # while it stands: as fast as memory can be copied
    census = books.count(copy)              # when it runs again

A stop may fall between two instructions of an allocation: a span is in use a little before it is
counted, and until a little after it is counted no more (allocSpan and freeSpanLocked, mheap.go),
and has no objects then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import numpy as np

from goprobe.process.memory.memory import Memory
from goprobe.runtime.heap.census import CACHED, CACHED_UNSWEPT, SWEEPING, Census, count, phase
from goprobe.runtime.heap.spantable import HeapCopy, copy_again, copy_heap
from goprobe.runtime.heap.totals import HeapRoots
from goprobe.runtime.layout.layout import Layout

_AT_ONCE = 4096  # objects that threads may be about to count: spans of four, of up to 1,024 each


class Bookkeeping(msgspec.Struct, frozen=True):
    """Where a program keeps it, and how it is laid out."""

    layout: Layout
    roots: HeapRoots

    @classmethod
    def of(cls, layout: Layout, roots: Mapping[str, int], bias: int = 0) -> Bookkeeping:
        """Raises KeyError where mheap_ is unknown."""
        return cls(layout, HeapRoots.of(roots, bias))

    def copy(self, memory: Memory, rehearsed: HeapCopy | None = None) -> HeapCopy:
        """Every span and its allocation bits, in about ten reads.

        Takes over the memory of `rehearsed`; what a collection has moved since is then missing,
        and counts as unreadable. Raises UnreadableError.
        """
        if rehearsed is None:
            return copy_heap(memory, self.layout, self.roots)
        return copy_again(memory, self.layout, self.roots, rehearsed)

    def count(self, copy: HeapCopy) -> Census:
        """Everything that the copy tells; needs the target no more."""
        return count(copy, self.layout)


def at_rest(census: Census) -> bool:
    """Whether nothing was under way when it was copied: every span has as many objects as were
    counted in it, and all sums are the same, to the byte."""
    return not census.mismatches and not any(_differences(census)[:3])


def disagreements(census: Census) -> Iterator[str]:
    """What of the census cannot be, by the runtime's own sums, even with work under way."""
    spans, manual, objects, unsettled = _differences(census)
    totals = census.totals
    if not 0 <= spans <= _empty_bytes(census):
        yield (
            f"{census.span_bytes:,} bytes of spans in use were found, the runtime has "
            f"{totals.span_bytes:,} (mheap_.pagesInUse)"
        )
    if manual and manual not in (census.manual.npages * census.page).tolist():
        yield (
            f"{census.manual_bytes:,} bytes of stacks and such were found, the runtime has "
            f"{totals.manual_bytes:,} (memstats.heapStats)"
        )
    if abs(objects) > unsettled + _AT_ONCE:
        yield (
            f"{totals.objects + objects:,} objects were found, the runtime has counted "
            f"{totals.objects:,} (memstats.heapStats)"
        )


def _differences(census: Census) -> tuple[int, int, int, int]:
    """Found less counted, of bytes in use, of bytes of manual spans and of objects; and how many
    objects are in spans that were being swept. 0 where there is nothing to compare."""
    spans, totals = census.spans, census.totals
    in_use = census.span_bytes - totals.span_bytes
    manual = census.manual_bytes - totals.manual_bytes if totals.manual_bytes >= 0 else 0
    step = phase(spans, census.sweepgen)
    cached = (step == CACHED) | (step == CACHED_UNSWEPT)
    # A thread counts what it took from a span when it gives the span back.
    taken = int((spans.alloc_count - spans.counted_before)[cached].sum())
    # A chunk of an arena counts as freed when it is given back, whatever still points at it
    # (setUserArenaChunkToFault, arena.go): it is noscan then.
    given_back = (spans.user_arena != 0) & (spans.spanclass == 1)
    counted = int(spans.alloc_count.sum()) - taken - int(spans.alloc_count[given_back].sum())
    objects = counted - totals.objects if totals.objects >= 0 else 0
    return in_use, manual, objects, int(spans.nelems[step == SWEEPING].sum())


def _empty_bytes(census: Census) -> int:
    empty = (census.spans.alloc_count == 0) & (census.allocated.counts == 0)
    return int(np.where(empty, census.spans.npages, 0).sum()) * census.page
