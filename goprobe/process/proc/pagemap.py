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
from itertools import groupby

import msgspec

from goprobe.errors import CannotWorkError
from goprobe.process.proc.procfs import PAGE_SIZE, provides, translated

# Linux include/uapi/linux/fs.h: struct pm_scan_arg, struct page_region, PAGE_IS_*.
_PAGEMAP_SCAN = 0xC0606610
_SCAN = struct.Struct("=12Q")
_REGION = struct.Struct("=3Q")
_REGIONS = 512  # what the kernel gathers at once (fs/proc/task_mmu.c, PAGEMAP_WALK_SIZE)
# PAGE_IS_FILE, _PRESENT, _SWAPPED, _PFNZERO, _HUGE, Linux include/uapi/linux/fs.h
_FILE, _PRESENT, _SWAPPED, _ZERO, _HUGE = 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6
_WALKED_TO = 4
_AT_ONCE = 1 << 14
"""Pages: while the kernel walks, the process can map and unmap nothing (it holds mmap_lock). So
many take it a fraction of a millisecond (m); what is not resident it skips."""


# Linux Documentation/admin-guide/mm/pagemap.rst
_WORD_PRESENT, _WORD_SWAPPED, _WORD_FILE = 1 << 63, 1 << 62, 1 << 61
_USER_END = 1 << 56
_CHUNK_PAGES = 1 << 16
_PAGES_LIMIT = 1 << 26

Range = tuple[int, int]
"""(address, size)"""


class Resident(msgspec.Struct, frozen=True):
    """The bytes in memory of each range asked for, and where they lie. `exact`: counted as smaps
    counts, without the pages of zeros that were only ever read.

    `of_files` are pages of files and of shared memory, where that was asked for: what else is there
    of a file's mapping was copied when it was written to. `huge` is what lies in huge pages, where
    the kernel tells, and `swapped` what is swapped out (of shared memory the page map does not
    say).
    """

    sizes: list[int]
    exact: bool
    runs: Runs
    of_files: Runs
    huge: Runs
    swapped: Runs


def resident(pid: int, ranges: Sequence[Range], files: Sequence[Range] = ()) -> Resident:
    """How much of each (address, size) is in memory; they need no alignment and may overlap.

    Which pages are of files is told of `files` alone: for that the kernel looks at its own record
    of each page (fs/proc/task_mmu.c, pagemap_page_category), and so takes six times as long (m).

    A range that has part of a page counts that part. What is not mapped is not resident; so is,
    on a kernel before 6.7, what lies behind the first 256 GiB asked for.
    Raises TargetGoneError, NotPermittedError, CannotWorkError (a kernel without page maps).
    """
    if not provides(pid, "pagemap"):
        raise CannotWorkError(
            "this kernel does not say which pages are in memory (/proc/PID/pagemap)",
            hint="a sandbox's kernel (gVisor's) has none, Linux has with CONFIG_PROC_PAGE_MONITOR",
        )
    with translated(pid, "read the page map"):
        file = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        try:
            there, of_files = _Gathered(), _Gathered()
            exact = _find_runs(file, _merged(ranges), there, _HUGE)
            _find_runs(file, _merged(files), of_files, _FILE)
        finally:
            os.close(file)
    sizes = [there.runs.within(a, a + max(n, 0)) for a, n in ranges]
    return Resident(sizes, exact, there.runs, of_files.of_files, there.huge, there.swapped)


