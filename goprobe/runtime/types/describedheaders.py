"""What maps and channels are inside, where only the runtime's descriptors tell of their types: the
runtime's own structs around keys, values and elements, as debug information describes them.

Source: src/internal/runtime/maps (map.go, table.go, group.go, Go 1.24 to 1.27), src/runtime/map.go
(Go 1.21 to 1.23), chan.go, src/cmd/compile/internal/reflectdata (MapBucketType, SwissMapType).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from msgspec.structs import replace

from goprobe.binary.dwarf.gotypes import GoKind, GoType, Member
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.types.typedata import TypeData
from goprobe.runtime.types.typenames import RTYPE_BYTES

_WORD = 8
_USED = 0  # of maps.Map, before all else
_MASK = _WORD  # of a groupsReference, behind its data
_FIRST = -(1 << 62)  # no address of a descriptor is that far down
_BUCKET = {"topbits": "tophash", "elems": "values"}  # as the linker calls them
_MAP, _TABLE = "internal/runtime/maps.Map", "internal/runtime/maps.table"
_NUMBERS = {1: GoKind.UINT8, 4: GoKind.UINT32, 8: GoKind.UINT64}


class DescribedHeaders:
    """Makes such types. `number` is that of the type whose descriptor is at an address."""

    def __init__(
        self, memory: Memory, layout: Layout, data: TypeData, number: Callable[[int], int]
    ) -> None:
        self._memory = memory
        self._layout = layout
        self._data = data
        self._number = number
        self._next = count(_FIRST, -1)
        self.made: dict[int, GoType] = {}
        """By their numbers, which no others have."""

    def map(self, made: GoType, rtype: int) -> GoType | None:
        """A map's type with what it maps and its header; None where the descriptor makes no
        sense. Raises UnreadableError."""
        struct = self._layout.struct("internal/abi.MapType")
        swiss = "Group" in struct.fields
        part = u64(self._memory, rtype + struct.offset("Group" if swiss else "Bucket"))
        inner = self._struct(part, {"ctrl"} if swiss else {"topbits", "overflow"})
        if inner is None:
            return None
        at = rtype + RTYPE_BYTES
        key, elem = (self._number(u64(self._memory, at + i * _WORD)) for i in range(2))
        name = made.name.removeprefix("map")
        header = self._swiss(inner, name) if swiss else self._hash(inner, name)
        return replace(made, key=key, elem=elem, underlying=self._pointer(header))

    def channel(self, made: GoType, rtype: int) -> GoType:
        """A channel's type with its elements and its header. Raises UnreadableError."""
        struct = self._layout.struct("hchan")
        places = {name: struct.offset(name) for name in ("qcount", "dataqsiz", "buf")}
        members = [self._word(name, at) for name, at in places.items()]
        members.append(self._word("closed", struct.offset("closed"), 4))
        # recvx stands before recvq, in all releases.
        members.append(self._word("recvx", struct.offset("recvq.first") - _WORD))
        header = self._add(GoKind.STRUCT, f"hchan<{made.name}>", struct.size, members)
        elem = self._number(u64(self._memory, rtype + RTYPE_BYTES))
        return replace(made, elem=elem, underlying=self._pointer(header))

    def _struct(self, rtype: int, wanted: set[str]) -> GoType | None:
        """A struct by its descriptor, which is the linker's, and has some fields."""
        data = self._data
        if not data.is_laid_out(rtype) or data.kind(rtype) is not GoKind.STRUCT:
            return None
        fields = data.fields(rtype)
        names = {field.name for field in fields}
        if not wanted <= names or any(f.offset > data.size(rtype) for f in fields):
            return None
        called = _BUCKET if "topbits" in names else {}
        members = [
            Member(called.get(f.name, f.name), f.offset, self._number(f.rtype)) for f in fields
        ]
        name = data.full_name(rtype)
        return self.made[self._add(GoKind.STRUCT, name, data.size(rtype), members)]

    def _swiss(self, group: GoType, name: str) -> int:
        groups = [Member("data", 0, self._pointer(group.offset)), self._word("lengthMask", _MASK)]
        reference = self._add(GoKind.STRUCT, f"groupReference{name}", 2 * _WORD, groups)
        at = self._layout.offset(_TABLE, "groups.data")
        table = self._add(
            GoKind.STRUCT, f"table{name}", at + 2 * _WORD, [Member("groups", at, reference)]
        )
        header = self._layout.struct(_MAP)
        members = [
            self._word("used", _USED),
            Member("dirPtr", header.offset("dirPtr"), self._pointer(self._pointer(table))),
            self._word("dirLen", header.offset("dirLen")),
        ]
        return self._add(GoKind.STRUCT, f"map<{name}>", header.size, members)

    def _hash(self, bucket: GoType, name: str) -> int:
        header, pointer = self._layout.struct("hmap"), self._pointer(bucket.offset)
        members = [
            self._word("count", header.offset("count")),
            self._word("flags", header.offset("flags"), 1),
            self._word("B", header.offset("B"), 1),
            Member("buckets", header.offset("buckets"), pointer),
            Member("oldbuckets", header.offset("oldbuckets"), pointer),
        ]
        return self._add(GoKind.STRUCT, f"hash<{name}>", header.size, members)

    def _word(self, name: str, at: int, size: int = _WORD) -> Member:
        return Member(name, at, self._add(_NUMBERS[size], f"uint{8 * size}", size))

    def _pointer(self, to: int) -> int:
        return self._add(GoKind.POINTER, "", _WORD, elem=to)

    def _add(
        self, kind: GoKind, name: str, size: int, members: list[Member] | None = None, elem: int = 0
    ) -> int:
        number = next(self._next)
        parts = tuple(members or ())
        self.made[number] = GoType(
            offset=number, name=name, kind=kind, size=size, members=parts, elem=elem
        )
        return number
