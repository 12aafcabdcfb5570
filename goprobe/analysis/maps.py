"""`goprobe maps`: the memory of a running process as Go uses it, with what of it is resident."""

from __future__ import annotations

from msgspec import structs

from goprobe.analysis.ask import ask
from goprobe.analysis.hold import Target
from goprobe.analysis.locate import Locator
from goprobe.analysis.regions import memory_map
from goprobe.model.attached import MapsReport
from goprobe.process.maps import read_smaps
from goprobe.process.pagemap import resident


def maps(target: Target) -> MapsReport:
    """Regions are of one stop; what is resident is read right after it, as the process runs on."""
    answer = ask(target, lambda world: memory_map(Locator(world)))
    regions = answer.value
    sizes = resident(target.pid, [(r.low, r.size) for r in regions])
    smaps = sum(use.rss for use in read_smaps(target.pid))
    return MapsReport(
        pid=target.pid,
        pause_us=answer.pause_us,
        map=tuple(structs.replace(r, rss=n) for r, n in zip(regions, sizes, strict=True)),
        rss=sum(sizes),
        smaps_rss=smaps,
    )
