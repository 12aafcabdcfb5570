"""Where a Go map's entries lie, for both designs, by what the debug information declares.

Up to Go 1.23: buckets of eight with overflow chains (src/runtime/map.go). From 1.24 on: Swiss
tables, groups of eight slots with a control word (src/internal/runtime/maps). The linker writes
typed structs for each map type: hash<K,V>/bucket<K,V>, map<K,V>/table<K,V>/groupReference<K,V>.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from goprobe.binary.dwarf.gotypes import GoKind, GoType, Types
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.values.storage import InMemory, must_all_be_kept

_SLOTS = 8  # abi.MapBucketCount, SwissMapGroupSlots, MapGroupSlots (Go 1.21 to 1.27)
_CHAIN_LIMIT = 1 << 16
MOST_KEY_BYTES = 128  # abi.MapMaxKeyBytes, SwissMap... and OldMap... in Go 1.24 and 1.25
_TABLE_LIMIT = 1 << 20
_MIN_TOP_HASH = 5  # minTopHash, runtime/map.go, Go 1.21 to 1.23
_NO_ENTRY = (
    0x80  # ctrlEmpty and ctrlDeleted have it, internal/runtime/maps/group.go, Go 1.24 to 1.27
)
_SAME_SIZE_GROW = 8  # sameSizeGrow, the same


class MapEntry(msgspec.Struct, frozen=True):
    """Addresses of an entry's key and value, and their types."""

    key: int
    value: int
    key_type: GoType
    value_type: GoType


class MapPlace(msgspec.Struct, frozen=True):
    """What lies at a place in a group or bucket: the entry that it belongs to, whether it is in
    that entry's key, and how many bytes into the key or the value."""

    key: int
    key_type: GoType
    value_type: GoType
    in_key: bool
    into: int


