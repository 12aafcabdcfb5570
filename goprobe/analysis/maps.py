"""`goprobe maps`: the memory of a running process as Go uses it, with what of it is resident."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from goprobe.analysis.ask import ask
from goprobe.analysis.hold import AnyTarget
from goprobe.analysis.locate import Locator
from goprobe.analysis.regions import memory_map
from goprobe.model.attached import MapsReport
from goprobe.model.location import Region
from goprobe.process.maps import read_smaps
from goprobe.process.pagemap import resident

_TRIES = 4


def maps(target: AnyTarget) -> MapsReport:
    """Regions are of one stop; what is resident is read right after it, as the process runs on."""
    answer = ask(target, lambda world: memory_map(Locator(world)))
    regions = answer.value
    if target.is_core:
        sizes = [sum(high - low for low, high in target.core.held(r.low, r.high)) for r in regions]
        smaps = sum(sizes)
    else:
        sizes, smaps = _resident(target.pid, regions)
    return MapsReport(
        pid=target.pid,
        pause_us=answer.pause_us,
        map=tuple(structs.replace(r, rss=n) for r, n in zip(regions, sizes, strict=True)),
        rss=sum(sizes),
        smaps_rss=smaps,
    )


def _resident(pid: int, regions: Sequence[Region]) -> tuple[list[int], int]:
    """The resident bytes of each region, and the kernel's own sum.

    Both are read while the process runs, and a collection or the scavenger may change megabytes
    in between: of some tries the one in which they agree best counts.
    """
    ranges = [(int(r.low), r.size) for r in regions]
    best: tuple[list[int], int] | None = None
    for _ in range(_TRIES):
        sizes = resident(pid, ranges)
        smaps = sum(use.rss for use in read_smaps(pid))
        off = abs(sum(sizes) - smaps)
        if best is None or off < abs(sum(best[0]) - best[1]):
            best = sizes, smaps
        if not off:
            break
    assert best is not None
    return best
