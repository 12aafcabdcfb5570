"""What has grown between two reports on a heap."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from goprobe.model.heap import EarlierHeap, Growth, HeapDiff, HeapReport

_WITHOUT = "the older report says nothing of {}: one of goprobe heap PID {} --json -o OLD.json does"
_WITHOUT_TYPES = _WITHOUT.format("types", "--types")
_WITHOUT_ROOTS = _WITHOUT.format("roots", "--retained")


def compared(old: HeapReport | EarlierHeap, new: HeapReport) -> HeapReport:
    """The newer report, with what has grown since the older one."""
    told = new.warnings
    if old.pid != new.pid:
        told = (*told, f"the older report is of another process, {old.pid}")
    return replace(new, diff=difference(old, new), warnings=told)


def difference(old: HeapReport | EarlierHeap, new: HeapReport) -> HeapDiff:
    """What has grown since an older snapshot, most bytes first; of a table that the older report
    does not have, that."""
    types, roots, untold = tuple[Growth, ...](), tuple[Growth, ...](), list[str]()
    if old.types or not old.census.objects:  # every object is a type's, if unknown
        types = _growth(
            {t.type: (t.objects, t.bytes) for t in old.types or ()},
            {t.type: (t.objects, t.bytes) for t in new.types or ()},
        )
    else:
        untold.append(_WITHOUT_TYPES)
    if old.roots is not UNSET:
        roots = _growth(
            {r.name: (r.objects, r.retained_bytes) for r in old.roots},
            {r.name: (r.objects, r.retained_bytes) for r in new.roots or ()},
        )
    else:
        untold.append(_WITHOUT_ROOTS)
    return HeapDiff(
        objects=new.census.objects - old.census.objects,
        bytes=new.census.bytes - old.census.bytes,
        types=types,
        roots=roots,
        untold=tuple(untold),
    )


def _growth(old: dict[str, tuple[int, int]], new: dict[str, tuple[int, int]]) -> tuple[Growth, ...]:
    grown = []
    for name in old.keys() | new.keys():
        (before, size_before), (after, size_after) = old.get(name, (0, 0)), new.get(name, (0, 0))
        if before != after or size_before != size_after:
            grown.append(Growth(name, after - before, size_after - size_before))
    return tuple(sorted(grown, key=lambda g: (-abs(g.bytes), g.name)))
