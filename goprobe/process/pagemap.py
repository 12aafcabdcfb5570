"""How much of any range of addresses is in memory, finer than the mappings of smaps.

The kernel is asked for the resident pages of whole runs (ioctl PAGEMAP_SCAN, Linux 6.7), or, on
older kernels, for a word per page. Both count as smaps counts: pages of zeros that were only
ever read are not resident where the kernel lets us tell them apart.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from goprobe.process.procfs import PAGE_SIZE, translated

# Linux include/uapi/linux/fs.h: struct pm_scan_arg, struct page_region, PAGE_IS_*.
_PAGEMAP_SCAN = 0xC0606610
_SCAN = struct.Struct("=12Q")
_REGION = struct.Struct("=3Q")
_REGIONS = 4096
_PRESENT, _ZERO = 1 << 3, 1 << 5
_WALKED_TO = 4

_WORD_PRESENT = 1 << 63
_USER_END = 1 << 56
_CHUNK_PAGES = 1 << 16
_PAGES_LIMIT = 1 << 26

Range = tuple[int, int]
"""(address, size)"""


def resident(pid: int, ranges: Sequence[Range]) -> list[int]:
    """The bytes in memory of each (address, size), which need no alignment and may overlap.

    A range that has part of a page counts that part. What is not mapped is not resident; so is,
    on a kernel before 6.7, what lies behind the first 256 GiB asked for.
    Raises TargetGoneError, NotPermittedError.
    """
    with translated(pid, "read the page map"):
        file = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        try:
            runs = list(_runs(file, _merged(ranges)))
        finally:
            os.close(file)
    return _overlaps(runs, ranges)


def _merged(ranges: Sequence[Range]) -> list[tuple[int, int]]:
    """The pages asked for as sorted, disjoint [low, high)."""
    wanted = sorted(
        (max(a, 0) // PAGE_SIZE * PAGE_SIZE, -(-min(a + n, _USER_END) // PAGE_SIZE) * PAGE_SIZE)
        for a, n in ranges
        if n > 0 and a < _USER_END
    )
    merged: list[tuple[int, int]] = []
    for low, high in wanted:
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def _runs(file: int, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Resident [low, high) inside the spans, in address order."""
    budget = _PAGES_LIMIT
    scan = True
    for low, high in spans:
        if scan:
            try:
                yield from _scan(file, low, high)
                continue
            except OSError as error:
                if error.errno not in (errno.ENOTTY, errno.EINVAL):
                    raise
                scan = False
        pages = min((high - low) // PAGE_SIZE, budget)
        budget -= pages
        yield from _words(file, low, pages)


def _scan(file: int, low: int, high: int) -> Iterator[tuple[int, int]]:
    found = bytearray(_REGIONS * _REGION.size)
    where = ctypes.addressof(ctypes.c_char.from_buffer(found))
    while low < high:
        argument = bytearray(
            _SCAN.pack(
                _SCAN.size, 0, low, high, 0, where, _REGIONS, 0,
                _ZERO, _PRESENT | _ZERO, 0, _PRESENT,
            )
        )  # fmt: skip
        count = fcntl.ioctl(file, _PAGEMAP_SCAN, argument)
        for start, end, _ in _REGION.iter_unpack(found[: count * _REGION.size]):
            yield start, end
        walked = _SCAN.unpack(argument)[_WALKED_TO]
        if walked <= low:
            return
        low = walked


def _words(file: int, low: int, pages: int) -> Iterator[tuple[int, int]]:
    while pages > 0:
        raw = os.pread(file, min(pages, _CHUNK_PAGES) * 8, low // PAGE_SIZE * 8)
        words = array("Q", raw[: len(raw) // 8 * 8])
        if not words:
            return
        start = -1
        for i, word in enumerate(words):
            if word & _WORD_PRESENT:
                start = i if start < 0 else start
            elif start >= 0:
                yield low + start * PAGE_SIZE, low + i * PAGE_SIZE
                start = -1
        if start >= 0:
            yield low + start * PAGE_SIZE, low + len(words) * PAGE_SIZE
        low += len(words) * PAGE_SIZE
        pages -= len(words)


def _overlaps(runs: list[tuple[int, int]], ranges: Sequence[Range]) -> list[int]:
    starts = [low for low, _ in runs]
    before = [0]
    for low, high in runs:
        before.append(before[-1] + high - low)

    def resident_below(address: int) -> int:
        at = bisect_right(starts, address)
        if not at:
            return 0
        low, high = runs[at - 1]
        return before[at - 1] + min(address, high) - low

    return [resident_below(a + max(n, 0)) - resident_below(a) for a, n in ranges]
