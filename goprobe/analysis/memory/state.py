"""What the runtime is set to, what it did last, and what it will do next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from msgspec import UNSET, UnsetType

from goprobe.errors import UndescribedError, UnreadableError
from goprobe.model.memory import Collection, RuntimeState
from goprobe.runtime.stats.books import Books
from goprobe.runtime.stats.goroutinecounts import goroutines_in_all, queued
from goprobe.runtime.stats.memstats import heap_goal

T = TypeVar("T")
_NEVER = (1 << 64) - 1
_NO_LIMIT = (1 << 63) - 1  # math.MaxInt64, gcControllerState.memoryLimit, mgcpacer.go
_SHOWN = 5
_PAUSES = 256  # len(memstats.pause_ns), mstats.go
# mgcscavenge.go, Go 1.21 to 1.27: scavengePercent of all Ps' time, approxWorkedNSPerPhysicalPage.
_SHARE, _PAGE_NS, _PAGE = 0.01, 10_000, 4096
_PHASES = ("off", "mark", "mark termination")  # _GCoff, _GCmark, _GCmarktermination, mgc.go
_KEPT_BY_DESIGN = 10  # retainExtraPercent, mgcscavenge.go, Go 1.21 to 1.27


def runtime_state(books: Books) -> RuntimeState:
    """Raises UnreadableError, UndescribedError."""
    control, scheduler = books.controller, books.scheduler
    limit = control.signed("memoryLimit")
    collected = books.memstats["numgc"] > 0
    retained = control["heapInUse"] + control["heapFree"]
    goal, limit_goal = (n & _NEVER for n in books.words("scavenge", 0, 2))
    return RuntimeState(
        gogc=control.signed("gcPercent"),
        memory_limit=limit if limit != _NO_LIMIT else UNSET,
        limited=control["mappedReady"],
        next_gc=heap_goal(books),
        live=control["heapMarked"] if collected else UNSET,
        retained=retained,
        retain_goal=goal if goal != _NEVER else UNSET,
        free=control["heapFree"],
        scavenger=_scavenger(books, retained, goal, limit_goal),
        collections=tuple(_collections(books)),
        phase=_optional(lambda: _PHASES[books.number("gcphase", 4)]),
        swept=_optional(lambda: books.swept),
        finalizers=_optional(lambda: books.finalizers),
        timers=_optional(lambda: books.timers),
        gomaxprocs=books.gomaxprocs,
        idle_ps=scheduler["npidle"],
        run_queue=queued(books),
        goroutines=goroutines_in_all(books, system=False),
        threads=scheduler["mnext"] - scheduler["nmfreed"],
        idle_threads=scheduler["nmidle"],
        spinning_threads=scheduler["nmspinning"],
    )


def _optional(read: Callable[[], T]) -> T | UnsetType:
    """What not every program says, UNSET where this one does not."""
    with suppress(UnreadableError, UndescribedError, KeyError, IndexError):
        return read()
    return UNSET


def _collections(books: Books) -> Iterator[Collection]:
    """The last ones, the latest first."""
    stats = books.memstats
    pauses, ends = stats.words("pause_ns"), stats.words("pause_end")
    for number in range(stats["numgc"], max(stats["numgc"] - _SHOWN, 0), -1):
        at = (number - 1) % _PAUSES
        yield Collection(number, ends[at], pauses[at])


def _scavenger(books: Books, retained: int, goal: int, limit_goal: int) -> str:
    free = books.controller["heapFree"]
    if not free:
        return "no page is free that could be returned"
    if not books.memstats["numgc"]:  # bgscavenge waits, and its goals are still zero
        return "nothing is returned in the background before the first collection has ended"
    if books.controller["mappedReady"] > limit_goal:
        return "the memory limit is near: free pages are being returned because of it"
    if goal == _NEVER:  # gcPaceScavenger, mgcscavenge.go: also with GOGC=off
        return "the last collection found no more than the heap may keep: nothing is returned"
    excess = min(retained - goal, free)
    if excess <= 0:
        return (
            f"the heap may keep {_mib(goal)} until a collection lowers that: what the last ones "
            f"needed and {_KEPT_BY_DESIGN} % more; it keeps {_mib(retained)}: nothing is returned"
        )
    rate = books.gomaxprocs * _SHARE / (_PAGE_NS / 1e9) * _PAGE
    return (
        f"{_mib(excess)} of free pages are being returned in the background, which may take "
        f"{excess / rate:.0f} s (1 % of the processors' time, by the runtime's own estimate)"
    )


def _mib(count: int) -> str:
    return f"{count / (1 << 20):.1f} MiB"
