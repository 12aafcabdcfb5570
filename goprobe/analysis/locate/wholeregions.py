"""Regions without crumbs: where a kind of memory begins, in a picture and in what is said of it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from goprobe.model.location import Kind, Region

OF_BINARY = frozenset({Kind.TEXT, Kind.RODATA, Kind.DATA, Kind.BSS})
_PAGE = 4096


def whole_regions(regions: Sequence[Region]) -> list[Region]:
    """Headers and padding of a binary of less than a page counted to its neighbour that they touch.
    Of all other memory, goroutines' stacks of 2 KiB say, the smallest pieces are what they are."""
    whole: list[Region] = []
    waiting: list[Region] = []  # crumbs at the beginning of a mapping
    for region in regions:
        last = (waiting or whole or [region])[-1]
        touches = last.high == region.low and last.perms == region.perms
        touches = touches and {last.kind, region.kind} <= OF_BINARY
        crumb = region.size < _PAGE and region.kind in OF_BINARY
        if waiting and not touches:
            whole += waiting
            waiting = []
        if crumb and whole and touches and not waiting:
            whole.append(structs.replace(region, kind=whole[-1].kind))
        elif crumb:
            waiting.append(region)
        else:
            whole += [structs.replace(each, kind=region.kind) for each in waiting]
            whole.append(region)
            waiting = []
    return whole + waiting