class MapReader:
    """Reads maps in the target through the types of its debug information."""

    def __init__(self, memory: Memory, types: Types) -> None:
        self._memory = memory
        self._types = types

    def header(self, go_type: GoType) -> GoType:
        """The struct that a map value points at."""
        return self._types.at(self._types.at(go_type.underlying).elem)

    def count(self, go_type: GoType, address: int) -> int:
        """len(m). Raises UnreadableError."""
        header = self.header(go_type)
        names = {m.name for m in header.members}
        return self._field(header, address, "used" if "used" in names else "count")

    def entries(self, go_type: GoType, address: int) -> Iterator[MapEntry]:
        """Every entry, in the order of memory. Raises UnreadableError in the middle where
        the map's memory is not there."""
        header = self.header(go_type)
        if _is_swiss(header):
            yield from self._swiss(header, go_type, address)
        else:
            yield from self._buckets(header, go_type, address)

    def _field(self, go_type: GoType, address: int, name: str) -> int:
        member = go_type.member(name)
        size = min(8, self._types.at(member.type).size)
        return int.from_bytes(self._memory.read(address + member.offset, size), "little")

    def must_be_kept(self, go_type: GoType, led: InMemory) -> None:
        """Raises UnreadableError where any word of a map in a frame may be an old pointer, in its
        header or its first group or bucket: each of them may lead to keys and values."""
        if not led.keeper:
            return
        header = self.header(go_type)
        must_all_be_kept(led, header.size)
        if _is_swiss(header):
            at, part = self._field(header, led.address, "dirPtr"), self._group_type(header)[1]
        else:
            at, part = self._field(header, led.address, "buckets"), self._bucket_type(header)
        if at:
            must_all_be_kept(InMemory(self._memory, at, led.keeper), part.size)

    # Swiss tables

    def _group_type(self, header: GoType) -> tuple[GoType, GoType]:
        """Of a table and of one of its groups."""
        table = self._types.at(
            self._types.at(self._types.at(header.member("dirPtr").type).elem).elem
        )
        groups = self._types.at(table.member("groups").type)
        return table, self._types.at(self._types.at(groups.member("data").type).elem)

    def _swiss(self, header: GoType, go_type: GoType, address: int) -> Iterator[MapEntry]:
        directory = self._field(header, address, "dirPtr")
        length = self._field(header, address, "dirLen")
        table, group = self._group_type(header)
        groups = self._types.at(table.member("groups").type)
        if not directory:
            return
        # A map of up to eight entries has no directory: dirPtr is its one group
        # (internal/runtime/maps/map.go, Go 1.24 to 1.27).
        if not length:
            yield from self._group(group, go_type, directory)
            return
        seen: set[int] = set()
        for i in range(min(length, _TABLE_LIMIT)):
            at = u64(self._memory, directory + 8 * i)
            # Until a table is split, several entries of the directory lead to it (localDepth).
            if at in seen:
                continue
            seen.add(at)
            start = at + table.member("groups").offset
            data = self._field(groups, start, "data")
            mask = self._field(groups, start, "lengthMask")
            for g in range(min(mask + 1, _TABLE_LIMIT)):
                yield from self._group(group, go_type, data + g * group.size)

    def _group(self, group: GoType, go_type: GoType, at: int) -> Iterator[MapEntry]:
        control = self._memory.read(at + group.member("ctrl").offset, _SLOTS)
        for i in range(_SLOTS):
            if not control[i] & _NO_ENTRY:
                key, value, key_type, value_type = self._slot(group, at, i)
                yield self._entry(go_type, key, key_type, value, value_type)

    def _slot(self, group: GoType, at: int, i: int) -> tuple[int, int, GoType, GoType]:
        names = {m.name: m for m in group.members}
        if "slots" in names:
            slot = self._types.at(self._types.at(names["slots"].type).elem)
            start = at + names["slots"].offset + i * slot.size
            key, value = slot.member("key"), slot.member("elem")
            return (
                start + key.offset,
                start + value.offset,
                self._types.at(key.type),
                self._types.at(value.type),
            )
        # Buckets, and split groups (since 1.27): the keys together, then the values.
        keys, values = names["keys"], names.get("elems") or names["values"]
        key_type = self._types.at(self._types.at(keys.type).elem)
        value_type = self._types.at(self._types.at(values.type).elem)
        return (
            at + keys.offset + i * key_type.size,
            at + values.offset + i * value_type.size,
            key_type,
            value_type,
        )

    def _entry(
        self, go_type: GoType, key: int, key_type: GoType, value: int, value_type: GoType
    ) -> MapEntry:
        # Keys and values over 128 bytes are stored behind a pointer (internal/abi, MapMaxKeyBytes,
        # MapMaxElemBytes; SwissMap... and OldMap... in Go 1.24 and 1.25).
        wanted_key, wanted_value = self._types.at(go_type.key), self._types.at(go_type.elem)
        if key_type.kind == GoKind.POINTER and key_type.name != wanted_key.name:
            key = u64(self._memory, key)
        if value_type.kind == GoKind.POINTER and value_type.name != wanted_value.name:
            value = u64(self._memory, value)
        return MapEntry(key, value, wanted_key, wanted_value)

    # Buckets

    def _bucket_type(self, header: GoType) -> GoType:
        return self._types.at(self._types.at(header.member("buckets").type).elem)

    def _buckets(self, header: GoType, go_type: GoType, address: int) -> Iterator[MapEntry]:
        bits = self._field(header, address, "B")
        if bits > 32:
            raise UnreadableError(address, header.size, f"a map of 2^{bits} buckets")
        bucket = self._bucket_type(header)
        yield from self._array(bucket, go_type, self._field(header, address, "buckets"), 1 << bits)
        old = self._field(header, address, "oldbuckets")
        if old:  # growing: what was not moved yet is still in the old array
            same = self._field(header, address, "flags") & _SAME_SIZE_GROW
            yield from self._array(bucket, go_type, old, 1 << (bits if same else max(0, bits - 1)))

    def _array(self, bucket: GoType, go_type: GoType, at: int, count: int) -> Iterator[MapEntry]:
        if not at:
            return
        # A bucket that is full goes on in overflow buckets, each linked by its last word.
        for i in range(count):
            current, chain = at + i * bucket.size, 0
            while current and chain < _CHAIN_LIMIT:
                yield from self._bucket(bucket, go_type, current)
                current = self._field(bucket, current, "overflow")
                chain += 1

    def _bucket(self, bucket: GoType, go_type: GoType, at: int) -> Iterator[MapEntry]:
        top = self._memory.read(at + bucket.member("tophash").offset, _SLOTS)
        for i in range(_SLOTS):
            if top[i] >= _MIN_TOP_HASH:
                key, value, key_type, value_type = self._slot(bucket, at, i)
                yield self._entry(go_type, key, key_type, value, value_type)

    # A place in a map's memory

    def place(self, part: GoType, address: int, offset: int) -> MapPlace | None:
        """The entry that a byte of a group or bucket belongs to; None where it is of none, or of
        one that is not in use. Raises UnreadableError, and KeyError where `part` is no such."""
        swiss = any(member.name == "ctrl" for member in part.members)
        control = part.member("ctrl" if swiss else "tophash").offset
        marks = self._memory.read(address + control, _SLOTS)
        for i in range(_SLOTS):
            key, value, key_type, value_type = self._slot(part, address, i)
            for start, kind, in_key in ((key, key_type, True), (value, value_type, False)):
                into = address + offset - start
                if not 0 <= into < kind.size:
                    continue
                if marks[i] & _NO_ENTRY if swiss else marks[i] < _MIN_TOP_HASH:
                    return None
                return MapPlace(key, key_type, value_type, in_key, into)
        return None


def _is_swiss(header: GoType) -> bool:
    return any(member.name == "dirPtr" for member in header.members)


def until_unreadable(entries: Iterator[MapEntry]) -> Iterator[MapEntry]:
    try:
        yield from entries
    except UnreadableError:
        return
