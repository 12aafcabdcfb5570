"""The runtime's own figures of one moment, read together: what MemStats and metrics are made of.

Source: src/runtime/mstats.go, mgcpacer.go, runtime2.go, mcache.go, proc.go, Go 1.21 to 1.27. How
much is read depends on GOMAXPROCS and the number of threads, not on the heap's size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import msgspec

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.heap.heap import Heap
from goprobe.runtime.heap.heapstats import HeapStats, read_heap_stats, with_cached
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.lists import Lists
from goprobe.runtime.layout.record import Record, read_record, read_whole

_MOST_PROCESSORS = 1 << 16
_MOST_CLASSES = 1 << 10
_MOST_STACKS = 1 << 10
_STACK_ORDERS = 4  # _NumStackOrders, malloc.go, on Linux: stacks of 2, 4, 8 and 16 KiB
_FREE_STACKS = 16  # sizeof(stackfreelist), mcache.go
_WORD = 8
_P_DEAD = 4  # _Pdead, runtime2.go, Go 1.21 to 1.27
_SWEEP_DRAINED = 1 << 31  # sweepDrainedMask, mgcsweep.go, Go 1.21 to 1.27
_GC_OFF = 0  # _GCoff, mgc.go, Go 1.21 to 1.27


class ThreadSums(msgspec.Struct, frozen=True):
    """Of all threads: calls into C that they have noted, and nanoseconds that they waited for the
    runtime's locks."""

    cgo_calls: int
    lock_wait: int


