"""What the runtime itself has counted of its heap: sums to hold a census against.

Source: src/runtime/mheap.go (allocSpan, freeSpanLocked), mstats.go (heapStatsDelta), mcache.go
(refill, releaseAll), mgcsweep.go; Go 1.21 to 1.27. None of it is needed for counting, so that it is
an independent witness: it does not go by mheap_.allspans, nor by any span.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress

import msgspec

from goprobe.arch.registers import signed
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.layout.layout import Layout

_WORD = 8
_BUFFERS = 3  # consistentHeapStats.stats: what was counted is the sum of all three
_MOST_CLASSES = 1024


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
            return HeapTotals(span_bytes, *_heap_stats(memory, layout, roots.memstats))
    return HeapTotals(span_bytes)


def _heap_stats(memory: Memory, layout: Layout, memstats: int) -> tuple[int, int]:
    struct = layout.struct("heapStatsDelta")
    at = memstats + layout.offset("mstats", "heapStats")
    words = memoryview(memory.read(at, _BUFFERS * struct.size)).cast("Q")
    each = struct.size // _WORD

    def counted(name: str) -> Iterator[int]:
        field = struct.fields[name]
        first, count = field.offset // _WORD, min(field.size // _WORD, _MOST_CLASSES)
        for buffer in range(_BUFFERS):
            yield from words[buffer * each + first : buffer * each + first + count]

    def total(*names: str) -> int:
        whole = sum(sum(counted(name)) for name in names if name in struct)
        return signed(whole)

    manual = total("inStacks", "inWorkBufs", "inPtrScalarBits")
    made = total("smallAllocCount", "largeAllocCount")
    return manual, signed(made - total("smallFreeCount", "largeFreeCount"))
