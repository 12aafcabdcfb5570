"""What every identifier of addresses stands on: the process, its mappings, its images."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property

from goprobe.analysis.locate.images import Images
from goprobe.model.address import Address
from goprobe.model.location import Detail, Kind, Location
from goprobe.process.proc.maps import Mapping
from goprobe.runtime.world import World


class AddressSpace:
    """One stop of one process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.images = Images(world)

    @cached_property
    def _mapping_lows(self) -> list[int]:
        return [m.low for m in self.world.mappings]

    def mapping_at(self, address: int) -> Mapping | None:
        at = bisect_right(self._mapping_lows, address)
        mapping = self.world.mappings[at - 1] if at else None
        return mapping if mapping and address < mapping.high else None

    def in_own_image(self, address: int) -> bool:
        """Whether the program's own executable is loaded there."""
        return address in self.world.image

    def location(
        self, kind: Kind, address: int, name: str, detail: Detail, *evidence: str
    ) -> Location:
        """A location with its evidence; the kernel's mapping is always the last of it."""
        mapping = self.mapping_at(address)
        last = (_described(mapping),) if mapping else ()
        return Location(kind, Address(address), name, detail, (*evidence, *last))


def _described(m: Mapping) -> str:
    label = f" {m.path}" if m.path else ""
    return f"/proc map [{m.low:#x}, {m.high:#x}) {m.perms}{label}"
