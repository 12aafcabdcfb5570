"""What of a process is in memory, or in its core file, and what the kernel's own sums say of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.locate.auditmaps import Looked
from goprobe.analysis.locate.locator import Locator
from goprobe.analysis.locate.memorymap import memory_map
from goprobe.analysis.memory.parts import RegionUse
from goprobe.model.location import Kind, Region
from goprobe.model.memory import ChargePart, KernelMemory
from goprobe.process.proc.kernelmemory import KernelSums, counted_resident, kernel_sums
from goprobe.process.proc.maps import find, read_rollup, read_smaps
from goprobe.process.proc.pagemap import Resident, Runs, resident
from goprobe.process.proc.procfs import PAGE_SIZE, provides, resident_bytes
from goprobe.process.proc.sharedmemory import SharedMemory
from goprobe.runtime.world import World
from goprobe.target.live import AnyTarget

_TRIES = 3
# (m, Linux 6.18) For each GiB smaps takes the kernel 29 ms, its sums 15, the page map 4.
_MOST_FOR_SMAPS = 512 << 20
_MOST_FOR_ROLLUP = 1 << 30
_BATCH = 32  # pages that each CPU may keep to itself (lib/percpu_counter.c, percpu_counter_batch)


class Whole(msgspec.Struct, frozen=True):
    """All that was `counted` as resident, and what the kernel says of the whole `before` and
    `after` that; it may be off by `slack`."""

    counted: int
    before: int
    after: int
    slack: int
    exact: bool

    def disagreements(self) -> Iterator[str]:
        """Whether more, or less, is resident than the kernel says."""
        slack = self.slack + abs(self.after - self.before)
        least, most = sorted((self.before, self.after))
        if self.counted < least - slack or (self.counted > most + slack and self.exact):
            yield (
                f"{self.counted:,} bytes are resident, and the kernel says {self.before:,} before, "
                f"{self.after:,} after"
            )


class There(msgspec.Struct, frozen=True):
    """What of each region is in memory, or in the core file."""

    uses: Sequence[RegionUse]
    runs: Runs
    kernel: KernelMemory
    looked: Looked | None = None
    whole: Whole | None = None


def of_process(pid: int, world: World) -> There:
    """Held against smaps, mapping by mapping; of a large process against sums of all of it."""
    regions = memory_map(Locator(world), spans=False)
    if resident_bytes(pid) > _MOST_FOR_SMAPS or not provides(pid, "smaps"):
        return _of_large(pid, world, regions)
    before = read_smaps(pid)
    for _ in range(_TRIES):
        pages = _resident(pid, regions)
        looked = Looked(regions, pages.sizes, before, before, pages.exact)
        if next(looked.disagreements(), None) is None:
            break
        after = read_smaps(pid)
        looked = Looked(regions, pages.sizes, before, after, pages.exact)
        before = after
        if next(looked.disagreements(), None) is None:
            break
    kernel = _told(kernel_sums(pid, looked.after), pages)
    return There(_uses(pid, world, regions, pages), pages.runs, kernel, looked)


def _resident(pid: int, regions: Sequence[Region]) -> Resident:
    ranges = [(int(r.low), r.size) for r in regions]
    files = [(int(r.low), r.size) for r in regions if r.kind is Kind.FILE]
    return resident(pid, ranges, files)


def _uses(
    pid: int, world: World, regions: Sequence[Region], pages: Resident
) -> tuple[RegionUse, ...]:
    shared = SharedMemory(pid)

    def use(region: Region, size: int) -> RegionUse:
        mapping = find(world.mappings, region.low)
        low, high = region.low, region.high
        is_file = mapping is not None and region.kind is Kind.FILE
        return RegionUse(
            region,
            size,
            huge=pages.huge.within(low, high),
            swapped=pages.swapped.within(low, high),
            copied=size - pages.of_files.within(low, high) if is_file else 0,
            shared=mapping is not None and is_file and mapping in shared,
            name=mapping.anonymous_name if mapping else "",
        )

    return tuple(map(use, regions, pages.sizes))


def _of_large(pid: int, world: World, regions: Sequence[Region]) -> There:
    before = counted_resident(pid)
    pages = _resident(pid, regions)
    rollup = read_rollup(pid) if before <= _MOST_FOR_ROLLUP else None
    sums = kernel_sums(pid, None if rollup is None else (rollup,))
    cpus = os.cpu_count() or 1
    # What CPUs keep to themselves the counter does not know (before Linux 6.16).
    slack = PAGE_SIZE * (len(regions) + max(_BATCH, 2 * cpus) * cpus)
    whole = Whole(sum(pages.sizes), before, sums.rss, slack, pages.exact)
    uses = _uses(pid, world, regions, pages)
    return There(uses, pages.runs, _told(sums, pages), whole=whole)


def _told(sums: KernelSums, pages: Resident) -> KernelMemory:
    charge = sums.charge
    told = KernelMemory(
        rss=sums.rss,
        smaps_rss=sums.rss,
        pss=UNSET if sums.pss is None else sums.pss,
        swap=sums.swap,
        swap_pss=UNSET if sums.swap_pss is None else sums.swap_pss,
        huge=pages.huge.size if pages.exact else UNSET,
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
        cgroup_limit=charge.limit.bytes if charge.limit else UNSET,
        cgroup_limit_of=charge.limit.of if charge.limit else "",
        cgroup_left=UNSET if charge.left is None else charge.left,
        cgroup_high=charge.high.bytes if charge.high else UNSET,
        cgroup_high_of=charge.high.of if charge.high else "",
        cgroup_swap=UNSET if charge.swap is None else charge.swap,
        cgroup_swap_limit=charge.swap_limit.bytes if charge.swap_limit else UNSET,
        cgroup_parts=tuple(ChargePart(name, size) for name, size in charge.parts),
    )


def of_core(target: AnyTarget, world: World) -> There:
    """A core says nothing of what was resident: what it has of each region is told instead."""
    assert target.is_core
    regions = memory_map(Locator(world), spans=False)
    runs = Runs()
    uses = []
    for region in regions:
        pieces = list(target.core.present(region.low, region.high))
        uses.append(RegionUse(region, sum(high - low for low, high in pieces)))
        for low, high in pieces:
            runs.add(low, high)
    whole = sum(use.size for use in uses)
    kernel = KernelMemory(rss=whole, why_no_cgroup="a core file says nothing of it")
    return There(uses, runs, kernel)
