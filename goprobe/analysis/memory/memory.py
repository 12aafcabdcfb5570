"""`goprobe memory`: why a process is as large as it is, on one screen.

The story: the runtime's own figures and the bitmaps of its pages are read in one short stop
(`read`); what of the process is resident, and what the kernel sums up, right after it, while it
runs. The heap's pages are divided by both (`heappages`), all else by the map of the process
(`parts`), and what is out of proportion is put into words (`verdict`).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.audit import finished
from goprobe.analysis.locate.auditmaps import Looked
from goprobe.analysis.locate.locator import Locator
from goprobe.analysis.locate.memorymap import memory_map
from goprobe.analysis.memory.audit import MemoryFacts, audit_memory
from goprobe.analysis.memory.heappages import HeapPages, divided
from goprobe.analysis.memory.parts import parts_of
from goprobe.analysis.memory.read import Moment, read_moment
from goprobe.analysis.memory.verdict import surprises, verdict
from goprobe.errors import UnreadableError
from goprobe.model.location import Region
from goprobe.model.memory import ChargePart, KernelMemory, MemoryReport
from goprobe.process.memory.memory import PageCache
from goprobe.process.proc.kernelmemory import KernelSums, kernel_sums
from goprobe.process.proc.maps import read_maps, read_smaps
from goprobe.process.proc.pagemap import Resident, Runs, resident
from goprobe.process.proc.procfs import resident_bytes
from goprobe.runtime.world import World
from goprobe.target.live import AnyTarget
from goprobe.target.query import query

_TRIES = 3
_MOST_FOR_SMAPS = 512 << 20  # (m) for each GiB smaps takes 60 to 130 ms, the page map 15


class _There(msgspec.Struct, frozen=True):
    """What of each region is in memory, or in the core file."""

    regions: Sequence[Region]
    sizes: Sequence[int]
    runs: Runs
    kernel: KernelMemory
    looked: Looked | None = None


def memory(target: AnyTarget) -> MemoryReport:
    """Raises what `query` raises. What cannot be read is left out, and the report says why."""
    answer = query(target, read_moment)
    moment = answer.value
    if target.is_core:
        world = target.world()
    else:
        reader = PageCache(target.reader())
        world = target.world(reader, read_maps(target.pid), moment.threads)
    there = _of_core(target, world) if target.is_core else _resident(target.pid, world)
    heap = _divided(world, moment, there.runs)
    state = moment.state
    parts = parts_of(there.regions, there.sizes, heap, collected=bool(moment.memstats.get("NumGC")))
    kernel = replace(there.kernel, rss=sum(part.bytes for part in parts))
    surprising = surprises(parts, kernel, state)
    report = MemoryReport(
        **target.process.head,
        pause_us=answer.pause_us,
        parts=parts,
        kernel=kernel,
        absent=heap.absent if heap else 0,
        memstats=moment.memstats,
        metrics=dict(moment.metrics.values),
        not_told=moment.not_told,
        runtime=state if state is not None else UNSET,
        surprises=surprising,
        verdict=verdict(parts, kernel, surprising),
    )
    facts = MemoryFacts(report, there.looked, moment.sums, moment.pages)
    return finished(report, audit_memory(facts), target.doubts)


def _divided(world: World, moment: Moment, runs: Runs) -> HeapPages | None:
    if moment.sums is None or not moment.pages:
        return None
    try:
        return divided(world.heap, moment.pages, moment.sums, runs)
    except UnreadableError:
        return None


def _resident(pid: int, world: World) -> _There:
    """Of some tries the first in which the page map and the kernel's own sums agree, or the last:
    the process runs meanwhile."""
    regions = memory_map(Locator(world), spans=False)
    ranges = [(int(r.low), r.size) for r in regions]
    if resident_bytes(pid) > _MOST_FOR_SMAPS:
        pages = resident(pid, ranges)
        kernel = _told(kernel_sums(pid, None), pages)
        return _There(regions, pages.sizes, pages.runs, kernel)
    before = read_smaps(pid)
    for _ in range(_TRIES):
        pages = resident(pid, ranges)
        looked = Looked(regions, pages.sizes, before, before, pages.exact)
        if next(looked.disagreements(), None) is None:
            break
        after = read_smaps(pid)
        looked = Looked(regions, pages.sizes, before, after, pages.exact)
        before = after
        if next(looked.disagreements(), None) is None:
            break
    kernel = _told(kernel_sums(pid, looked.after), pages)
    return _There(regions, pages.sizes, pages.runs, kernel, looked)


def _told(sums: KernelSums, pages: Resident) -> KernelMemory:
    charge = sums.charge
    told = KernelMemory(
        rss=sums.rss,
        smaps_rss=sums.rss,
        pss=UNSET if sums.pss is None else sums.pss,
        swap=sums.swap,
        huge=pages.runs.huge if pages.exact else UNSET,
        page_tables=sums.page_tables,
        peak=sums.peak,
        why_no_cgroup=charge.why,
    )
    if charge.why:
        return told
    return replace(
        told,
        cgroup=charge.bytes,
        cgroup_name=charge.name,
        cgroup_limit=UNSET if charge.limit is None else charge.limit,
        cgroup_parts=tuple(ChargePart(name, size) for name, size in charge.parts),
    )


def _of_core(target: AnyTarget, world: World) -> _There:
    """A core says nothing of what was resident: what it has of each region is told instead."""
    assert target.is_core
    regions = memory_map(Locator(world), spans=False)
    runs = Runs()
    sizes = []
    for region in regions:
        pieces = list(target.core.present(region.low, region.high))
        sizes.append(sum(high - low for low, high in pieces))
        for low, high in pieces:
            runs.add(low, high)
    kernel = KernelMemory(rss=sum(sizes), why_no_cgroup="a core file says nothing of it")
    return _There(regions, sizes, runs, kernel)
