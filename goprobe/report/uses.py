"""What memory is used for, in the words of every picture and table: finer than its kind.

Free pages of the heap are the runtime's memory, and so is its bookkeeping; nobody who asks why a
process is large means the same by both.
"""

from __future__ import annotations

import msgspec

from goprobe.model.location import CMemory, Kind, Region, RuntimeUse
from goprobe.report import words


class Use(msgspec.Struct, frozen=True):
    """`name` is what memory of this use is called wherever its bytes are told; `meaning` says it
    in a few words more."""

    name: str
    kind: Kind
    meaning: str


_OF_KIND = {
    kind: Use(name, kind, words.KIND_MEANINGS[kind])
    for kind, name in {
        **words.KIND_NAMES, Kind.HEAP: "objects", Kind.GOROUTINE_STACK: "stacks",
        Kind.SYSTEM_STACK: "system stacks",
    }.items()
}  # fmt: skip
_LABELS: dict[Kind, tuple[tuple[str, str, str], ...]] = {
    Kind.C_HEAP: (
        (CMemory.BRK, "C heap", "what C asked for"),
        (CMemory.ARENA, "C heap", "what C asked for"),
        (CMemory.LARGE_BLOCK, "C heap", "what C asked for"),
        (CMemory.MAPPED, "malloc or mmap", "of C code, or mapped by the program"),
    ),
    Kind.RUNTIME: (
        (RuntimeUse.FREE_PAGES, "free heap pages", "room for more objects"),
        (RuntimeUse.SCAVENGED_PAGES, "scavenged heap pages", "free, given back to the system"),
        (RuntimeUse.FREE_STACKS, "free stacks", "free stacks, and work buffers"),
        (RuntimeUse.UNIDENTIFIED, "unidentified", "claimed by nothing that goprobe knows"),
        ("race detector's shadow", "race shadow", "the race detector's notes of memory"),
        ("address sanitizer's shadow", "asan shadow", "the sanitizer's notes of memory"),
    ),
}
_OF_LABEL = {
    (kind, label): Use(name, kind, meaning)
    for kind, labels in _LABELS.items()
    for label, name, meaning in labels
}


def use_of(region: Region) -> Use:
    """The use of a region."""
    return _OF_LABEL.get((region.kind, region.label)) or _OF_KIND[region.kind]


def present(region: Region) -> int:
    """How many bytes of a region are there: resident, or in the core file that it is read from."""
    for count in (region.rss, region.stored):
        if count is not msgspec.UNSET:
            return count
    return 0
