"""The globals that hold the runtime's own figures, in a binary without symbols.

The functions that use them are named by the line table of every program; what several words in
their code could mean, memory tells: sums that the runtime holds to be equal (readmemstats_m,
mstats.go), lists that are as long as a number says. Source: src/runtime of Go 1.21 to 1.27.
Addresses are link-time addresses. What is not found beyond doubt is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from goprobe.errors import UndescribedError, UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.codedroots import CodedRoots
from goprobe.runtime.heap.heapstats import read_heap_stats
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.lists import Lists
from goprobe.runtime.layout.record import read_whole

_TRIES = 5  # the process runs meanwhile
_MOST_PROCESSORS = 1 << 16
_WORD = 8
_CPU_WORDS = 11  # sizeof(cpuStats) / 8, mstats.go, Go 1.21 to 1.27


class StatsRoots:
    """Looks for them in one process; `roots` are those that are known, and `plain` [low, high) is
    where zeroed variables without pointers lie, in the process."""

    def __init__(
        self,
        coded: CodedRoots,
        layout: Layout,
        memory: Memory,
        roots: Mapping[str, int],
        bias: int,
        plain: tuple[int, int],
    ) -> None:
        self._coded = coded
        self._layout = layout
        self._memory = memory
        self._roots = roots
        self._bias = bias
        self._plain = plain

    def found(self) -> dict[str, int]:
        """By name, in the process. Raises nothing."""
        names: dict[str, Callable[[], Iterable[int]]] = {
            "gcController": lambda: self._taken("gcControllerCommit"),
            "gcphase": lambda: self._used("gcControllerCommit") & self._used("queuefinalizer"),
            "scavenge": self._scavenge,
            "gcCPULimiter": self._limiter,
            "startingStackSize": lambda: (
                self._used("gfget") & self._used("gcComputeStartingStackSize")
            ),
            "extraMLength": lambda: self._used("addExtraM") & self._used("checkdead"),
            "extraMInUse": lambda: self._used("getExtraM") - self._used("addExtraM"),
            "finqueued": lambda: self._finalizers("queuefinalizer"),
            "finexecuted": lambda: self._finalizers("runFinalizers"),
            "ncgocall": self._calls_of_c,
            "ticks": self._ticks,
            "memstats": self._memstats,
            "sched": self._sched,
            "allp": self._allp,
            "work": self._work,
        }
        every: dict[str, int] = {}
        for name, look in names.items():
            with suppress(UnreadableError, UndescribedError, KeyError):
                candidates = set(look())
                if len(candidates) == 1:
                    every[name] = candidates.pop()
        return every

    def _taken(self, function: str) -> set[int]:
        return {a + self._bias for a in self._coded.taken(f"runtime.{function}")}

    def _used(self, function: str) -> set[int]:
        return {a + self._bias for a in self._coded.used(f"runtime.{function}")}

    def _scavenge(self) -> set[int]:
        """gcPaceScavenger sets its first two words, and takes nothing else."""
        both = self._taken("gcPaceScavenger")
        first = min(both, default=0)
        return {first} if both == {first, first + _WORD} else set()

    def _limiter(self) -> set[int]:
        users = ("procresize", "gcMarkTermination", "gcStart")
        common = set.intersection(*(self._taken(user) for user in users))
        return common - self._taken("gcControllerCommit")

    def _finalizers(self, user: str) -> set[int]:
        """finReadQueueStats (mfinal.go, Go 1.25 on) reads both counters, and takes a lock."""
        both = self._used("finReadQueueStats") - self._taken("finReadQueueStats")
        return both & self._used(user)

    def _calls_of_c(self) -> set[int]:
        """A thread that ends adds its calls to the sum (mexit, proc.go): nothing else that it takes
        the address of is without pointers."""
        low, high = self._plain
        return {at for at in self._taken("mexit") if low <= at < high}

    def _ticks(self) -> set[int]:
        """Its lock is its first field. Up to Go 1.23 it has no init; who measures reads `val`."""
        if at := self._taken("(*ticksType).init"):
            return at
        value = self._layout.offset("ticksType", "val")
        measure = self._used("tickspersecond")
        return {at for at in self._taken("tickspersecond") if at + value in measure - {at}}

    def _memstats(self) -> set[int]:
        both = self._taken("(*mcache).refill") & self._taken("(*mcache).releaseAll")
        return self._that(both, self._is_memstats)

    def _is_memstats(self, at: int) -> bool:
        """Whether the pages that it counts are those that mheap_ does."""
        stats = read_heap_stats(self._memory, self._layout, at)
        pages = u64(
            self._memory, self._roots["mheap_"] + self._layout.offset("mheap", "pagesInUse")
        )
        in_use = pages * self._layout.constants["_PageSize"]
        spans = stats.in_heap + stats.in_stacks + stats.in_books
        return stats.in_heap == in_use > 0 and stats.committed >= spans

    def _sched(self) -> set[int]:
        return self._that(self._used("newproc1"), self._is_sched)

    def _is_sched(self, at: int) -> bool:
        """Whether it has made as many threads as are in the list of them."""
        struct = read_whole(self._memory, self._layout.struct("schedt"), at)
        first = u64(self._memory, self._roots["allm"])
        threads = Lists(self._memory).follow(self._layout.struct("m"), first, "alllink")
        return 0 < struct["mnext"] - struct["nmfreed"] == sum(1 for _ in threads)

    def _allp(self) -> set[int]:
        return self._that(self._used("procresize"), self._is_allp)

    def _is_allp(self, at: int) -> bool:
        """Whether it is a slice of Ps, each of which knows its place in it."""
        first, count = u64(self._memory, at), u64(self._memory, at + _WORD)
        if not 0 < count <= _MOST_PROCESSORS:
            return False
        struct = self._layout.struct("p")
        places = memoryview(self._memory.read(first, _WORD * count)).cast("Q").tolist()
        ids, caches = struct.fields["id"], struct.fields["mcache"]
        return all(
            int.from_bytes(self._memory.read(p + ids.offset, ids.size), "little") == i
            and u64(self._memory, p + caches.offset) > 0
            for i, p in enumerate(places)
        )

    def _work(self) -> set[int]:
        offset = self._layout.offset("workType", "cpuStats")
        stats = self._that(self._taken("gcMarkTermination"), self._is_cpu_stats)
        return {at - offset for at in stats}

    def _is_cpu_stats(self, at: int) -> bool:
        """Whether its parts add up, as accumulate (mstats.go) has them; all zero before the first
        collection, and then it cannot be told."""
        raw = memoryview(self._memory.read(at, _CPU_WORDS * _WORD)).cast("q").tolist()
        assist, dedicated, idle_marks, pause, collector = raw[:5]
        scavenged, idle, user, total = raw[7:]
        parts = assist + dedicated + idle_marks + pause
        return 0 < parts == collector and collector + scavenged + idle + user == total

    def _that(self, candidates: Iterable[int], holds: Callable[[int], bool]) -> set[int]:
        """Those of which something holds at one of several looks."""
        every = set(candidates)
        for _ in range(_TRIES):
            kept = set()
            for at in every:
                with suppress(UnreadableError):
                    if holds(at):
                        kept.add(at)
            if kept:
                return kept
        return set()
