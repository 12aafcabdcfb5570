"""What holds of allocation sites: the runtime's two ways of keeping them against each other."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from msgspec import UNSET

from goprobe.analysis.audit import audited, check
from goprobe.model.heap import HeapReport
from goprobe.model.report import Audited
from goprobe.runtime.profiles.memoryprofile import MemoryProfile

_AT_ONCE = 4096  # sites in which threads may be between counting an object and noting it


class SiteFacts(msgspec.Struct, frozen=True):
    report: HeapReport
    profile: MemoryProfile


@check("every object that was sampled belongs to a site that is listed")
def objects_have_sites(facts: SiteFacts) -> Iterator[str]:
    profile = facts.profile
    if profile.why:
        return
    known = np.array([site.bucket.address for site in profile.sites], np.uint64)
    strange = ~np.isin(profile.bucket, known)
    if strange.any():
        at = int(profile.objects[strange][0])
        yield f"{int(strange.sum())} sampled objects are of no listed site: first that at {at:#x}"


@check("no site frees more than it allocated, and each has as many objects as it counted")
def sites_count(facts: SiteFacts) -> Iterator[str]:
    profile = facts.profile
    for site in profile.sites:
        for counts in (site.published, site.now):
            if counts.frees > counts.allocs:
                yield (
                    f"the bucket at {site.bucket.address:#x} has {counts.allocs} allocations and "
                    f"{counts.frees} frees"
                )
    if not profile.why and (unsettled := profile.unsettled) > _AT_ONCE:
        yield f"{unsettled} sites have more or fewer sampled objects than they counted"


@check("the sizes of a site add up to it")
def sizes_add_up(facts: SiteFacts) -> Iterator[str]:
    report = facts.report
    if report.sites is UNSET or report.sampling is UNSET or report.sampling.scaled:
        return
    for site in report.sites:
        told = (site.inuse_objects, site.alloc_objects, site.now_objects)
        summed = tuple(
            sum(counts)
            for counts in zip(
                *((s.inuse_objects, s.alloc_objects, s.now_objects) for s in site.sizes),
                strict=True,
            )
        )
        if told != summed:
            yield f"a site of {told} objects has {summed} by size"


_CHECKS = (objects_have_sites, sites_count, sizes_add_up)


def audit_sites(facts: SiteFacts) -> tuple[Audited, ...]:
    return audited(_CHECKS, facts)
