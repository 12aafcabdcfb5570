"""Who allocated what: the sites of the runtime's own profile, as they are reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

import msgspec
import numpy as np
from msgspec.structs import replace

from goprobe.analysis.audit import finished
from goprobe.analysis.heap.audit import HeapFacts, audit_heap
from goprobe.analysis.heap.auditsites import SiteFacts, audit_sites
from goprobe.analysis.heap.census import census_report, no_bookkeeping
from goprobe.analysis.profiled import call_sites
from goprobe.counts import counted
from goprobe.errors import CannotWorkError, UnreadableError
from goprobe.model.heap import HeapReport
from goprobe.model.sites import Allocation, Sampling, Site, SiteSize, scaled
from goprobe.process.fork.plan import NoForkError
from goprobe.runtime.heap.bookkeeping import Bookkeeping, at_rest
from goprobe.runtime.heap.census import Census
from goprobe.runtime.profiles.memoryprofile import (
    UNKNOWN,
    MemoryProfile,
    SampledSite,
    memory_profile,
)
from goprobe.runtime.profiles.since import since
from goprobe.runtime.world import World
from goprobe.target.live import AnyStopped, AnyTarget, forked_child, stopped_target

T = TypeVar("T")

_TRIES = 3
NOT_SAMPLED = "the runtime did not sample its allocation"


class ProfiledHeap(msgspec.Struct, frozen=True):
    """The census and the profile of one moment. `warnings` say what is not as it was asked for."""

    world: World
    census: Census
    profile: MemoryProfile
    how: str
    pause_us: int
    warnings: tuple[str, ...] = ()


def heap_sites(
    target: AnyTarget,
    *,
    raw: bool,
    snapshot: str = "",
    timeout: float = 5.0,
    progress: Callable[[str], None] = lambda message: None,
    earlier: MemoryProfile | None = None,
) -> HeapReport:
    """The census and the allocation sites, of what was sampled after `earlier`: the pointers of the
    heap are not needed for them.

    Raises what `heap` raises.
    """
    progress("reading the profile of the heap")

    def said(heap: ProfiledHeap) -> HeapReport:
        census = heap.census
        profile = since(earlier, heap.profile)
        report = census_report(target.process, census, heap.pause_us, heap.how)
        report = replace(report, warnings=heap.warnings)
        report = with_sites(report, heap.world, profile, raw=raw)
        audit = audit_heap(HeapFacts(report, census)) + audit_sites(SiteFacts(report, profile))
        return finished(report, audit, target.doubts)

    try:
        return _taken(target, snapshot, timeout, said)
    except UnreadableError as error:
        raise no_bookkeeping(target, error) from None


def profile_now(target: AnyTarget, *, snapshot: str = "", timeout: float = 5.0) -> MemoryProfile:
    """The runtime's profile as it is. Raises what `heap` raises."""
    try:
        return _taken(target, snapshot, timeout, lambda heap: heap.profile)
    except UnreadableError as error:
        raise no_bookkeeping(target, error) from None


def _taken(
    target: AnyTarget,
    snapshot: str,
    timeout: float,
    said: Callable[[ProfiledHeap], T],
) -> T:
    """Of a copy of the process where one can be made, else as it stands: again while it is in the
    middle of an allocation."""
    why = ""
    if not target.is_core and snapshot != "stop":
        try:
            for left in reversed(range(_TRIES)):
                with forked_child(target, timeout=timeout) as child:
                    heap = _profiled(child, "fork")
                    if not left or _settled(heap):
                        return said(heap)  # names of a plugin's functions are read from the copy
        except NoForkError as error:
            if snapshot == "fork":
                raise CannotWorkError(
                    f"process {target.pid} cannot be forked: {error.why}",
                    hint="--snapshot stop reads it while it stands",
                ) from None
            why = f"no fork was made: {error.why}"
    for left in reversed(range(_TRIES)):
        with stopped_target(target, timeout=timeout) as stopped:
            heap = _profiled(stopped, "core" if target.is_core else "stop")
            if target.is_core or not left or _settled(heap):
                stopped.release()
                warnings = (why,) if why else ()
                return said(replace(heap, warnings=warnings, pause_us=stopped.pause_us))
    raise AssertionError("the last try always answers")


def _settled(heap: ProfiledHeap) -> bool:
    return at_rest(heap.census) and heap.profile.settled


def _profiled(stopped: AnyStopped, how: str) -> ProfiledHeap:
    world = stopped.world
    books = Bookkeeping.of(world.layout, world.roots)
    census = books.count(books.copy(stopped.memory))
    return ProfiledHeap(world, census, memory_profile(world, census.spans), how, stopped.pause_us)


def with_sites(
    report: HeapReport, world: World, profile: MemoryProfile, *, raw: bool
) -> HeapReport:
    """The report with the sites in it, and what is to be said of them."""
    scaled = not raw and profile.rate > 1
    rate = profile.rate if scaled else 1
    sites = tuple(_site(world, alike, rate) for alike in by_stack(profile, rate))
    sampling = _sampling(profile, sites, scaled=scaled)
    warnings = (*report.warnings, *_said(profile), *_doubtful(world, profile))
    return replace(report, sites=sites, sampling=sampling, warnings=warnings)


