"""The memory map as it was at an earlier stop, as far as that stop's own facts tell.

A trace has one map, of its last stop. A stack that has moved since is free memory in it; to the
stop that it belonged to it was a stack.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, structs

from goprobe.model.location import Kind, Region
from goprobe.model.trace import Stop


def with_stack(regions: Sequence[Region], stop: Stop) -> list[Region]:
    """The regions with the stop's goroutine's stack where it lay then."""
    if stop.stack is UNSET or not stop.goroutine or stop.stack.low >= stop.stack.high:
        return list(regions)
    low, high = stop.stack.low, stop.stack.high
    found: list[Region] = []
    perms = ""
    for region in regions:
        if region.high <= low or region.low >= high:
            found.append(region)
            continue
        perms = region.perms
        if region.low < low:
            found.append(structs.replace(region, high=low, size=low - region.low))
        if region.high > high:
            found.append(structs.replace(region, low=high, size=region.high - high))
    if perms:
        label = f"stack of goroutine {stop.goroutine}"
        found.append(Region(low, high, perms, Kind.GOROUTINE_STACK, label, high - low))
    return sorted(found, key=lambda region: region.low)
