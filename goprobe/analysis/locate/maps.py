"""`goprobe maps`: the memory of a running process as Go uses it, with what of it is resident."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from msgspec import structs

from goprobe.analysis.audit import finished
from goprobe.analysis.goroutines.auditthreads import threads_of
from goprobe.analysis.locate.auditmaps import Looked, MapsFacts, audit_maps
from goprobe.analysis.locate.locator import Locator
from goprobe.analysis.locate.memorymap import memory_map
from goprobe.model.attached import MapsReport
from goprobe.model.location import Region
from goprobe.process.core.file import CoreFile
from goprobe.process.proc.maps import read_smaps
from goprobe.process.proc.pagemap import resident
from goprobe.target.live import AnyTarget
from goprobe.target.query import query

_TRIES = 4
_TROUBLE = 1000


def maps(target: AnyTarget) -> MapsReport:
    """Regions are of one stop; what is resident is read right after it, as the process runs on."""
    answer = query(target, lambda world: (memory_map(Locator(world)), threads_of(world)))
    regions, threads = answer.value
    report = MapsReport(
        **target.process.head,
        pause_us=answer.pause_us,
        map=regions,
    )
    if target.is_core:
        report = _stored(report, target.core)
        return finished(report, audit_maps(MapsFacts(report, None, threads)), target.doubts)
    looked = _look(target.pid, regions)
    sums = [sum(use.rss for use in uses) for uses in (looked.before, looked.after)]
    report = structs.replace(
        report,
        map=tuple(structs.replace(r, rss=n) for r, n in zip(regions, looked.sizes, strict=True)),
        rss=sum(looked.sizes),
        smaps_rss=min(sums, key=lambda n: abs(n - sum(looked.sizes))),
        swap=sum(use.swap for use in looked.after),
    )
    return finished(report, audit_maps(MapsFacts(report, looked, threads)))


def _stored(report: MapsReport, core: CoreFile) -> MapsReport:
    """With what a core file has of each region. It may have pages of zeros that never were in
    memory, and leaves out what it can find in files: nothing in it says what was resident."""
    sizes = [sum(high - low for low, high in core.present(r.low, r.high)) for r in report.map]
    regions = tuple(structs.replace(r, stored=n) for r, n in zip(report.map, sizes, strict=True))
    return structs.replace(report, map=regions, stored=sum(sizes))


def _look(pid: int, regions: Sequence[Region]) -> Looked:
    """What is resident of each region, and the kernel's own sums around that.

    All are read while the process runs, and a collection or the scavenger may change megabytes
    in between: of some tries the one in which they agree best counts.
    """
    ranges = [(int(r.low), r.size) for r in regions]
    best: tuple[int, Looked] | None = None
    before = read_smaps(pid)
    for _ in range(_TRIES):
        pages = resident(pid, ranges)
        after = read_smaps(pid)
        looked = Looked(regions, pages.sizes, before, after, pages.exact)
        off = sum(1 for _ in islice(looked.disagreements(), _TROUBLE))
        if best is None or off < best[0]:
            best = off, looked
        if not off:
            break
        before = after
    assert best is not None
    return best[1]
