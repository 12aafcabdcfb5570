"""What a process sampled between two looks at its profile.

The runtime's buckets count from the program's start and are never emptied: what was sampled before,
at another rate perhaps, is in them for good (src/runtime/mprof.go, Go 1.21 to 1.27).
"""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from goprobe.runtime.profiles.memoryprofile import Counts, MemoryProfile, SampledSite, numbers


def since(before: MemoryProfile | None, after: MemoryProfile) -> MemoryProfile:
    """The profile with what was sampled after `before` alone (None: all), and of that all up to
    now. Its objects that lie where one of their site lay before are taken for that one: `unsure`
    says how many."""
    if before is None:
        return after
    old = _pairs(before)
    kept = ~np.isin(_pairs(after), old)
    stayed = numbers(after.bucket[~kept])
    earlier = {site.bucket.address: site.now for site in before.sites}
    sites, unsure = list[SampledSite](), 0
    for site in after.sites:
        was = earlier.get(site.bucket.address, Counts(0, 0))
        there = stayed.get(site.bucket.address, 0)
        allocs, freed = site.now.allocs - was.allocs, site.now.frees - was.frees
        if allocs <= 0:
            continue
        in_use = min(max(site.now.in_use - there, 0), allocs)
        unsure += min(there, max(freed, 0), allocs - in_use)
        counts = Counts(allocs, allocs - in_use)
        sites.append(SampledSite(site.bucket, counts, counts))
    known = np.array([s.bucket.address for s in sites], np.uint64)
    kept &= np.isin(after.bucket, known)
    return replace(
        after,
        sites=tuple(sites),
        objects=after.objects[kept],
        bucket=after.bucket[kept],
        why=before.why or after.why,
        unsure=unsure,
    )


def _pairs(profile: MemoryProfile) -> NDArray[np.void]:
    """Each object with its bucket."""
    both = np.stack((profile.objects, profile.bucket), axis=1)
    return np.ascontiguousarray(both).view([("object", np.uint64), ("bucket", np.uint64)])[:, 0]