class Runs:
    """Resident memory as [low, high), in ascending order.

    What is added is cut to what lies above the end so far: no page can be counted twice, whatever
    the kernel says. (Linux 6.18, asked for more than 512 runs, names an end of its walk that lies
    before runs that it has given; going on from there gives them once more.)
    """

    def __init__(self) -> None:
        self._lows: list[int] = []
        self._highs: list[int] = []
        self._before = [0]
        self.end = 0

    def add(self, low: int, high: int) -> None:
        low = max(low, self.end)
        if low >= high:
            return
        self._lows.append(low)
        self._highs.append(high)
        self._before.append(self._before[-1] + high - low)
        self.end = high

    @property
    def size(self) -> int:
        """All of it, in bytes."""
        return self._before[-1]

    def within(self, low: int, high: int) -> int:
        """How many bytes of [low, high) are resident."""
        return self._below(high) - self._below(low)

    def between(self, low: int, high: int) -> Iterator[tuple[int, int]]:
        """The resident parts [low, high) of a range, in ascending order."""
        for at in range(max(bisect_right(self._lows, low) - 1, 0), len(self._lows)):
            if self._lows[at] >= high:
                return
            if self._highs[at] > low:
                yield max(self._lows[at], low), min(self._highs[at], high)

    def _below(self, address: int) -> int:
        at = bisect_right(self._lows, address)
        if not at:
            return 0
        return self._before[at - 1] + min(address, self._highs[at - 1]) - self._lows[at - 1]


class _Gathered(msgspec.Struct, frozen=True):
    """What is gathered, as in Resident."""

    runs: Runs = msgspec.field(default_factory=Runs)
    of_files: Runs = msgspec.field(default_factory=Runs)
    huge: Runs = msgspec.field(default_factory=Runs)
    swapped: Runs = msgspec.field(default_factory=Runs)

    def add(self, low: int, high: int, *, of_file: bool, huge: bool = False) -> None:
        self.runs.add(low, high)
        if of_file:
            self.of_files.add(low, high)
        if huge:
            self.huge.add(low, high)


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


def _find_runs(file: int, spans: Sequence[tuple[int, int]], gathered: _Gathered, also: int) -> bool:
    """Adds what is resident inside the spans, which ascend, and what is `also` to be told of it.
    Whether zeros could be told apart."""
    budget = _PAGES_LIMIT
    scan = True
    for low, high in spans:
        if scan:
            try:
                _scan(file, low, high, gathered, also)
                continue
            except OSError as error:
                if error.errno not in (errno.ENOTTY, errno.EINVAL):
                    raise
                scan = False
        pages = min((high - low) // PAGE_SIZE, budget)
        budget -= pages
        _words(file, low, pages, gathered)
    return scan


def _scan(file: int, low: int, high: int, gathered: _Gathered, also: int) -> None:
    regions = bytearray(_REGIONS * _REGION.size)
    where = ctypes.addressof(ctypes.c_char.from_buffer(regions))
    while low < high:
        argument = bytearray(
            _SCAN.pack(
                _SCAN.size,
                0,
                low,
                high,
                0,
                where,
                _REGIONS,
                _AT_ONCE,
                _ZERO,
                _ZERO,
                _PRESENT | _SWAPPED,
                _PRESENT | _SWAPPED | also,
            )
        )
        count = min(fcntl.ioctl(file, _PAGEMAP_SCAN, argument), _REGIONS)
        for start, end, kind in _REGION.iter_unpack(regions[: count * _REGION.size]):
            start, end = max(start, low), min(end, high)
            if kind & _SWAPPED:
                gathered.swapped.add(start, end)
            else:
                gathered.add(start, end, of_file=bool(kind & _FILE), huge=bool(kind & _HUGE))
        last = max(gathered.runs.end, gathered.swapped.end)
        walked = max(_SCAN.unpack(argument)[_WALKED_TO], last)
        if walked <= low:
            return
        low = walked


def _words(file: int, low: int, pages: int, gathered: _Gathered) -> None:
    telling = _WORD_PRESENT | _WORD_SWAPPED | _WORD_FILE
    while pages > 0:
        raw = os.pread(file, min(pages, _CHUNK_PAGES) * 8, low // PAGE_SIZE * 8)
        words = array("Q", raw[: len(raw) // 8 * 8])
        if not words:
            return
        at = low
        for kind, same in groupby(words, telling.__and__):
            end = at + sum(1 for _ in same) * PAGE_SIZE
            if kind & _WORD_PRESENT:
                gathered.add(at, end, of_file=bool(kind & _WORD_FILE))
            elif kind & _WORD_SWAPPED:
                gathered.swapped.add(at, end)
            at = end
        low += len(words) * PAGE_SIZE
        pages -= len(words)
