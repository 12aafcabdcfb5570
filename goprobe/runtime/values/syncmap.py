"""Where the entries of a sync.Map lie.

Since Go 1.24 it is a trie of hashes (src/internal/sync/hashtriemap.go, Go 1.24 to 1.27), before
that, and with GOEXPERIMENT=nosynchashtriemap, two maps: one that is read without a lock, and a
"dirty" one that has all of it while there is more (src/sync/map.go, Go 1.21 to 1.25).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.values.decoded import ValueTypes
from goprobe.runtime.values.gomap import MapReader
from goprobe.runtime.values.storage import Storage, must_be_kept
from goprobe.runtime.values.typedfields import fields

_WORD = 8
_CHILDREN, _CHILD_SLOTS = "children", 16  # nChildren
_OVERFLOW, _KEY, _VALUE = 8, 16, 32  # of an entry[any, any], behind its node
_MOST = 1 << 12  # nodes of a trie, entries of a map
MOST_COUNTED = 1 << 10
"""Of more entries it is not told how many there are."""
_MOST_ALIKE = 1 << 8  # entries of one hash
ANY = "interface {}"


class SyncMapReader:
    """Of one process. All of it raises UnreadableError and KeyError where there is no such."""

    def __init__(self, memory: Memory, types: ValueTypes) -> None:
        self._memory = memory
        self._types = types

    def entries(self, go_type: GoType, place: Storage) -> Iterator[tuple[int, int]]:
        """Addresses of keys and values, interfaces both; the first of too many."""
        names = {member.name for member in go_type.members}
        if "dirty" in names:
            read = self._led_to(go_type, place, "read")
            return self._of_two(go_type, read, _pointer_at(place, go_type.member("dirty").offset))
        member = go_type.member("m")
        trie = self._types.at(member.type)
        inner = place.part(member.offset, trie.size)
        return self._of_trie(trie, self._led_to(trie, inner, "root"))

    def _led_to(self, go_type: GoType, place: Storage, name: str) -> int:
        """What an atomic.Pointer among a struct's fields leads to, 0 for nothing."""
        member = go_type.member(name)
        return _pointer_at(place, member.offset + self._pointer(self._types.at(member.type)))

    def _of_trie(self, trie: GoType, root: int) -> Iterator[tuple[int, int]]:
        """`trie` is the struct that has the root, and `root` the address of its first node."""
        pointer = self._types.at(self._led(self._types.at(trie.member("root").type)))
        node = self._types.at(pointer.elem)
        children = node.member(_CHILDREN).offset
        pending, seen = [root] if root else [], 0
        while pending and seen < _MOST:
            at = pending.pop()
            seen += 1
            if self._memory.read(at, 1) != b"\0":  # isEntry
                yield from self._entries(at)
                continue
            raw = self._memory.read(at + children, _CHILD_SLOTS * _WORD)
            words = (int.from_bytes(raw[i : i + _WORD], "little") for i in range(0, len(raw), 8))
            pending += [word for word in words if word]

    def _entries(self, at: int) -> Iterator[tuple[int, int]]:
        for _ in range(_MOST_ALIKE):
            yield at + _KEY, at + _VALUE
            at = u64(self._memory, at + _OVERFLOW)
            if not at:
                return

    def _of_two(self, go_type: GoType, read: int, dirty: int) -> Iterator[tuple[int, int]]:
        """Of two maps: `read` is the address of a readOnly, 0 for none, `dirty` that of a
        map's header. Where there is a dirty map it has all entries that are not deleted."""
        entries = self._types.at(go_type.member("dirty").type)
        if not dirty and read:
            only = self._types.at(self._types.at(self._led_by(go_type, "read")).elem)
            dirty = u64(self._memory, read + only.member("m").offset)
        if not dirty:
            return
        entry = self._types.at(self._types.at(entries.elem).elem)
        value = entry.member("p")
        at = value.offset + self._pointer(self._types.at(value.type))
        for each in islice(MapReader(self._memory, self._types).entries(entries, dirty), _MOST):
            holder = u64(self._memory, each.value)
            if holder and (box := u64(self._memory, holder + at)):
                yield each.key, box

    def _led_by(self, go_type: GoType, name: str) -> int:
        return self._led(self._types.at(go_type.member(name).type))

    def _led(self, pointer: GoType) -> int:
        """The type of the pointer that an atomic.Pointer has."""
        kinds = [m.type for m in fields(self._types, pointer)]
        return next(k for k in kinds if self._types.at(k).kind is GoKind.POINTER)

    def _pointer(self, pointer: GoType) -> int:
        """Where in an atomic.Pointer the pointer stands."""
        return next(m.offset for m in pointer.members if m.name == "v")


def _pointer_at(place: Storage, offset: int) -> int:
    pointer = int.from_bytes(place.read(offset, _WORD), "little")
    must_be_kept(place, offset, pointer)
    return pointer
