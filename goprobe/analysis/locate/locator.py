"""What an address is: the one place that answers it, for every kind, with evidence.

Each identifier looks at one kind of bookkeeping; the first that knows the address, in order of
how much it says, gives the answer, and the others that know it give its further identities.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePath
from typing import Protocol

from msgspec.structs import replace

from goprobe.analysis.locate.identify_base import AddressSpace
from goprobe.analysis.locate.identify_binary import InBinary, InPlugin
from goprobe.analysis.locate.identify_cmalloc import OfMalloc
from goprobe.analysis.locate.identify_cstacks import CStack, OnCStack
from goprobe.analysis.locate.identify_heap import InHeap
from goprobe.analysis.locate.identify_mappings import InMappings
from goprobe.analysis.locate.identify_runtime import InRuntime, OnSystemStack
from goprobe.analysis.locate.identify_shadow import InShadow
from goprobe.model.location import Detail, Kind, Location
from goprobe.process.glibcmalloc import MallocMemory
from goprobe.process.proc.maps import Mapping
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.heap.regions import RuntimeRegion
from goprobe.runtime.systemstacks import SystemStack
from goprobe.runtime.world import World


class _Identifier(Protocol):
    def identify(self, address: int) -> Location | None:
        """What the address is, where this is the bookkeeping that knows it."""


class InOthers:
    """Other Go programs in the same process, each by its own bookkeeping."""

    def __init__(self, others: tuple[Locator, ...]) -> None:
        self._others = others

    def identify(self, address: int) -> Location | None:
        for other in self._others:
            if location := other.known(address):
                program = PurePath(other.world.program.elf.shown_as).name
                return replace(
                    location,
                    name=f"{location.name}, of {program}",
                    detail={**location.detail, "program": program},
                    evidence=(
                        *location.evidence,
                        f"{program} is another Go program in this process",
                    ),
                )
        return None


class Locator:
    """Answers for one stop of one process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._space = space = AddressSpace(world)
        self.images = space.images
        self.beside = tuple(map(Locator, world.beside))
        self._heap = InHeap(space)
        self._runtime = InRuntime(space)
        self._of_c = OnCStack(space)
        self._of_malloc = OfMalloc(space, self._ends)
        self._own: tuple[_Identifier, ...] = (
            OnSystemStack(space, estimated=False),
            InBinary(space),
            InPlugin(space),
            self._heap,
            self._runtime,
            OnSystemStack(space, estimated=True),
        )
        self._identifiers: tuple[_Identifier, ...] = (
            *self._own,
            InOthers(self.beside),
            self._of_c,
            self._of_malloc,
            InShadow(space),
            InMappings(space),
        )
        self.locate = lru_cache(maxsize=65536)(self._locate)

    def _locate(self, address: int) -> Location:
        """The most specific identity of an address."""
        for identifier in self._identifiers:
            location = identifier.identify(address)
            if location is not None:
                return location
        return self._space.location(
            Kind.UNMAPPED, address, "not mapped", {}, "in no mapping of the process"
        )

    def locate_all(self, address: int) -> tuple[Location, ...]:
        """Every identity of an address, most specific first."""
        *specific, _ = self._identifiers
        locations = [f for each in specific if (f := each.identify(address)) is not None]
        locations += self._structures(address)
        return tuple(locations) or (self.locate(address),)

    def known(self, address: int) -> Location | None:
        """What this program's own bookkeeping says of an address, None where it says nothing."""
        return next((f for each in self._own if (f := each.identify(address))), None)

    def _structures(self, address: int) -> list[Location]:
        """A goroutine's own g struct is a heap object too; say whose it is."""
        for g in self.world.goroutines.known:
            if g.address <= address < g.address + self.world.layout.struct("g").size:
                detail: Detail = {"what": "g struct", "goroutine": g.id}
                return [
                    self._space.location(
                        Kind.RUNTIME,
                        address,
                        f"the g struct of goroutine {g.id}",
                        detail,
                        f"runtime.allgs lists a g at {g.address:#x}",
                    )
                ]
        return []

    def _ends(self) -> Iterator[int]:
        """Where the runtime's own regions end, and stacks of threads."""
        yield from (region.high for region in self.regions)
        yield from (stack.high for stack in self.c_stacks)
        yield from (stack.high for stack in self.system_stacks)

    def mapping_at(self, address: int) -> Mapping | None:
        """The kernel's mapping that holds an address."""
        return self._space.mapping_at(address)

    def stack_pointer(self, goroutine: Goroutine) -> int:
        """Where a goroutine's stack is used down to."""
        return self._heap.stack_pointer(goroutine)

    @property
    def system_stacks(self) -> tuple[SystemStack, ...]:
        """Every g0 and signal stack, the smallest first."""
        return self.world.system_stacks.all()

    @property
    def c_stacks(self) -> tuple[CStack, ...]:
        """The stacks of C's threads."""
        return self._of_c.stacks

    @property
    def of_malloc(self) -> tuple[MallocMemory, ...]:
        """What glibc's malloc has beside the C heap (brk)."""
        return self._of_malloc.pieces

    @property
    def regions(self) -> tuple[RuntimeRegion, ...]:
        """The runtime's own regions of memory."""
        return self._runtime.regions
