"""Addresses in the runtime's own memory: the stacks of its threads, and its bookkeeping."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property

from goprobe.analysis.locate.identify_base import AddressSpace
from goprobe.errors import UnreadableError
from goprobe.model.address import Address
from goprobe.model.location import Detail, Kind, Location
from goprobe.runtime.heap.regions import RuntimeRegion, runtime_regions
from goprobe.runtime.systemstacks import SystemStack


class OnSystemStack:
    """The stacks of threads that the runtime knows: g0 and the signal stack. Those with estimated
    bounds are asked after all that knows better."""

    def __init__(self, space: AddressSpace, *, estimated: bool) -> None:
        self._space = space
        self._estimated = estimated

    @cached_property
    def stacks(self) -> tuple[SystemStack, ...]:
        """The smallest first."""
        stacks = self._space.world.system_stacks.all()
        return tuple(s for s in stacks if s.estimated == self._estimated)

    def identify(self, address: int) -> Location | None:
        stack = next((s for s in self.stacks if address in s), None)
        if stack is None:
            return None
        detail: Detail = {
            "thread": stack.thread,
            "which": stack.which,
            "low": Address(stack.low),
            "high": Address(stack.high),
            "from_high": stack.high - address,
        }
        purpose = "scheduler" if stack.which == "g0" else "signal"
        whose = f"of thread {stack.thread}" if stack.thread else "kept for a thread of C's"
        name = f"{purpose} stack ({stack.which}) {whose}"
        return self._space.location(Kind.SYSTEM_STACK, address, name, detail, *_how_known(stack))


def _how_known(stack: SystemStack) -> Iterator[str]:
    low, high = stack.said
    whose = f"thread {stack.thread}" if stack.thread else "no thread yet"
    yield f"m with {whose}: {stack.which}.stack [{low:#x}, {high:#x})"
    if stack.estimated:
        cut = (
            "" if stack.said == (stack.low, stack.high) else ", cut to the mapping of its high end"
        )
        yield f"these bounds are the runtime's estimate{cut}"


_METADATA = "runtime metadata"  # what `runtime_regions` calls persistentalloc's chunks


class InRuntime:
    """The memory in which the runtime keeps its books."""

    def __init__(self, space: AddressSpace) -> None:
        self._space = space
        self._world = space.world

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

    @cached_property
    def _knows_chunks(self) -> bool:
        return any(region.what == _METADATA for region in self.regions)

    def identify(self, address: int) -> Location | None:
        region = next((r for r in self.regions if r.low <= address < r.high), None)
        if region is None and self._knows_chunks:
            return None  # mspans lie in what persistentalloc gave (mheap.init, fixalloc.alloc)
        at = bisect_right(self._mspans, address)
        size = self._world.layout.struct("mspan").size
        if at and address < self._mspans[at - 1] + size:
            start = self._mspans[at - 1]
            span = self._world.heap.span(start)
            about = f" of span {span.base:#x}" if span else ""
            return self._space.location(
                Kind.RUNTIME,
                address,
                f"span metadata{about}",
                {"what": "span metadata"},
                f"mspan {start:#x} is in mheap_.allspans",
            )
        if region is None:
            return None
        mapping = self._space.mapping_at(address)
        if mapping and mapping.perms.startswith("---"):
            return self._space.location(
                Kind.RESERVED,
                address,
                f"reserved for {region.what}",
                {"what": region.what},
                region.how,
            )
        return self._space.location(
            Kind.RUNTIME, address, region.what, {"what": region.what}, region.how
        )
