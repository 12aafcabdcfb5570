"""The stacks of threads that are no goroutine's: g0's, on which the scheduler runs and C is called,
and the signal handlers'.

Go allocates both in its heap for the threads that it makes itself, and knows their bounds. Where it
uses the stack that a thread came with (the main thread's; every thread's with cgo) it only
estimates them: src/runtime/proc.go (mstart0), asm_amd64.s (rt0_go), cgocall.go
(callbackUpdateSystemStack) and runtime/cgo (x_cgo_getstackbound: none at all with musl, so that lo
is 0 and a bit) of Go 1.21 to 1.27. An estimate is followed only as far as the stack can reach: to
what the C library notes of its thread, else to the ends of the mapping.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from goprobe.errors import UnreadableError
from goprobe.process.proc.maps import find
from goprobe.process.threadblock import Bounds, stack_bounds
from goprobe.runtime.goroutines.goroutines import Goroutine, Thread

if TYPE_CHECKING:
    from goprobe.runtime.world import World


class SystemStack(msgspec.Struct, frozen=True):
    """[low, high) of a `thread` (the kernel's id, 0 for one that C has not made yet); `which` is
    "g0" or "gsignal".

    `said` is what the runtime has for bounds; `estimated`: it does not know them, and they were cut
    to where the stack can be.
    """

    low: int
    high: int
    thread: int
    which: str
    said: tuple[int, int]
    estimated: bool

    def __contains__(self, address: int) -> bool:
        return self.low <= address < self.high


class SystemStacks:
    """Those of one process at one stop."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._goroutines = world.goroutines
        self._of: dict[int, tuple[SystemStack, ...]] = {}
        self._of_c: dict[int, Bounds | None] = {}

    def of(self, thread: Thread) -> tuple[SystemStack, ...]:
        """The smallest first: a signal stack may lie within the stack that C code runs on."""
        stacks = self._of.get(thread.address)
        if stacks is None:
            stacks = self._of[thread.address] = _smallest_first(self._read(thread))
        return stacks

    def all(self) -> tuple[SystemStack, ...]:
        """The smallest first."""
        return _smallest_first(s for t in self._goroutines.threads for s in self.of(t))

    def of_c(self, tid: int) -> Bounds | None:
        """What the C library notes as a thread's stack, which Go's g0 is a part of."""
        if tid not in self._of_c:
            self._of_c[tid] = self._read_of_c(tid)
        return self._of_c[tid]

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
                yield from self._bounded(g, thread.tid, which)

    def _bounded(self, g: Goroutine, tid: int, which: str) -> Iterable[SystemStack]:
        mapping = find(self._world.mappings, g.high - 1)
        if mapping is None:
            return
        low, high = max(g.low, mapping.low), min(g.high, mapping.high)
        # sigaltstack(2) knows a signal stack's bounds, be it Go's or C's.
        estimated = which == "g0" and not self._is_go_memory(high - 1)
        of_c = self.of_c(tid) if estimated else None
        if of_c and of_c[0] < high and low < of_c[1]:
            low, high = max(low, of_c[0]), min(high, of_c[1])
        yield SystemStack(low, high, tid, which, (g.low, g.high), estimated)

    def _read_of_c(self, tid: int) -> Bounds | None:
        world = self._world
        registers = world.threads.get(tid) if world.has_c else None
        if registers is None:
            return None
        return stack_bounds(world.memory, world.mappings, registers.thread, registers.sp)

    def _is_go_memory(self, address: int) -> bool:
        try:
            return self._world.heap.arena_at(address) is not None
        except UnreadableError:
            return False


def _smallest_first(stacks: Iterable[SystemStack]) -> tuple[SystemStack, ...]:
    return tuple(sorted(stacks, key=lambda s: s.high - s.low))
