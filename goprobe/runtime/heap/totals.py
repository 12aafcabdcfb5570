"""What the runtime itself has counted of its heap: sums to hold a census against.

Source: src/runtime/mheap.go (allocSpan, freeSpanLocked), mstats.go (heapStatsDelta), mcache.go
(refill, releaseAll), mgcsweep.go; Go 1.21 to 1.27. None of it is needed for counting, so that it is
an independent witness: it does not go by mheap_.allspans, nor by any span.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from goprobe.arch.registers import signed
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.heap.heapstats import read_heap_stats
from goprobe.runtime.layout.layout import Layout


class HeapRoots(msgspec.Struct, frozen=True):
    """Where the heap's globals are in the process; `memstats` is 0 where that is not known."""

    mheap: int
    memstats: int = 0

    @classmethod
    def of(cls, roots: Mapping[str, int], bias: int = 0) -> HeapRoots:
        """Raises KeyError where mheap_ itself is unknown."""
        memstats = roots.get("memstats")
        return cls(roots["mheap_"] + bias, memstats + bias if memstats else 0)


class HeapTotals(msgspec.Struct, frozen=True):
    """Sizes in bytes. `span_bytes` are in spans in use (mheap_.pagesInUse).

    `manual_bytes` are in spans of stacks and work buffers, and `objects` what was allocated and not
    yet swept, without what threads have taken from the spans that they hold (memstats.heapStats).
    -1 where the binary does not say where that is kept.
    """

    span_bytes: int
    manual_bytes: int = -1
    objects: int = -1


def read_totals(memory: Memory, layout: Layout, roots: HeapRoots) -> HeapTotals:
    """Raises UnreadableError where mheap_ cannot be read."""
    pages = u64(memory, roots.mheap + layout.offset("mheap", "pagesInUse"))
    span_bytes = pages * layout.constants["_PageSize"]
    with suppress(UnreadableError, KeyError):
        if roots.memstats:
            stats = read_heap_stats(memory, layout, roots.memstats)
            manual = signed(stats.in_stacks + stats.in_books)
            objects = signed(stats.allocated_objects - stats.freed_objects)
            return HeapTotals(span_bytes, manual, objects)
    return HeapTotals(span_bytes)
