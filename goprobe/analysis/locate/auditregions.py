"""What holds of every map of a process's memory, whichever report it is in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from goprobe.analysis.audit import check
from goprobe.counts import counted
from goprobe.model.location import Kind, Region

_STACKS = (Kind.GOROUTINE_STACK, Kind.SYSTEM_STACK)

Map = Sequence[Region]


@check("the regions ascend, and no two of them overlap")
def regions_apart(regions: Map) -> Iterator[str]:
    for region in regions:
        if region.high - region.low != region.size or region.size <= 0:
            yield f"{named(region)} is said to have {counted(region.size, 'byte')}"
    for a, b in pairwise(regions):
        if b.low < a.high:
            yield f"{named(b)} begins within {named(a)}"


@check("stacks are memory that can be written to, reserved space is not")
def rights_fit(regions: Map) -> Iterator[str]:
    for region in regions:
        if region.kind in _STACKS and "w" not in region.perms:
            yield f"{named(region)} cannot be written to ({region.perms})"
        if region.kind is Kind.RESERVED and not region.perms.startswith("---"):
            yield f"{named(region)} is said to be reserved, and is {region.perms}"


def named(region: Region) -> str:
    return f"{region.label} [{region.low}, {region.high})"


REGIONS = (regions_apart, rights_fit)
