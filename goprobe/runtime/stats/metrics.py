"""runtime/metrics as the program itself would read them now.

Source: src/runtime/metrics.go (initMetrics and the aggregates' compute), debug.go (NumCgoCall,
totalMutexWaitTimeNanos), proc.go (gcount, mcount), mfinal.go and mcleanup.go (the queues'
counters), Go 1.21 to 1.27. Which of them a release has is told by its fields.
"""

from __future__ import annotations

import msgspec

from goprobe.arch.registers import signed
from goprobe.errors import UndescribedError, UnreadableError
from goprobe.runtime.layout.record import Record
from goprobe.runtime.stats.books import Books
from goprobe.runtime.stats.goroutinecounts import goroutine_counts, goroutines_in_all
from goprobe.runtime.stats.histogram import Histogram, by_size, durations
from goprobe.runtime.stats.memstats import heap_goal, system_bytes

Metric = int | float | Histogram

_SECOND = 1e9
# The words of cpuStats, mstats.go, in their order, the same in Go 1.21 to 1.27.
_CPU = (
    "gc/mark/assist",
    "gc/mark/dedicated",
    "gc/mark/idle",
    "gc/pause",
    "gc/total",
    "scavenge/assist",
    "scavenge/background",
    "scavenge/total",
    "idle",
    "user",
    "total",
)
_PAUSES = {
    "stwStoppingTimeGC": "/sched/pauses/stopping/gc:seconds",
    "stwStoppingTimeOther": "/sched/pauses/stopping/other:seconds",
    "stwTotalTimeGC": "/sched/pauses/total/gc:seconds",
    "stwTotalTimeOther": "/sched/pauses/total/other:seconds",
}


class Metrics(msgspec.Struct, frozen=True):
    """`values` by name, and of what a release has why it is not told."""

    values: dict[str, Metric]
    not_told: dict[str, str]


def metrics(books: Books) -> Metrics:
    """Everything that can be read; nothing is raised."""
    values: dict[str, Metric] = {}
    not_told: dict[str, str] = {}
    for about, part in _PARTS.items():
        try:
            values |= part(books)
        except (UnreadableError, UndescribedError, KeyError) as error:
            not_told[about] = str(error)
    return Metrics(dict(sorted(values.items())), not_told)


def _cpu(books: Books) -> dict[str, Metric]:
    words = books.words("work", books.layout.offset("workType", "cpuStats"), len(_CPU))
    rows = zip(_CPU, words, strict=True)
    return {f"/cpu/classes/{name}:cpu-seconds": value / _SECOND for name, value in rows}


def _heap(books: Books) -> dict[str, Metric]:
    heap, control = books.counted, books.controller
    in_spans = heap.in_heap + heap.in_stacks + heap.in_books
    return {
        "/gc/heap/allocs-by-size:bytes": by_size(heap.allocs, heap.large_allocs),
        "/gc/heap/allocs:bytes": heap.allocated_bytes,
        "/gc/heap/allocs:objects": heap.allocated_objects,
        "/gc/heap/frees-by-size:bytes": by_size(heap.frees, heap.large_frees),
        "/gc/heap/frees:bytes": heap.freed_bytes,
        "/gc/heap/frees:objects": heap.freed_objects,
        "/gc/heap/live:bytes": control["heapMarked"],
        "/gc/heap/objects:objects": heap.allocated_objects - heap.freed_objects,
        "/gc/heap/tiny/allocs:objects": heap.tiny_allocs,
        "/memory/classes/heap/free:bytes": heap.committed - in_spans,
        "/memory/classes/heap/objects:bytes": heap.object_bytes,
        "/memory/classes/heap/released:bytes": heap.released,
        "/memory/classes/heap/stacks:bytes": heap.in_stacks,
        "/memory/classes/heap/unused:bytes": heap.in_heap - heap.object_bytes,
    }


def _system(books: Books) -> dict[str, Metric]:
    stats, own, heap = books.memstats, books.allocators, books.counted
    spans, caches = own["spanalloc.inuse"], own["cachealloc.inuse"]
    return {
        "/memory/classes/metadata/mcache/free:bytes": stats["mcache_sys"] - caches,
        "/memory/classes/metadata/mcache/inuse:bytes": caches,
        "/memory/classes/metadata/mspan/free:bytes": stats["mspan_sys"] - spans,
        "/memory/classes/metadata/mspan/inuse:bytes": spans,
        "/memory/classes/metadata/other:bytes": heap.in_books + stats["gcMiscSys"],
        "/memory/classes/os-stacks:bytes": stats["stacks_sys"],
        "/memory/classes/other:bytes": stats["other_sys"],
        "/memory/classes/profiling/buckets:bytes": stats["buckhash_sys"],
        "/memory/classes/total:bytes": heap.committed + heap.released + system_bytes(books),
    }


def _cycles(books: Books) -> dict[str, Metric]:
    done, forced = books.memstats["numgc"], books.memstats["numforcedgc"]
    return {
        "/gc/cycles/automatic:gc-cycles": done - forced,
        "/gc/cycles/forced:gc-cycles": forced,
        "/gc/cycles/total:gc-cycles": done,
    }