class Books:
    """What the runtime keeps, each part read when it is first asked for.

    Raises UnreadableError and UndescribedError (KeyError too): what a program does not describe, or
    its linker left out, is missing.
    """

    def __init__(
        self, memory: Memory, layout: Layout, roots: Mapping[str, int], heap: Heap
    ) -> None:
        self._memory = memory
        self._roots = roots
        self._heap = heap
        self.layout = layout

    def number(self, root: str, size: int = _WORD) -> int:
        """One of the runtime's global numbers."""
        return int.from_bytes(self._memory.read(self._roots[root], size), "little")

    def words(self, root: str, offset: int, count: int) -> list[int]:
        """Signed words of one of the runtime's global structs."""
        raw = self._memory.read(self._roots[root] + offset, count * _WORD)
        return memoryview(raw).cast("q").tolist()

    def whole(self, root: str, struct: str) -> Record:
        return read_whole(self._memory, self.layout.struct(struct), self._roots[root])

    def pointed(self, struct: str, address: int) -> Record | None:
        """What a pointer leads to, None where it is nil."""
        return read_record(self._memory, self.layout.struct(struct), address) if address else None

    @cached_property
    def memstats(self) -> Record:
        return self.whole("memstats", "mstats")

    @cached_property
    def controller(self) -> Record:
        return self.whole("gcController", "gcControllerState")

    @cached_property
    def scheduler(self) -> Record:
        return self.whole("sched", "schedt")

    @cached_property
    def allocators(self) -> Record:
        """Of mheap_: what it has allocated of spans' and caches' structs."""
        struct = self.layout.struct("fixedAllocators")
        fields, at = struct.fields.values(), self._roots["mheap_"]
        low, high = min(f.offset for f in fields), max(f.offset + f.size for f in fields)
        return Record(at, struct, bytes(low) + self._memory.read(at + low, high - low))

    @property
    def gomaxprocs(self) -> int:
        """As long as the slice of Ps (procresize, proc.go)."""
        return self.words("allp", 0, 2)[1]

    @cached_property
    def processors(self) -> tuple[Record, ...]:
        """Every P that is in use."""
        at, count = self.words("allp", 0, 2)
        if not 0 < count <= _MOST_PROCESSORS:
            raise UnreadableError(at, count * _WORD, f"allp claims {count} Ps")
        raw = memoryview(self._memory.read(at, count * _WORD)).cast("Q")
        every = (read_record(self._memory, self.layout.struct("p"), p) for p in raw if p)
        return tuple(p for p in every if p["status"] != _P_DEAD)

    @cached_property
    def threads(self) -> ThreadSums:
        first, struct = self.number("allm"), self.layout.struct("m")
        lists = Lists(self._memory)
        calls = waits = 0
        for m in lists.follow(struct, first, "alllink"):
            calls += m["ncgocall"]
            waits += m.get("mLockProfile.waitTime")
        if lists.broken:
            raise UnreadableError(first, _WORD, lists.broken)
        return ThreadSums(calls, waits)

    @property
    def swept(self) -> bool:
        """Whether nothing is left to sweep of what the last collection has marked."""
        return self.whole("sweep", "sweepdata")["active.state"] & _SWEEP_DRAINED != 0

    @property
    def finalizers(self) -> int:
        """Those that wait to be run (queuefinalizer, mfinal.go): who runs them counts their block
        down, and an empty one stays in the list."""
        lists, struct = Lists(self._memory), self.layout.struct("finBlock")
        first = self.number("allfin")
        waiting = sum(block["cnt"] for block in lists.follow(struct, first, "alllink"))
        if lists.broken:
            raise UnreadableError(first, _WORD, lists.broken)
        return waiting

    @property
    def timers(self) -> int:
        """Those that are set, of all Ps: stopped ones stay where they are for a while."""
        heaps = self.processors
        if heaps and "numTimers" in heaps[0].layout:  # Go 1.21, 1.22
            return sum(p["numTimers"] - p["deletedTimers"] for p in heaps)
        return sum(p["timers.len"] - p.signed("timers.zombies") for p in heaps)

    @cached_property
    def counted(self) -> HeapStats:
        """What is counted of the heap, as runtime/metrics has it."""
        return read_heap_stats(self._memory, self.layout, self._roots["memstats"])

    @cached_property
    def flushed(self) -> HeapStats:
        """The same as if every P had given back the spans that it allocates from, as MemStats has
        it."""
        caches = [self._cache(p) for p in self.processors]
        taken = [pair for cache in caches for pair in self._taken(cache)]
        tiny = sum(cache["tinyAllocs"] for cache in caches)
        return with_cached(self.counted, taken, tiny)

    def _cache(self, processor: Record) -> Record:
        return read_whole(self._memory, self.layout.struct("mcache"), processor["mcache"])

    def _taken(self, cache: Record) -> Iterator[tuple[int, int]]:
        """(size class, slots) of each span that is allocated from (releaseAll, mcache.go): nothing
        was taken from the empty one that stands for none."""
        for number, pointer in enumerate(cache.words("alloc")[:_MOST_CLASSES]):
            span = read_record(self._memory, self.layout.struct("mspan"), pointer)
            if span["npages"]:
                yield number >> 1, span["allocCount"] - span["allocCountBeforeCache"]

    @cached_property
    def stacks_to_free(self) -> int:
        """Bytes of stack spans of which all stacks wait in Ps' caches: ReadMemStats has them given
        back to the heap, where no collection is running (stackpoolfree, stack.go)."""
        if self.number("gcphase", 4) != _GC_OFF:
            return 0
        waiting: dict[int, int] = {}
        for processor in self.processors:
            for stack in self._free_stacks(self._cache(processor)):
                span = self._heap.span_at(stack)
                if span is not None:
                    waiting[span.address] = waiting.get(span.address, 0) + 1
        spans = ((self._heap.span(at), count) for at, count in waiting.items())
        return sum(span.size for span, count in spans if span and span.alloc_count == count)

    def _free_stacks(self, cache: Record) -> Iterator[int]:
        lists = cache.words("stackcache")
        step = _FREE_STACKS // _WORD
        for at in lists[: _STACK_ORDERS * step : step]:
            left = _MOST_STACKS
            while at and left:
                yield at
                at, left = u64(self._memory, at), left - 1
