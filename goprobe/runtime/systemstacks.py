"""The stacks of threads that are no goroutine's: g0's, on which the scheduler runs and C is called,
and the signal handlers'.

Go allocates both in its heap for the threads that it makes itself, and knows their bounds. Where it
uses the stack that a thread came with (the main thread's; every thread's with cgo) it only
estimates them: src/runtime/proc.go (mstart0), asm_amd64.s (rt0_go), cgocall.go
(callbackUpdateSystemStack) and runtime/cgo (x_cgo_getstackbound: none at all with musl, so that lo
is 0 and a bit) of Go 1.21 to 1.27. A stack lies within one mapping: that is how far an estimate is
followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from goprobe.errors import UnreadableError
from goprobe.process.maps import Mapping, find
from goprobe.runtime.goroutines import Goroutine, Goroutines, Thread
from goprobe.runtime.heap import Heap


class SystemStack(msgspec.Struct, frozen=True):
    """[low, high) of a `thread` (the kernel's id); `which` is "g0" or "gsignal".

    `said` is what the runtime has for bounds; `estimated`: it does not know them, and they were cut
    to the mapping that holds the high end. `foreign`: C made the thread; 0 is one not made yet.
    """

    low: int
    high: int
    thread: int
    which: str
    said: tuple[int, int]
    estimated: bool
    foreign: bool

    def __contains__(self, address: int) -> bool:
        return self.low <= address < self.high


class SystemStacks:
    """Those of one process at one stop."""

    def __init__(self, goroutines: Goroutines, heap: Heap, mappings: Sequence[Mapping]) -> None:
        self._goroutines = goroutines
        self._heap = heap
        self._mappings = mappings
        self._of: dict[int, tuple[SystemStack, ...]] = {}

    def of(self, thread: Thread) -> tuple[SystemStack, ...]:
        """The smallest first: a signal stack may lie within the stack that C code runs on."""
        found = self._of.get(thread.address)
        if found is None:
            found = self._of[thread.address] = _smallest_first(self._read(thread))
        return found

    def all(self) -> tuple[SystemStack, ...]:
        """The smallest first."""
        return _smallest_first(s for t in self._goroutines.threads for s in self.of(t))

    def on(self, tid: int, sp: int) -> tuple[Goroutine | None, str]:
        """Whose stack a thread stands on, by its stack pointer.

        Returns the goroutine and "user"; or (None, "g0"), (None, "gsignal") where it is on a
        system stack, (None, "os") where the thread is none of Go's, or runs C code.
        """
        thread = self._goroutines.thread(tid)
        current = self._goroutines.at(thread.current) if thread and thread.current else None
        if current and current.low <= sp < current.high:
            return current, "user"
        system = next((s for s in self.of(thread) if sp in s), None) if thread else None
        if system:
            return None, system.which
        owner = self._goroutines.owner_of(sp)
        return (owner, "user") if owner else (None, "os")

    def _read(self, thread: Thread) -> Iterable[SystemStack]:
        for which, pointer in (("g0", thread.g0), ("gsignal", thread.gsignal)):
            g = self._goroutines.at(pointer) if pointer else None
            # A thread that cgo is just creating has low 0 and its stack's size for high
            # (pthread_create in runtime/cgo): not bounds of anything yet, and nothing is there.
            if g and g.low < g.high:
                yield from self._bounded(g, thread, which)

    def _bounded(self, g: Goroutine, thread: Thread, which: str) -> Iterable[SystemStack]:
        mapping = find(self._mappings, g.high - 1)
        if mapping is None:
            return
        low, high = max(g.low, mapping.low), min(g.high, mapping.high)
        # sigaltstack(2) knows a signal stack's bounds, be it Go's or C's.
        estimated = which == "g0" and not self._is_go_memory(high - 1)
        yield SystemStack(
            low, high, thread.tid, which, (g.low, g.high), estimated, thread.foreign
        )  # fmt: skip

    def _is_go_memory(self, address: int) -> bool:
        try:
            return self._heap.arena_at(address) is not None
        except UnreadableError:
            return False


def _smallest_first(stacks: Iterable[SystemStack]) -> tuple[SystemStack, ...]:
    return tuple(sorted(stacks, key=lambda s: s.high - s.low))
