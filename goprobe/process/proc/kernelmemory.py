"""What the kernel says of a process's memory: its mappings' sums, page tables, the cgroup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from goprobe.process.proc.maps import MappingUse
from goprobe.process.proc.memorycgroups import Charge, charge_of
from goprobe.process.proc.procfs import status_sizes


class KernelSums(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes. `rss`, `pss`, `swap` and `swap_pss` are sums over all mappings; where these were not
    looked at, the kernel's own counters, and shares (`pss`, `swap_pss`) are None. `page_tables` are
    on top of them, and `peak` is the most that was ever resident."""

    rss: int
    pss: int | None
    swap: int
    swap_pss: int | None
    page_tables: int
    peak: int
    charge: Charge


def counted_resident(pid: int) -> int:
    """By the kernel's counters: of these huge pages of hugetlbfs have one of their own."""
    return _resident(status_sizes(pid))


def _resident(status: Mapping[bytes, int]) -> int:
    return status.get(b"VmRSS", 0) + status.get(b"HugetlbPages", 0)


def kernel_sums(pid: int, uses: Sequence[MappingUse] | None) -> KernelSums:
    """`uses` are those of smaps, or its sums, for which the kernel looks at every page: None for a
    process that is too large for that. Raises TargetGoneError, NotPermittedError."""
    status = status_sizes(pid)
    return KernelSums(
        rss=_resident(status) if uses is None else sum(use.rss for use in uses),
        pss=None if uses is None else sum(use.pss for use in uses),
        swap=status.get(b"VmSwap", 0) if uses is None else sum(use.swap for use in uses),
        swap_pss=None if uses is None else sum(use.swap_pss for use in uses),
        page_tables=status.get(b"VmPTE", 0),
        peak=status.get(b"VmHWM", 0),
        charge=charge_of(pid),
    )
