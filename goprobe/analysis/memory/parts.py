"""What is resident, by what it is for: parts that add up to the whole, to the byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath

import msgspec

from goprobe.analysis.locate.identify_mappings import NO_FILES
from goprobe.analysis.locate.memorymap import ARENAS
from goprobe.analysis.memory.heappages import HeapPages
from goprobe.model.location import CMemory, Kind, Region, RuntimeUse
from goprobe.model.memory import MemoryPart

LIVE = "objects that the last collection found alive"
SINCE = "objects allocated since, alive or garbage"
UNCOLLECTED = "objects, alive or garbage (no collection has ended yet)"
FREE_IN_SPANS = "free room in spans"
FREE_PAGES = "free pages, not returned"
RETURNED = "free pages, returned and back all the same"
GOROUTINES = "stacks in the heap (goroutines)"
IN_HEAP = "stacks in the heap (threads)"
OF_THREADS = "stacks of threads"
WORK = "work buffers of the collector"
GO_HEAP, STACKS, RUNTIME, PROGRAM, C, MAPPED, LIBRARIES, FILES, SHARED, COPIES, OTHER = (
    "Go heap", "stacks", "Go runtime", "program", "C", "C or mmap", "libraries", "files",
    "shared memory", "copied pages of files", "other",
)  # fmt: skip

NAMED = (FILES, SHARED, COPIES)
"""Groups whose parts have names that tell a user something."""

_PROGRAM = {
    Kind.TEXT: "machine code",
    Kind.RODATA: "read-only data and tables",
    Kind.DATA: "variables",
    Kind.BSS: "variables",
}
_MOST_FILES = 8
_MANY = {
    LIBRARIES: "other libraries",
    FILES: "other files",
    SHARED: "other shared memory",
    COPIES: "of other files",
    C: "other C memory",
    MAPPED: "other memory of C or of the program",
    OTHER: "other memory",
}
_HUGETLB = "anon_hugepage"  # fs/hugetlbfs/inode.c: what mmap(MAP_HUGETLB) maps; it has no file


class RegionUse(msgspec.Struct, frozen=True):
    """A region, how much of it is in memory, and how much of that in huge pages; beside that how
    much is swapped out. Of a file's pages that are mapped privately those that were written to are
    `copied`; a file is `shared` memory where no disk is behind it. Anonymous memory may have a
    `name`."""

    region: Region
    size: int
    huge: int = 0
    swapped: int = 0
    copied: int = 0
    shared: bool = False
    name: str = ""


def parts_of(
    uses: Sequence[RegionUse], heap: HeapPages | None, *, collected: bool
) -> tuple[MemoryPart, ...]:
    """The largest first, in groups, the largest group first. `heap` divides the arenas, where
    that could be read."""
    sums: Counter[tuple[str, str]] = Counter()
    for use in uses:
        if heap is None or not _in_arenas(use.region):
            group, name = _part(use)
            copied = use.copied if group in (FILES, SHARED) else 0
            sums[group, name] += use.size - copied
            sums[COPIES, name] += copied
    for place, size in _of_heap(heap, collected=collected) if heap else ():
        sums[place] += size
    return _ordered(_fewer({place: size for place, size in sums.items() if size}))


def by_group(uses: Sequence[RegionUse], of: Callable[[RegionUse], int]) -> dict[str, int]:
    """How much of each group is in huge pages, say. (What of the arenas is for stacks counts as
    heap.)"""
    sums: Counter[str] = Counter()
    for use in uses:
        sums[_part(use)[0]] += of(use)
    return {group: size for group, size in sums.items() if size}


def _in_arenas(region: Region) -> bool:
    return region.label == ARENAS and region.kind is Kind.HEAP


def _of_heap(heap: HeapPages, *, collected: bool) -> Iterator[tuple[tuple[str, str], int]]:
    yield (GO_HEAP, LIVE), heap.live
    yield (GO_HEAP, SINCE if collected else UNCOLLECTED), heap.since
    yield (GO_HEAP, FREE_IN_SPANS), heap.free_in_spans
    yield (GO_HEAP, FREE_PAGES), heap.free
    yield (GO_HEAP, RETURNED), heap.returned
    yield (STACKS, GOROUTINES), heap.stacks
    yield (STACKS, IN_HEAP), heap.thread_stacks
    yield (RUNTIME, WORK), heap.books


def _part(use: RegionUse) -> tuple[str, str]:
    """Its group, and what it is called in that."""
    kind, label = use.region.kind, use.region.label
    if kind in _PROGRAM:
        return PROGRAM, _PROGRAM[kind]
    if kind is Kind.HEAP:
        return GO_HEAP, "heap" if label == ARENAS else label
    if kind is Kind.SYSTEM_STACK:
        return STACKS, OF_THREADS
    if kind is Kind.RUNTIME:
        if label != RuntimeUse.UNIDENTIFIED:
            return RUNTIME, label
        return OTHER, _called(use, "anonymous memory that nothing claims")
    if kind is Kind.C_HEAP:
        if label != CMemory.MAPPED:
            return C, label
        return MAPPED, _called(use, label)
    if kind is Kind.LIBRARY:
        return LIBRARIES, PurePath(label).name or "libraries"
    if kind is Kind.FILE and PurePath(label).name.startswith(_HUGETLB):
        return OTHER, "huge pages set aside for it (hugetlb)"
    if kind is Kind.FILE:
        name = NO_FILES.get(label) or PurePath(label).name or "files"
        return SHARED if use.shared else FILES, name
    return OTHER, "the kernel's own pages" if kind is Kind.VDSO else "other"


def _called(use: RegionUse, otherwise: str) -> str:
    return f"anonymous memory called {use.name.strip()}" if use.name.strip() else otherwise


def _fewer(sums: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Of what there may be many of, the largest by name, and the rest as one."""
    kept: dict[tuple[str, str], int] = {}
    for group, many in _MANY.items():
        ranked = sorted((s for s in sums.items() if s[0][0] == group), key=lambda s: -s[1])
        kept |= dict(ranked[:_MOST_FILES])
        if rest := sum(size for _, size in ranked[_MOST_FILES:]):
            kept[(group, many)] = rest
    return kept | {place: size for place, size in sums.items() if place[0] not in _MANY}


def _ordered(sums: Mapping[tuple[str, str], int]) -> tuple[MemoryPart, ...]:
    groups: Counter[str] = Counter()
    for (group, _), size in sums.items():
        groups[group] += size
    ranked = sorted(sums.items(), key=lambda s: (-groups[s[0][0]], s[0][0], -s[1], s[0][1]))
    return tuple(MemoryPart(name, size, group) for (group, name), size in ranked)