def by_stack(profile: MemoryProfile, rate: int) -> list[list[SampledSite]]:
    """The buckets with the same stack, one for each size of object: most bytes in use first."""
    alike: dict[tuple[int, ...], list[SampledSite]] = {}
    for site in profile.sites:
        alike.setdefault(site.bucket.stack, []).append(site)

    def weight(sites: list[SampledSite]) -> tuple[int, ...]:
        inuse, alloc, now = _summed(sites, rate)
        return -inuse[1], -now[1], -alloc[1]

    return sorted(alike.values(), key=weight)


def _summed(alike: Sequence[SampledSite], rate: int) -> list[tuple[int, int]]:
    """Objects and bytes in use, allocated, and in use by now. Each size is scaled by itself, as
    pprof does: small objects are sampled less often than large ones."""
    columns = [[scaled(count, site.bucket.size, rate) for count in _counts(site)] for site in alike]
    return [
        (sum(row[i][0] for row in columns), sum(row[i][1] for row in columns)) for i in range(3)
    ]


def _site(world: World, alike: Sequence[SampledSite], rate: int) -> Site:
    inuse, alloc, now = _summed(alike, rate)
    frames, allocator = call_sites(world, alike[0].bucket.stack)
    return Site(
        stack=frames,
        allocator=allocator,
        inuse_objects=inuse[0],
        inuse_bytes=inuse[1],
        alloc_objects=alloc[0],
        alloc_bytes=alloc[1],
        now_objects=now[0],
        now_bytes=now[1],
        sizes=tuple(
            SiteSize(s.bucket.size, s.published.allocs, s.published.in_use, s.now.in_use)
            for s in sorted(alike, key=lambda s: s.bucket.size)
        ),
    )


def _counts(site: SampledSite) -> tuple[int, int, int]:
    return site.published.in_use, site.published.allocs, site.now.in_use


def allocation_of(world: World, profile: MemoryProfile, low: int, high: int) -> Allocation:
    """Where the object in [low, high) was allocated, if it was sampled."""
    if profile.why and not len(profile.objects):
        return Allocation(why=f"the profile of the heap is not known: {profile.why}")
    rows = np.flatnonzero((profile.objects >= low) & (profile.objects < high))
    stacks = {site.bucket.address: site.bucket.stack for site in profile.sites}
    for address in profile.bucket[rows].tolist():
        with suppress(KeyError):
            frames, allocator = call_sites(world, stacks[address])
            return Allocation(frames, allocator)
    return Allocation(why=f"{NOT_SAMPLED}{_how_many(profile)}")


def _how_many(profile: MemoryProfile) -> str:
    if not profile.rate:
        return f": {_off(profile)}"
    return f" (it samples one object for each {profile.rate:,} bytes)" if profile.rate > 0 else ""


def _off(profile: MemoryProfile) -> str:
    if profile.linked:
        return "sampling is off (runtime.MemProfileRate is 0)"
    return "the linker turned sampling off, for nothing in the program reads the profile"


def _sampling(profile: MemoryProfile, sites: Sequence[Site], *, scaled: bool) -> Sampling:
    there = {site.bucket.address: site.bucket.size for site in profile.sites}
    sizes = [there.get(address, 0) for address in profile.bucket.tolist()]
    return Sampling(
        rate=profile.rate,
        linked=profile.linked,
        scaled=scaled,
        inuse_objects=sum(s.inuse_objects for s in sites),
        inuse_bytes=sum(s.inuse_bytes for s in sites),
        alloc_objects=sum(s.alloc_objects for s in sites),
        alloc_bytes=sum(s.alloc_bytes for s in sites),
        now_objects=sum(s.now_objects for s in sites),
        now_bytes=sum(s.now_bytes for s in sites),
        sampled_objects=len(sizes),
        sampled_bytes=sum(sizes),
        why=profile.why,
    )


def _said(profile: MemoryProfile) -> tuple[str, ...]:
    said = []
    if profile.why:
        told = "allocation sites are" if profile.rate == UNKNOWN else "some allocation sites may be"
        said.append(f"{told} not known: {profile.why}")
    elif not profile.rate:
        # The first allocations of all are made before the linker's word is read (schedinit).
        before = ", but was on before" if profile.sites and profile.linked else ""
        said.append(
            f"{_off(profile)}{before}: --sample-for 30s turns it on for so long in the running "
            "program"
        )
    if profile.unsure:
        said.append(
            f"{counted(profile.unsure, 'object')} more may be in use: where they lie, objects of "
            "the same site lay before, and which of the two is there does not show"
        )
    if not profile.why and (unsettled := profile.unsettled):
        said.append(
            f"the process was in the middle of sampling: {unsettled} of its sites may be off by "
            "what threads were about to count"
        )
    return tuple(said)


def _doubtful(world: World, profile: MemoryProfile) -> Iterator[str]:
    if (bucket := profile.doubtful) is not None:
        frames, allocator = call_sites(world, bucket.stack)
        where = frames[min(allocator, len(frames) - 1)].function if frames else "no stack"
        size = counted(bucket.size, "byte")
        yield (
            "the process was in the middle of publishing what it counted: of objects of "
            f"{size} that {where} allocated some allocations and frees may be counted twice"
        )
