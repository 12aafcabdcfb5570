"""How many goroutines and threads there are, as runtime/metrics counts them.

Source: src/runtime/metrics.go (schedStatsAggregate.compute), proc.go (gcount, mcount,
setBlockOnExitSyscall), Go 1.21 to 1.27.
"""

from __future__ import annotations

import msgspec

from goprobe.arch.registers import signed
from goprobe.runtime.layout.record import Record
from goprobe.runtime.stats.books import Books

_P_RUNNING = 1  # _Prunning, runtime2.go, Go 1.21 to 1.27


class GoroutineCounts(msgspec.Struct, frozen=True, kw_only=True):
    """`total` counts the runtime's own, too; `not_in_go` are in system calls or in C."""

    total: int
    running: int
    runnable: int
    not_in_go: int
    waiting: int
    created: int
    threads: int


def goroutines_in_all(books: Books, *, system: bool) -> int:
    """Those that are not dead; with `system` the runtime's own, too."""
    scheduler = books.scheduler
    count = books.words("allgs", 0, 2)[1] - _free(scheduler, "gFree.n", "gFree.stack.size")
    count -= scheduler.get("gFree.noStack.size") if "gFree.n" not in scheduler.layout else 0
    count -= sum(_free(p, "gFree.n", "gFree.size") for p in books.processors)
    if not system:
        count -= scheduler.signed("ngsys")
    return max(count, 1)


def _free(record: Record, old: str, new: str) -> int:
    """Dead ones that are kept: counted beside their list until Go 1.24, by the list from 1.25."""
    return record.signed(old if old in record.layout else new)


def queued(books: Books) -> int:
    """Goroutines that wait for a P, in all queues."""
    scheduler = books.scheduler
    queue = "runqsize" if "runqsize" in scheduler.layout else "runq.size"
    return scheduler.signed(queue) + sum(_waiting_at(p) for p in books.processors)


def goroutine_counts(books: Books) -> GoroutineCounts:
    """Go 1.26 on. Raises UnreadableError, UndescribedError."""
    scheduler, processors = books.scheduler, books.processors
    running = [p for p in processors if p["status"] == _P_RUNNING]
    outside = sum(_in_system_call(books, p) for p in running)
    runnable = queued(books)
    not_in_go = outside + max(scheduler.signed("nGsyscallNoP"), 0)
    total = goroutines_in_all(books, system=True)
    active = len(running) - outside + runnable + not_in_go
    created = scheduler["goroutinesCreated"] + sum(p["goroutinesCreated"] for p in processors)
    made = scheduler["mnext"] - scheduler["nmfreed"]
    kept = books.number("extraMInUse", 4) + books.number("extraMLength", 4)
    return GoroutineCounts(
        total=total,
        running=len(running) - outside,
        runnable=runnable,
        not_in_go=not_in_go,
        waiting=max(total - active, 0),
        created=created,
        threads=made - kept,
    )


def _waiting_at(processor: Record) -> int:
    queued = signed(processor["runqtail"] - processor["runqhead"] << 32) >> 32  # of 32 bits
    return queued + bool(processor["runnext"])


def _in_system_call(books: Books, processor: Record) -> bool:
    """Whether the goroutine that a P runs is in a system call, or in C."""
    constants = books.layout.constants
    thread = books.pointed("m", processor["m"])
    g = books.pointed("g", thread["curg"]) if thread else None
    if thread is None or g is None:
        return False
    status = g["atomicstatus"] & ~constants["_Gscan"]
    apart = {constants[n] for n in ("_Gsyscall", "_Gdeadextra") if n in constants}
    return status in apart and g["m"] == thread.address and thread["p"] == processor.address
