"""Addresses on the stacks of C's threads, as the C library notes them: of C's own threads, and all
of the stack where Go's runtime knows only a part of it."""

from __future__ import annotations

from functools import cached_property

import msgspec

from goprobe.analysis.locate.identify_base import AddressSpace
from goprobe.model.address import Address
from goprobe.model.location import Detail, Kind, Location


class CStack(msgspec.Struct, frozen=True):
    """[low, high) is the stack of a `thread`, whose descriptor is at `descriptor`."""

    low: int
    high: int
    thread: int
    descriptor: int


class OnCStack:
    """Without C, threads stand on stacks that Go made."""

    def __init__(self, space: AddressSpace) -> None:
        self._space = space

    @cached_property
    def stacks(self) -> tuple[CStack, ...]:
        world = self._space.world
        return tuple(
            CStack(*bounds, tid, registers.thread)
            for tid, registers in world.threads.items()
            if (bounds := world.system_stacks.of_c(tid))
        )

    def identify(self, address: int) -> Location | None:
        stack = next((s for s in self.stacks if s.low <= address < s.high), None)
        if stack is None:
            return None
        detail: Detail = {
            "thread": stack.thread,
            "which": "os",
            "low": Address(stack.low),
            "high": Address(stack.high),
        }
        return self._space.location(
            Kind.SYSTEM_STACK,
            address,
            f"C stack of thread {stack.thread}",
            detail,
            f"the C library's descriptor of thread {stack.thread} at {stack.descriptor:#x} has the "
            f"stack [{stack.low:#x}, {stack.high:#x})",
        )
