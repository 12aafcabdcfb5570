"""Goroutines that are blocked, by what they wait for in the runtime's own words, and whether others
can wake them.

The rules are those of the collector's own detector of leaks (src/runtime/mgc.go, isMaybeRunnable,
and mgcmark.go, internalBlocked, Go 1.26 and 1.27): who waits for the network, a timer, the
collector or another thread may go on, and so may who waits for what is no object of the heap. The
detector runs while the world stands at safe points; goprobe stops it anywhere, so that one who has
been taken out of its queue, and is about to be woken, has to be told from one who waits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.runtime.goroutines.goroutines import PARKED, Goroutine
from goprobe.runtime.heap.objects import MANUAL_SPAN, NOT_HEAP
from goprobe.runtime.heap.spantable import Ints

NEVER = frozenset(
    {"chan receive (nil chan)", "chan send (nil chan)", "select (no cases)"}
)  # fmt: skip
SELECT = "select"
CHANNELS = frozenset({"chan receive", "chan send", SELECT})
COND = "sync.Cond.Wait"
GROUP = "sync.WaitGroup.Wait"
SYNC = frozenset({COND, "sync.Mutex.Lock", "sync.RWMutex.RLock", "sync.RWMutex.Lock", GROUP})
SEMAPHORE = "semacquire"
"""What a wait for a sync.WaitGroup is called up to Go 1.23, and others too."""

WOKEN = "it is being woken"
OUTSIDE = (NOT_HEAP, MANUAL_SPAN)
"""Where what is waited on is no object of the heap."""
_DURABLE = " (durable)"
"""Ends what the runtime calls waits in a synctest bubble, since Go 1.25."""


class Wait(msgspec.Struct, frozen=True, gc=False):
    """What a goroutine waits on: `address` is a channel's, a semaphore's, or that of a condition's
    list (0 where that is not noted); `node` the object that has to be reached for it; `sudog` where
    that lies by which it hangs there."""

    sudog: int
    address: int
    node: int


class Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A goroutine that may be lost. `awake` says why it can run whatever leads to what it waits on,
    `unsure` why that cannot be told; "" else."""

    g: Goroutine
    reason: str
    waits: tuple[Wait, ...] = ()
    awake: str = ""
    unsure: str = ""


def reason_of(graph: HeapGraph, g: Goroutine) -> str:
    reasons = graph.world.goroutines.wait_reasons
    return reasons[g.wait_reason] if g.wait_reason < len(reasons) else ""


def hanging(graph: HeapGraph) -> tuple[Goroutine, ...]:
    """Those that wait for others on channels and locks, or for ever."""
    kinds = NEVER | CHANNELS | SYNC | {SEMAPHORE}
    reasons = graph.world.goroutines.wait_reasons
    numbers = {number for number, reason in enumerate(reasons) if plain(reason) in kinds}
    every = graph.world.goroutines.known
    return tuple(g for g in every if g.wait_reason in numbers and g.status in PARKED)


def only_by_others(
    graph: HeapGraph, goroutines: Sequence[Goroutine], on_group: Callable[[Goroutine], bool]
) -> NDArray[np.bool_]:
    """Which of some hang in something that only other goroutines can wake: the runtime itself
    waits for semaphores, and runs what is in a synctest bubble. `on_group` says of one in a
    semaphore whether it waits for a sync.WaitGroup."""
    reasons = graph.world.goroutines.wait_reasons
    numbers = reason_numbers(goroutines)
    surely = [i for i, reason in enumerate(reasons) if reason in CHANNELS | NEVER | SYNC]
    perhaps = [
        i for i, reason in enumerate(reasons) if reason == SEMAPHORE and GROUP not in reasons
    ]
    others = np.isin(numbers, surely)
    for row in np.flatnonzero(np.isin(numbers, perhaps)).tolist():
        others[row] = on_group(goroutines[row])
    return others


def reason_numbers(goroutines: Sequence[Goroutine]) -> Ints:
    """By which each waits, in runtime.waitReasonStrings."""
    return np.fromiter((g.wait_reason for g in goroutines), np.int64, len(goroutines))


def plain(reason: str) -> str:
    """The same wait outside of a synctest bubble."""
    return reason.removesuffix(_DURABLE)


def astray(node: int, what: str) -> str:
    """Why nothing is sure of who waits on something that lies in free memory; "" where it does
    not."""
    return f"its {what} lies in memory that is free" if node < 0 and node not in OUTSIDE else ""
