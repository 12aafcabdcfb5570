"""What a program says of itself, and what goprobe was asked of it meanwhile."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from goprobe.model.attached import GoroutinesReport, GoroutineState, Whereabouts
from goprobe.model.location import Region
from scripts.truths.goroutines.dump import Printed

MOVING = ("running", "runnable", "preempted")
# They sleep and wake, whatever the program does; a collection comes to its end, and a leaf that
# collects all the time may be seen at the same place of it twice.
_RESTLESS = (
    "runtime.bgscavenge", "runtime/pprof.profileWriter", "runtime/trace.Start.func1",
    "runtime.(*traceAdvancerState).start.func1", "runtime.traceStartReadCPU.func1",
    "runtime.GC",
)  # fmt: skip
_COLLECTOR = (
    "runtime.gcBgMarkWorker", "runtime.bgsweep", "runtime.runfinq", "runtime.runFinalizers",
    "runtime.runCleanups",
    # Go 1.24's, mgc.go: it is woken by each collection.
    "runtime.unique_runtime_registerUniqueMapCleanup.func2",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Account:
    """What the program says of itself at one moment."""

    count: int
    users: Mapping[int, Printed]
    locals: Mapping[int, tuple[int, int]]
    """number -> (address, goroutine) of a local variable."""
    of_c: tuple[tuple[int, int], ...]
    """(address, thread) of locals of C's functions."""
    times: tuple[int, int, int]
    """When it started, and around its collection (0: none)."""
    labels: Mapping[int, str]
    """The pprof labels of goroutines that have had some."""
    collections: int
    """How many have come to their end."""


@dataclass(frozen=True)
class Witness:
    """The program's accounts: before and after goprobe asked, and all that was there at its end."""

    before: Account
    after: Account
    all: Mapping[int, Printed]

    @cached_property
    def collects(self) -> bool:
        """Whether the collector and its sweeper may have worked meanwhile."""
        before, after = self.before.collections, self.after.collections
        if before != after or (before and not self.before.times[2]):
            return True
        return any(f.function == "runtime.GC" for g in self.all.values() for f in g.frames)

    @cached_property
    def _known(self) -> dict[int, bool]:
        return {}

    def still(self, number: int) -> bool:
        """Whether a goroutine stood all the time."""
        if number not in self._known:
            self._known[number] = self._stood(number)
        return self._known[number]

    def _stood(self, number: int) -> bool:
        last, first = self.all.get(number), self.before.users.get(number)
        then = self.after.users.get(number)
        if last is None or last.state in MOVING:
            return False
        if any(f.function in _RESTLESS for f in last.frames):
            return False
        if self.collects and any(f.function in _COLLECTOR for f in last.frames):
            return False
        if first is None or then is None:
            return first is then
        same = first == replace(then, minutes=first.minutes)
        return same and (first.state, first.locked) == (last.state, last.locked)

    def one_of_the_runtime(self, number: int) -> bool | None:
        """None where that has changed meanwhile."""
        before, after = number in self.before.users, number in self.after.users
        return None if before != after else not before


@dataclass(frozen=True)
class Asked:
    """goprobe's answers: the report, a snapshot's list, and what addresses are."""

    report: GoroutinesReport
    again: tuple[GoroutineState, ...]
    where: Mapping[int, Whereabouts]
    regions: tuple[Region, ...]
    started: int
    ended: int
    threads: set[int]
    """Those that were there all the time; the main thread's is the process's number."""

    @cached_property
    def _starts(self) -> list[int]:
        return [region.low for region in self.regions]

    def label_of(self, address: int) -> str:
        """What the map calls an address."""
        at = bisect_right(self._starts, address) - 1
        there = at >= 0 and address < self.regions[at].high
        return self.regions[at].label if there else "no region"
