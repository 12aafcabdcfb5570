"""The pprof labels of goroutines (runtime/pprof.Do, SetGoroutineLabels): what g.labels points at.

Up to Go 1.23 a runtime/pprof.labelMap, which is a map[string]string; since 1.24 it holds a slice of
pairs (src/runtime/pprof/label.go), as internal/runtime/pprof/label.Set does since 1.26. The set of
a goroutine never changes, and many goroutines share one. Other code may set labels by linkname, and
of other types: what does not hold together is told as a reason.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, Range, u64
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.record import read_record

_SET = "internal/runtime/pprof/label.Set"
_SETS_LIMIT = 1 << 17
_PAIRS_LIMIT = 1 << 10  # of one set
_BYTES_LIMIT = 1 << 12  # of one key or value
_BUDGET = 1 << 26  # bytes of all keys and values
_MOST_BITS = 8  # buckets of a map, as a power of two
_SLOTS, _MIN_TOP_HASH = 8, 5  # src/runtime/map.go, up to Go 1.23
# bytes of a string, and of the label that has two (runtime/pprof/label.go, Go 1.24 to 1.27)
_STRING, _PAIR = 16, 32
_BUCKET = _SLOTS + _SLOTS * _PAIR + 8  # tophash, keys, values, overflow
_SAME_SIZE_GROW = 8  # sameSizeGrow, runtime/map.go, Go 1.21 to 1.23

Strings = tuple[Range, ...]
"""The keys and values of a set in turn: where their bytes are."""


class Labels(msgspec.Struct, frozen=True):
    """Of one set, in the order of their keys. `why` they are not told."""

    pairs: tuple[tuple[bytes, bytes], ...] = ()
    why: str = ""


def read_labels(memory: Memory, layout: Layout, sets: Iterable[int]) -> dict[int, Labels]:
    """What each of some values of g.labels says; in few reads, however many there are."""
    wanted = sorted({at for at in sets if at})
    asked, left = wanted[:_SETS_LIMIT], wanted[_SETS_LIMIT:]
    by_address = {at: Labels(why=f"only {_SETS_LIMIT:,} sets of labels were read") for at in left}
    if not layout.has(_SET):
        why = "the program does not say how its labels lie in memory"
        return by_address | {at: Labels(why=why) for at in asked}
    path = next((p for p in ("List", "LabelSet.list") if layout.has(_SET, p)), "")
    reader = _Slices(memory, layout.offset(_SET, path)) if path else _Maps(memory, layout)
    return by_address | _told(memory, dict(zip(asked, reader.strings(asked), strict=True)))


def _told(memory: Memory, strings: dict[int, Strings | str]) -> dict[int, Labels]:
    """The texts, of all sets at once."""
    ranges = {r for parts in strings.values() if not isinstance(parts, str) for r in parts}
    chosen, spent = list[Range](), 0
    for r in sorted(ranges):
        if r[1] and r[1] <= _BYTES_LIMIT and spent + r[1] <= _BUDGET:
            spent += r[1]
            chosen.append(r)
    texts: dict[Range, bytes | None] = dict(zip(chosen, memory.read_many(chosen), strict=True))
    return {at: _labels(parts, texts) for at, parts in strings.items()}


def _labels(parts: Strings | str, texts: dict[Range, bytes | None]) -> Labels:
    if isinstance(parts, str):
        return Labels(why=parts)
    if any(size and (at, size) not in texts for at, size in parts):
        return Labels(why="a label is longer than what is read of one, or of all")
    read = [texts[at, size] if size else b"" for at, size in parts]
    told = [text for text in read if text is not None]
    if len(told) < len(read):
        return Labels(why="the memory of a label cannot be read")
    pairs = tuple(sorted(zip(told[::2], told[1::2], strict=True)))
    if len(dict(pairs)) < len(pairs):
        return Labels(why="a key stands twice in its labels")
    return Labels(pairs)


class _Slices:
    """Sets that begin, `offset` bytes in, with a slice of (key, value)."""

    def __init__(self, memory: Memory, offset: int) -> None:
        self._memory = memory
        self._offset = offset

    def strings(self, sets: Sequence[int]) -> Iterator[Strings | str]:
        headers = self._memory.read_many([(at + self._offset, 24) for at in sets])
        slices = [_slice(header) for header in headers]
        there = [s for s in slices if not isinstance(s, str) and s[1]]
        arrays = iter(self._memory.read_many(there))
        for s in slices:
            if isinstance(s, str) or not s[1]:
                yield s if isinstance(s, str) else ()
                continue
            array = next(arrays)
            yield "the memory of its labels cannot be read" if array is None else _in(array)


def _slice(header: bytes | None) -> Range | str:
    if header is None:
        return "the memory of its labels cannot be read"
    at, count, room = struct.unpack("<QQQ", header)
    if not count <= room or (count and not at):
        return "its labels are no slice: something else was set as labels"
    if count > _PAIRS_LIMIT:
        return f"it has {count:,} labels"
    return at, _PAIR * count


def _in(array: bytes) -> Strings:
    """The strings that lie in an array of them."""
    return tuple(struct.iter_unpack("<QQ", array))


class _Maps:
    """Sets that are maps of buckets (hmap)."""

    def __init__(self, memory: Memory, layout: Layout) -> None:
        self._memory = memory
        self._header = layout.struct("hmap")

    def strings(self, sets: Sequence[int]) -> Iterator[Strings | str]:
        for at in sets:
            try:
                yield self._of(u64(self._memory, at))
            except UnreadableError as error:
                yield f"its labels cannot be read: {error.why}"

    def _of(self, at: int) -> Strings | str:
        if not at:
            return ()
        header = read_record(self._memory, self._header, at)
        count, bits = header["count"], header["B"]
        if count > _PAIRS_LIMIT or bits > _MOST_BITS:
            return f"it has a map of {count:,} labels in 2^{bits} buckets"
        strings = self._buckets(header["buckets"], 1 << bits)
        if old := header["oldbuckets"]:  # it grows: what has not moved yet is in the old ones
            same = header["flags"] & _SAME_SIZE_GROW
            strings += self._buckets(old, 1 << (bits if same else max(0, bits - 1)))
        if len(strings) != 2 * count:
            return f"its labels are a map of {count}, but {len(strings) // 2} were found"
        return strings

    def _buckets(self, first: int, count: int) -> Strings:
        strings: list[Range] = []
        for i in range(count if first else 0):
            at, seen = first + i * _BUCKET, 0
            while at and seen <= _PAIRS_LIMIT:
                seen += 1
                bucket = self._memory.read(at, _BUCKET)
                strings += _in_bucket(bucket)
                at = int.from_bytes(bucket[-8:], "little")
        return tuple(strings)


def _in_bucket(bucket: bytes) -> Iterator[Range]:
    keys = _in(bucket[_SLOTS : _SLOTS + _SLOTS * _STRING])
    values = _in(bucket[_SLOTS + _SLOTS * _STRING : -8])
    for top, key, value in zip(bucket, keys, values, strict=False):
        if top >= _MIN_TOP_HASH:
            yield key
            yield value
