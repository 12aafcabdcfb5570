"""The mappings of a process as its core shows them, as far as a core does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from goprobe.elfheaders import PF_R, PF_W, PF_X, Segment
from goprobe.process.core.notes import AT_RANDOM, AT_SYSINFO_EHDR, MappedFile, Notes
from goprobe.process.proc.maps import Mapping
from goprobe.process.proc.procfs import PAGE_SIZE


def core_mappings(loads: Sequence[Segment], notes: Notes) -> tuple[Mapping, ...]:
    """As /proc/PID/maps would have them; the core keeps neither devices nor inodes."""
    files = {f.low: f for f in notes.files}
    names = {notes.auxv.get(AT_RANDOM): "[stack]", notes.auxv.get(AT_SYSINFO_EHDR): "[vdso]"}
    by_address: dict[int, Mapping] = {}
    for p in loads:
        low, high = p.address, min(p.address + p.size, 1 << 64)
        file = files.pop(low, None)
        name = next((n for a, n in names.items() if a is not None and low <= a < high), "")
        by_address.setdefault(low, _mapping(low, high, p.flags, file, name))
    for file in files.values():
        by_address.setdefault(file.low, _mapping(file.low, file.high, PF_R, file, ""))
    return _apart(by_address.values())


def _mapping(low: int, high: int, flags: int, file: MappedFile | None, name: str) -> Mapping:
    return Mapping(
        low,
        high,
        _perms(flags),
        file.offset if file else 0,
        "00:00",
        0,
        file.path if file else name,
    )


def _perms(flags: int) -> str:
    return (
        "".join(
            letter if flags & bit else "-"
            for letter, bit in (("r", PF_R), ("w", PF_W), ("x", PF_X))
        )
        + "p"
    )


def _apart(mappings: Iterable[Mapping]) -> tuple[Mapping, ...]:
    """In address order, those that overlap an earlier one left out."""
    kept: list[Mapping] = []
    for mapping in sorted(mappings, key=lambda m: m.low):
        if not kept or mapping.low >= kept[-1].high:
            kept.append(mapping)
    return tuple(kept)


def with_executable(
    mappings: Sequence[Mapping], loads: Sequence[Segment], bias: int, path: str
) -> tuple[Mapping, ...]:
    """Delve leaves the segments of the executable out, and names no files."""
    extra = []
    for p in loads:
        low = p.address // PAGE_SIZE * PAGE_SIZE + bias
        high = -(-(p.address + p.size) // PAGE_SIZE) * PAGE_SIZE + bias
        offset = p.offset - p.address % PAGE_SIZE
        taken = any(m.low < high and low < m.high for m in mappings)
        if not taken and low >= 0 and offset >= 0:
            extra.append(Mapping(low, high, _perms(p.flags), offset, "00:00", 0, path))
    return _apart([*mappings, *extra])
