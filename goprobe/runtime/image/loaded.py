"""Where an ELF file's segments are loaded in a process: what its mappings say, not its headers.

A program may map its own executable, or any library, as plain data as well; it may unmap a part of
its image, and map something else there. A segment is loaded where the mappings hold the bytes that
the headers promise, with the right to run them where they are code.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

import msgspec

from goprobe.elfheaders import PF_R, PF_W, PF_X, PT_LOAD, Segment
from goprobe.process.proc.maps import Mapping
from goprobe.process.proc.procfs import PAGE_SIZE

_RIGHTS = ((PF_R, "r"), (PF_W, "w"), (PF_X, "x"))
_SEGMENTS_LIMIT = 64

Bounds = tuple[int, int]
"""[low, high)"""


class Loaded(msgspec.Struct, frozen=True):
    """The addresses of one loaded ELF file: `parts` are in memory as the file has them, `zeroed`
    are the variables behind them that no file has. Both ascend."""

    parts: tuple[Bounds, ...]
    zeroed: tuple[Bounds, ...]

    def __contains__(self, address: int) -> bool:
        return _within(self.parts, address) or _within(self.zeroed, address)

    def cut(self, low: int, high: int) -> Iterator[Bounds]:
        """What of [low, high) belongs to it."""
        for a, b in sorted((*self.parts, *self.zeroed)):
            if a < high and low < b:
                yield max(a, low), min(b, high)


NOWHERE = Loaded((), ())


def loaded(segments: Sequence[Segment], bias: int, mappings: Sequence[Mapping]) -> Loaded:
    """Where a file with these segments is loaded, if it is, `bias` above its own addresses."""
    loads = [s for s in segments if s.type == PT_LOAD and s.size][:_SEGMENTS_LIMIT]
    file = _file_of(loads, bias, mappings)
    parts: list[Bounds] = []
    zeroed: list[Bounds] = []
    for load in loads:
        here = list(_of_file(load, bias, mappings, file))
        if load.flags & PF_X and not here:
            return NOWHERE  # without its code it is mapped, not loaded
        parts += here
        zeroed += _zeroed(load, bias, mappings, [*here, *parts])
    return Loaded(_joined(parts), _joined(zeroed))


def file_key(m: Mapping) -> tuple[str, int, str]:
    """What tells a mapping's file from others; a core file knows paths only."""
    return m.device, m.inode, "" if m.inode else m.path


def _file_of(
    loads: Sequence[Segment], bias: int, mappings: Sequence[Mapping]
) -> tuple[str, int, str] | None:
    """The file that is mapped where the code is to be, else where anything is."""
    for load in sorted(loads, key=lambda s: not s.flags & PF_X):
        for m, low, _ in _overlaps(load.address + bias, load.address + bias + 1, mappings):
            if m.is_file and _offset(m, low) == _page(load.offset):
                return file_key(m)
    return None


def _of_file(
    load: Segment, bias: int, mappings: Sequence[Mapping], file: tuple[str, int, str] | None
) -> Iterator[Bounds]:
    first = _page(load.address + bias)
    for m, low, high in _overlaps(first, load.address + bias + load.file_size, mappings):
        ours = m.is_file and file_key(m) == file
        ours = ours and _offset(m, low) == _page(load.offset) + low - first
        # Programs that put their code on huge pages copy it to anonymous memory in its place.
        ours = ours or (not m.is_file and not m.path and _same_rights(m, load))
        if ours and ("x" in m.perms or not load.flags & PF_X):
            yield low, high


def _zeroed(
    load: Segment, bias: int, mappings: Sequence[Mapping], parts: Sequence[Bounds]
) -> Iterator[Bounds]:
    """Anonymous memory behind the segment's last byte in the file, if that is loaded itself."""
    start = -(-(load.address + bias + load.file_size) // PAGE_SIZE) * PAGE_SIZE
    behind = not load.file_size or any(high == start for _, high in parts)
    for m, low, high in _overlaps(start, load.address + bias + load.size, mappings):
        if behind and not m.is_file and not m.path and "x" not in m.perms:
            yield low, high


def _overlaps(
    low: int, high: int, mappings: Sequence[Mapping]
) -> Iterator[tuple[Mapping, int, int]]:
    """The mappings in the pages of [low, high), and what of these they cover."""
    low, high = _page(low), -(-high // PAGE_SIZE) * PAGE_SIZE
    at = max(bisect_right(mappings, low, key=lambda m: m.low) - 1, 0)
    while at < len(mappings) and mappings[at].low < high:
        m = mappings[at]
        if m.high > low:
            yield m, max(m.low, low), min(m.high, high)
        at += 1


def _offset(m: Mapping, address: int) -> int:
    return m.offset + address - m.low


def _page(address: int) -> int:
    return address // PAGE_SIZE * PAGE_SIZE


def _same_rights(m: Mapping, load: Segment) -> bool:
    return all((letter in m.perms) == bool(load.flags & bit) for bit, letter in _RIGHTS)


def _joined(bounds: Sequence[Bounds]) -> tuple[Bounds, ...]:
    joined: list[Bounds] = []
    for low, high in sorted(bounds):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(joined)


def _within(bounds: Sequence[Bounds], address: int) -> bool:
    at = bisect_right(bounds, address, key=lambda b: b[0])
    return bool(at) and address < bounds[at - 1][1]
