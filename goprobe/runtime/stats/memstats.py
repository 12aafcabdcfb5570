"""runtime.MemStats as the program itself would read it now.

Source: readmemstats_m in src/runtime/mstats.go, heapGoalInternal and memoryLimitHeapGoal in
mgcpacer.go, Go 1.21 to 1.27. ReadMemStats first has every P give back its spans and free stacks;
here the same is worked out, and nothing is given back.
"""

from __future__ import annotations

import struct
from typing import Any

from goprobe.runtime.heap.classsizes import CLASS_TO_SIZE
from goprobe.runtime.stats.books import Books

_BY_SIZE = 61  # len(MemStats.BySize), mstats.go, "as of Go 1.4"
_NEVER = (1 << 64) - 1
_LEAST_RUNWAY = 64 << 10  # minRunway, heapGoalInternal, mgcpacer.go, Go 1.21 to 1.27
# memoryLimitHeapGoal, mgcpacer.go, Go 1.21 to 1.27: memoryLimitMinHeapGoalHeadroom and
# memoryLimitHeapGoalHeadroomPercent.
_LEAST_HEADROOM, _HEADROOM_PERCENT = 1 << 20, 3

Figures = dict[str, Any]


def mem_stats(books: Books) -> Figures:
    """Every field of MemStats by its name. Raises UnreadableError, UndescribedError."""
    heap, stats, control, own = books.flushed, books.memstats, books.controller, books.allocators
    freed = books.stacks_to_free
    in_use, released = control["heapInUse"], control["heapReleased"]
    free = control["heapFree"] + freed
    stacks = heap.in_stacks - freed
    mapped = in_use + free + released + stacks + heap.in_books + system_bytes(books)
    return {
        "Alloc": heap.object_bytes,
        "TotalAlloc": heap.allocated_bytes,
        "Sys": mapped,
        "Lookups": 0,
        "Mallocs": heap.allocated_objects + heap.tiny_allocs,
        "Frees": heap.freed_objects + heap.tiny_allocs,
        "HeapAlloc": heap.object_bytes,
        "HeapSys": in_use + free + released,
        "HeapIdle": free + released,
        "HeapInuse": in_use,
        "HeapReleased": released,
        "HeapObjects": heap.allocated_objects - heap.freed_objects,
        "StackInuse": stacks,
        "StackSys": stacks + stats["stacks_sys"],
        "MSpanInuse": own["spanalloc.inuse"],
        "MSpanSys": stats["mspan_sys"],
        "MCacheInuse": own["cachealloc.inuse"],
        "MCacheSys": stats["mcache_sys"],
        "BuckHashSys": stats["buckhash_sys"],
        "GCSys": stats["gcMiscSys"] + heap.in_books,
        "OtherSys": stats["other_sys"],
        "NextGC": heap_goal(books, flushed=True),
        "LastGC": stats["last_gc_unix"],
        "PauseTotalNs": stats["pause_total_ns"],
        "PauseNs": stats.words("pause_ns"),
        "PauseEnd": stats.words("pause_end"),
        "NumGC": stats["numgc"],
        "NumForcedGC": stats["numforcedgc"],
        "GCCPUFraction": struct.unpack("<d", struct.pack("<Q", stats["gc_cpu_fraction"]))[0],
        "EnableGC": True,
        "DebugGC": False,
        "BySize": _by_size(books),
    }


def system_bytes(books: Books) -> int:
    """What the runtime has mapped besides the heap."""
    names = ("stacks_sys", "mspan_sys", "mcache_sys", "buckhash_sys", "gcMiscSys", "other_sys")
    return sum(books.memstats[name] for name in names)


def _by_size(books: Books) -> list[Figures]:
    rows = zip(CLASS_TO_SIZE, books.flushed.allocs, books.flushed.frees, strict=False)
    return [{"Size": size, "Mallocs": a, "Frees": f} for size, a, f in rows][:_BY_SIZE]


def heap_goal(books: Books, *, flushed: bool = False) -> int:
    """At how many bytes the next collection is to end; `flushed`: as ReadMemStats reads it."""
    control = books.controller
    goal, by_limit = control["gcPercentHeapGoal"], _goal_by_limit(books, flushed=flushed)
    if by_limit < goal:
        return by_limit
    goal = max(goal, control["sweepDistMinTrigger"])
    triggered = control["triggered"]
    return goal if triggered == _NEVER else max(goal, triggered + _LEAST_RUNWAY)


def _goal_by_limit(books: Books, *, flushed: bool) -> int:
    control = books.controller
    free, total = control["heapFree"], control["totalAlloc"]
    if flushed:
        free += books.stacks_to_free
        total += books.flushed.allocated_bytes - books.counted.allocated_bytes
    in_use, ready = total - control["totalFree"], control["mappedReady"]
    limit = control.signed("memoryLimit")
    other = ready - free - in_use
    overage = max(ready - limit, 0)
    marked: int = control["heapMarked"]
    if other + overage >= limit:
        return marked
    goal = limit - (other + overage)
    headroom = max(goal // 100 * _HEADROOM_PERCENT, _LEAST_HEADROOM)
    goal = headroom if goal < headroom or goal - headroom < headroom else goal - headroom
    return max(goal, marked)