def _collector(books: Books) -> dict[str, Metric]:
    control = books.controller
    scans = {
        "heap": control["heapScan"],
        "stack": control["lastStackScan"],
        "globals": control["globalsScan"],
    }
    scans["total"] = sum(scans.values())
    return {
        **{f"/gc/scan/{name}:bytes": value for name, value in scans.items()},
        "/gc/heap/goal:bytes": heap_goal(books),
        # GOGC=off is -1, a signed number of 32 bits turned into an unsigned one of 64.
        "/gc/gogc:percent": _unsigned(control.signed("gcPercent")),
        "/gc/gomemlimit:bytes": control["memoryLimit"],
    }


def _unsigned(number: int) -> int:
    return number & ((1 << 64) - 1)


def _limiter(books: Books) -> dict[str, Metric]:
    limiter = books.whole("gcCPULimiter", "gcCPULimiterState")
    return {"/gc/limiter/last-enabled:gc-cycle": limiter["lastEnabledCycle"]}


def _stack_size(books: Books) -> dict[str, Metric]:
    return {"/gc/stack/starting-size:bytes": books.number("startingStackSize", 4)}


def _histograms(books: Books) -> dict[str, Metric]:
    scheduler, layout = books.scheduler, books.layout.struct("timeHistogram")

    def of(record: Record, path: str) -> Histogram:
        field = record.layout.fields[path]
        raw = record.data[field.offset : field.offset + field.size]
        return durations(Record(record.at(path), layout, raw))

    values: dict[str, Metric] = {"/sched/latencies:seconds": of(scheduler, "timeToRun")}
    for path, name in _PAUSES.items():
        if path in scheduler.layout:
            values[name] = of(scheduler, path)
    own = "gcPauseDist" in books.memstats.layout
    collections = of(books.memstats, "gcPauseDist") if own else of(scheduler, "stwTotalTimeGC")
    return {**values, "/gc/pauses:seconds": collections}


def _processors(books: Books) -> dict[str, Metric]:
    return {"/sched/gomaxprocs:threads": books.gomaxprocs}


def _calls(books: Books) -> dict[str, Metric]:
    return {"/cgo/go-to-c-calls:calls": books.number("ncgocall") + books.threads.cgo_calls}


def _mutexes(books: Books) -> dict[str, Metric]:
    scheduler = books.scheduler
    total = scheduler["totalMutexWaitTime"]
    if "totalRuntimeLockWaitTime" in scheduler.layout:  # Go 1.22 on
        total += scheduler["totalRuntimeLockWaitTime"] + books.threads.lock_wait
    return {"/sync/mutex/wait/total:seconds": signed(total) / _SECOND}


def _goroutines(books: Books) -> dict[str, Metric]:
    if "goroutinesCreated" not in books.scheduler.layout:
        return {"/sched/goroutines:goroutines": goroutines_in_all(books, system=False)}
    counts = goroutine_counts(books)
    return {
        "/sched/goroutines:goroutines": counts.total,
        "/sched/goroutines/not-in-go:goroutines": counts.not_in_go,
        "/sched/goroutines/running:goroutines": counts.running,
        "/sched/goroutines/runnable:goroutines": counts.runnable,
        "/sched/goroutines/waiting:goroutines": counts.waiting,
        "/sched/goroutines-created:goroutines": counts.created,
        "/sched/threads/total:threads": counts.threads,
    }


def _finalizers(books: Books) -> dict[str, Metric]:
    """Of Go 1.26 on."""
    if not books.layout.has("p", "goroutinesCreated"):
        return {}
    return {
        "/gc/finalizers/executed:finalizers": books.number("finexecuted"),
        "/gc/finalizers/queued:finalizers": books.number("finqueued"),
    }


def _cleanups(books: Books) -> dict[str, Metric]:
    """Of Go 1.26 on."""
    if not books.layout.has("p", "goroutinesCreated"):
        return {}
    queue = books.whole("gcCleanups", "cleanupQueue")
    waiting = sum(p["cleanupsQueued"] for p in books.processors)
    return {
        "/gc/cleanups/executed:cleanups": queue["executed"],
        "/gc/cleanups/queued:cleanups": queue["queued"] + waiting,
    }


_PARTS = {
    "/cpu/classes/": _cpu,
    "/gc/heap/ and /memory/classes/heap/": _heap,
    "/memory/classes/": _system,
    "/gc/cycles/": _cycles,
    "/gc/scan/, /gc/heap/goal, /gc/gogc and /gc/gomemlimit": _collector,
    "/gc/limiter/": _limiter,
    "/gc/stack/": _stack_size,
    "/sched/latencies, /sched/pauses/ and /gc/pauses": _histograms,
    "/sched/gomaxprocs": _processors,
    "/cgo/": _calls,
    "/sync/mutex/": _mutexes,
    "/sched/goroutines": _goroutines,
    "/gc/finalizers/": _finalizers,
    "/gc/cleanups/": _cleanups,
}
