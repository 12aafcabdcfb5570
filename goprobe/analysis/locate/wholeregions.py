"""Regions without crumbs: where a kind of memory begins, in a picture and in what is said of it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from goprobe.model.location import Region

_PAGE = 4096


def whole_regions(regions: Sequence[Region]) -> list[Region]:
    """Headers and padding of less than a page counted to the neighbour that they touch."""
    whole: list[Region] = []
    waiting: list[Region] = []  # crumbs at the beginning of a mapping
    for region in regions:
        last = (waiting or whole or [region])[-1]
        touches = last.high == region.low and last.perms == region.perms
        if waiting and not touches:
            whole += waiting
            waiting = []
        if region.size < _PAGE and whole and touches and not waiting:
            whole.append(structs.replace(region, kind=whole[-1].kind))
        elif region.size < _PAGE:
            waiting.append(region)
        else:
            whole += [structs.replace(crumb, kind=region.kind) for crumb in waiting]
            whole.append(region)
            waiting = []
    return whole + waiting
