"""What is resident, by what it is for: parts that add up to the whole, to the byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from goprobe.analysis.locate.memorymap import ARENAS
from goprobe.analysis.memory.heappages import HeapPages
from goprobe.model.location import Kind, Region, RuntimeUse
from goprobe.model.memory import MemoryPart

LIVE = "objects that the last collection found alive"
SINCE = "objects allocated since, alive or garbage"
UNCOLLECTED = "objects, alive or garbage (no collection has ended yet)"
FREE_IN_SPANS = "free room in spans"
FREE_PAGES = "free pages, not returned"
RETURNED = "free pages, returned and back all the same"
GOROUTINES = "stacks in the heap (goroutines)"
WORK = "work buffers of the collector"
GO_HEAP, STACKS, RUNTIME, PROGRAM, C, LIBRARIES, FILES, OTHER = (
    "Go heap", "stacks", "Go runtime", "program", "C", "libraries", "files", "other",
)  # fmt: skip

_PROGRAM = {
    Kind.TEXT: "machine code",
    Kind.RODATA: "read-only data and tables",
    Kind.DATA: "variables",
    Kind.BSS: "variables",
}
_MOST_FILES = 8
_HUGETLB = "anon_hugepage"  # fs/hugetlbfs/inode.c: what mmap(MAP_HUGETLB) maps; it has no file


def parts_of(
    regions: Sequence[Region], sizes: Sequence[int], heap: HeapPages | None, *, collected: bool
) -> tuple[MemoryPart, ...]:
    """The largest first, in groups, the largest group first. `heap` divides the arenas, where
    that could be read."""
    sums: Counter[tuple[str, str]] = Counter()
    for region, size in zip(regions, sizes, strict=True):
        if heap is None or region.label != ARENAS or region.kind is not Kind.HEAP:
            sums[_use(region)] += size
    for place, size in _of_heap(heap, collected=collected) if heap else ():
        sums[place] += size
    return _ordered(_fewer_files({place: size for place, size in sums.items() if size}))


def _of_heap(heap: HeapPages, *, collected: bool) -> Iterator[tuple[tuple[str, str], int]]:
    yield (GO_HEAP, LIVE), heap.live
    yield (GO_HEAP, SINCE if collected else UNCOLLECTED), heap.since
    yield (GO_HEAP, FREE_IN_SPANS), heap.free_in_spans
    yield (GO_HEAP, FREE_PAGES), heap.free
    yield (GO_HEAP, RETURNED), heap.returned
    yield (STACKS, GOROUTINES), heap.stacks
    yield (RUNTIME, WORK), heap.books


def _use(region: Region) -> tuple[str, str]:
    kind, label = region.kind, region.label
    if kind in _PROGRAM:
        return PROGRAM, _PROGRAM[kind]
    if kind is Kind.HEAP:
        return GO_HEAP, "heap" if label == ARENAS else label
    if kind is Kind.SYSTEM_STACK:
        return STACKS, "stacks of threads"
    if kind is Kind.RUNTIME:
        known = label != RuntimeUse.UNIDENTIFIED
        return (RUNTIME, label) if known else (OTHER, "anonymous memory that nothing claims")
    if kind is Kind.C_HEAP:
        return C, "C heap (brk)" if label.endswith("(brk)") else "malloc and mmap"
    if kind is Kind.LIBRARY:
        return LIBRARIES, PurePath(label).name or "libraries"
    if kind is Kind.FILE and PurePath(label).name.startswith(_HUGETLB):
        return OTHER, "huge pages set aside for it (hugetlb)"
    if kind is Kind.FILE:
        return FILES, PurePath(label).name or "files"
    return OTHER, "the kernel's own pages" if kind is Kind.VDSO else "other"


def _fewer_files(sums: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """Of libraries and files the largest by name, and the rest as one."""
    kept: dict[tuple[str, str], int] = {}
    for group, many in ((LIBRARIES, "other libraries"), (FILES, "other files")):
        ranked = sorted((s for s in sums.items() if s[0][0] == group), key=lambda s: -s[1])
        kept |= dict(ranked[:_MOST_FILES])
        if rest := sum(size for _, size in ranked[_MOST_FILES:]):
            kept[(group, many)] = rest
    return kept | {
        place: size for place, size in sums.items() if place[0] not in (LIBRARIES, FILES)
    }


def _ordered(sums: Mapping[tuple[str, str], int]) -> tuple[MemoryPart, ...]:
    groups: Counter[str] = Counter()
    for (group, _), size in sums.items():
        groups[group] += size
    ranked = sorted(sums.items(), key=lambda s: (-groups[s[0][0]], s[0][0], -s[1], s[0][1]))
    return tuple(MemoryPart(name, size, group) for (group, name), size in ranked)
