"""Addresses in the runtime's own memory: the stacks of its threads, and its bookkeeping."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property

from goprobe.analysis.identify.ground import Ground
from goprobe.errors import UnreadableError
from goprobe.model.address import Address
from goprobe.model.location import Detail, Kind, Location
from goprobe.runtime.regions import RuntimeRegion, runtime_regions


class OnSystemStack:
    """The stacks of threads that the runtime knows: g0 and the signal stack."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._world = ground.world

    @cached_property
    def stacks(self) -> list[tuple[int, int, int, str]]:
        """(low, high, thread id, which) of every g0 and signal stack, as far as there is memory.

        The bounds of a stack that C made are the runtime's estimate: the C library's size for it,
        counted down from somewhere within (mstart0, proc.go, Go 1.21 to 1.27; with musl from near
        0). So `low` may lie in the guard pages, or anywhere.
        """
        found: list[tuple[int, int, int, str]] = []
        for thread in self._world.goroutines.threads:
            for which, pointer in (("g0", thread.g0), ("gsignal", thread.gsignal)):
                g = self._world.goroutines.at(pointer) if pointer else None
                # A thread that cgo is just creating has low 0 and its stack's size for high
                # (src/runtime/cgo/gcc_linux*.c): not bounds of anything yet.
                if g and 0 < g.low < g.high:
                    low = max(g.low, self._ground.floor_of(g.high))
                    if low < g.high:
                        found.append((low, g.high, thread.tid, which))
        return found

    def identify(self, address: int) -> Location | None:
        for low, high, tid, which in self.stacks:
            if low <= address < high:
                detail: Detail = {
                    "thread": tid, "which": which, "low": Address(low), "high": Address(high),
                    "from_high": high - address,
                }  # fmt: skip
                purpose = "scheduler" if which == "g0" else "signal"
                return self._ground.location(
                    Kind.SYSTEM_STACK, address, f"{purpose} stack ({which}) of thread {tid}",
                    detail, f"m with thread {tid}: {which}.stack [{low:#x}, {high:#x})",
                )  # fmt: skip
        return None


class InRuntime:
    """The memory in which the runtime keeps its books."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._world = ground.world

    @cached_property
    def regions(self) -> tuple[RuntimeRegion, ...]:
        """The runtime's own regions of memory."""
        world = self._world
        return runtime_regions(world.memory, world.layout, world.roots, world.heap)

    @cached_property
    def _mspans(self) -> list[int]:
        try:
            return sorted(self._world.heap.span_pointers())
        except UnreadableError:
            return []

    def identify(self, address: int) -> Location | None:
        region = next((r for r in self.regions if r.low <= address < r.high), None)
        at = bisect_right(self._mspans, address)
        size = self._world.layout.struct("mspan").size
        if at and address < self._mspans[at - 1] + size:
            start = self._mspans[at - 1]
            span = self._world.heap.span(start)
            about = f" of span {span.base:#x}" if span else ""
            return self._ground.location(
                Kind.RUNTIME, address, f"span metadata{about}", {"what": "span metadata"},
                f"mspan {start:#x} is in mheap_.allspans",
            )  # fmt: skip
        if region is None:
            return None
        mapping = self._ground.mapping_at(address)
        if mapping and mapping.perms.startswith("---"):
            return self._ground.location(
                Kind.RESERVED, address, f"reserved for {region.what}", {"what": region.what},
                region.how,
            )  # fmt: skip
        return self._ground.location(
            Kind.RUNTIME, address, region.what, {"what": region.what}, region.how
        )
