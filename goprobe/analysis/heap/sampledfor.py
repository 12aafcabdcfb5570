"""`goprobe heap --sample-for`: sampling turned on for a while in a running program.

Source: src/runtime/malloc.go (mallocgc, profilealloc), mcache.go (memProfRate), Go 1.21 to 1.27.
MemProfileRate is read at each allocation, so that writing it is enough; by Go 1.24 each P keeps a
copy, and samples its next allocation at once where that differs: one more for each P.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.heap.sites import profile_now
from goprobe.errors import CannotWorkError, UndescribedError, UsageError
from goprobe.model.heap import HeapReport
from goprobe.runtime.profiles.memoryprofile import MemoryProfile
from goprobe.target.lentword import lent_word
from goprobe.target.live import AnyTarget


def sampled_for(
    target: AnyTarget,
    seconds: float,
    rate: int,
    look: Callable[[MemoryProfile], HeapReport],
    progress: Callable[[str], None],
    *,
    snapshot: str = "",
) -> HeapReport:
    """What a look tells while one object is sampled for each `rate` bytes, after so many seconds.
    It is given the profile as it was when that began, for it is about what was sampled since;
    `snapshot` says how that is taken.

    Raises UsageError of a core, CannotWorkError where the rate's place is not known.
    """
    if target.is_core:
        raise UsageError("--sample-for is about a running process, and this is a core file")
    try:
        address = target.root("MemProfileRate")
    except UndescribedError as error:
        raise CannotWorkError(f"sampling cannot be turned on: {error}") from None
    with lent_word(target, address, rate) as before:
        earlier = profile_now(target, snapshot=snapshot)
        progress(f"sampling allocations for {seconds:g} s")
        time.sleep(seconds)
        report = look(earlier)
    told = f"sampled for {seconds:g} s, one object for each {rate:,} bytes"
    if before not in (0, rate):
        told += f"; before, and again now, it is one for each {before:,}"
    if report.sampling is not UNSET:
        report = replace(report, sampling=replace(report.sampling, for_seconds=seconds))
    return replace(report, warnings=(*report.warnings, told))
