"""What has grown between two reports on a heap."""

from __future__ import annotations

from msgspec.structs import replace

from goprobe.model.heap import EarlierHeap, Growth, HeapDiff, HeapReport


def compared(old: HeapReport | EarlierHeap, new: HeapReport) -> HeapReport:
    """The newer report, with what has grown since the older one."""
    told = new.warnings
    if old.pid != new.pid:
        told = (*told, f"the older report is of another process, {old.pid}")
    return replace(new, diff=difference(old, new), warnings=told)


def difference(old: HeapReport | EarlierHeap, new: HeapReport) -> HeapDiff:
    """What has grown since an older snapshot, most bytes first."""
    return HeapDiff(
        objects=new.census.objects - old.census.objects,
        bytes=new.census.bytes - old.census.bytes,
        types=_growth(
            {t.type: (t.objects, t.bytes) for t in old.types or ()},
            {t.type: (t.objects, t.bytes) for t in new.types or ()},
        ),
        roots=_growth(
            {r.name: (r.objects, r.retained_bytes) for r in old.roots or ()},
            {r.name: (r.objects, r.retained_bytes) for r in new.roots or ()},
        ),
    )


def _growth(old: dict[str, tuple[int, int]], new: dict[str, tuple[int, int]]) -> tuple[Growth, ...]:
    grown = []
    for name in old.keys() | new.keys():
        (before, size_before), (after, size_after) = old.get(name, (0, 0)), new.get(name, (0, 0))
        if before != after or size_before != size_after:
            grown.append(Growth(name, after - before, size_after - size_before))
    return tuple(sorted(grown, key=lambda g: (-abs(g.bytes), g.name)))
