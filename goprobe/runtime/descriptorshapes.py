"""Shapes made of the runtime's own type descriptors, for programs without debug information.

A map's descriptor names the type of its groups (its buckets, up to Go 1.23), a channel's that of
its elements: so what is inside them is known as well. Their own structs are laid out as the
runtime's are. Source: src/internal/abi/type.go, map*.go, src/runtime/chan.go, map.go (hmap,
mapextra; to Go 1.23), src/internal/runtime/maps (since 1.24).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from goprobe.binary.gotypes import GoKind
from goprobe.process.memory import Memory, u64
from goprobe.runtime.layout import Layout
from goprobe.runtime.shape import (
    ATOMIC_POINTER,
    SIZE_LIMIT,
    SLOTS_LIMIT,
    TRIE_NODE,
    UNKNOWN,
    WORD,
    Rule,
    Shape,
    Slots,
    made_of,
)
from goprobe.runtime.typedata import RTYPE_BYTES, TypeData

if TYPE_CHECKING:
    from goprobe.runtime.shapes import Shapes

_DEPTH_LIMIT = 32
_FIELD_BYTES = 24
_ELEM, _LENGTH = RTYPE_BYTES, RTYPE_BYTES + 2 * WORD  # of arrays; pointers, slices and channels
_FIELDS, _FIELD_COUNT = RTYPE_BYTES + WORD, RTYPE_BYTES + 2 * WORD  # of structs
_METHODS = RTYPE_BYTES + 2 * WORD  # of interfaces
_SWISS_MAP, _SWISS_TABLE = "internal/runtime/maps.Map", "internal/runtime/maps.table"


class Descriptors:
    """Makes shapes of descriptors; `shapes` numbers them."""

    def __init__(self, memory: Memory, typedata: TypeData, layout: Layout, shapes: Shapes) -> None:
        self._memory = memory
        self._typedata = typedata
        self._layout = layout
        self._shapes = shapes

    def shape(self, rtype: int) -> Shape:
        """A value of the type. Raises UnreadableError, KeyError."""
        record = self._typedata.record(rtype)
        if record is None or record["Size_"] > SIZE_LIMIT:
            return UNKNOWN
        slots: Slots = {}
        element, kind = rtype, self._typedata.kind(rtype)
        for _ in range(_DEPTH_LIMIT):
            # An array repeats its element, so that is all there is to know.
            if kind != GoKind.ARRAY:
                break
            element = u64(self._memory, element + _ELEM)
            kind = self._typedata.kind(element)
        self._flatten(element, 0, slots, 0)
        size = min(self._typedata.size(element), SIZE_LIMIT)
        name = self._typedata.full_name(rtype)
        made = made_of(name, size, bool(record["PtrBytes"]), slots)
        return Shape(name, record["Size_"], made.words, made.pointers, made.rules)

    def array(self, rtype: int) -> Shape:
        """The array behind a slice of the type."""
        made = self.shape(rtype)
        return replace(made, name=f"[]{made.name} backing") if made is not UNKNOWN else made

    def _flatten(self, rtype: int, base: int, slots: Slots, depth: int) -> None:
        if depth > _DEPTH_LIMIT or len(slots) >= SLOTS_LIMIT:
            return
        match self._typedata.kind(rtype):
            case GoKind.STRUCT:
                self._struct(rtype, base, slots, depth)
            case GoKind.ARRAY:
                part, count = (u64(self._memory, rtype + at) for at in (_ELEM, _LENGTH))
                size = min(self._typedata.size(part), SIZE_LIMIT)
                for i in range(min(count, SLOTS_LIMIT) if size else 0):
                    before = len(slots)
                    self._flatten(part, base + i * size, slots, depth + 1)
                    if len(slots) == before or len(slots) >= SLOTS_LIMIT:
                        break
            case GoKind.INTERFACE:
                methods = u64(self._memory, rtype + _METHODS)
                slots[base // WORD + 1] = (Rule.IFACE if methods else Rule.EFACE, 0)
            case kind:
                slots.update(self._pointer(rtype, kind, base // WORD))

    def _pointer(self, rtype: int, kind: GoKind, word: int) -> Slots:
        """The pointer of a value that has only one."""
        shapes = self._shapes
        match kind:
            case GoKind.POINTER:
                return {word: (Rule.ONE, shapes.of_rtype(u64(self._memory, rtype + _ELEM)))}
            case GoKind.SLICE:
                part = u64(self._memory, rtype + _ELEM)
                return {word: (Rule.ARRAY, shapes.array_of_rtype(part))}
            case GoKind.STRING:
                return {word: (Rule.ARRAY, shapes.named("string data", 1))}
            case GoKind.FUNC:
                return {word: (Rule.FUNC, 0)}
            case GoKind.MAP:
                return {word: (Rule.ONE, shapes.number(("rmap", rtype), lambda: self._map(rtype)))}
            case GoKind.CHAN:
                return {
                    word: (Rule.ANY, shapes.number(("rchan", rtype), lambda: self._chan(rtype)))
                }
            case GoKind.UNSAFE_POINTER:
                return {word: (Rule.NOTHING, 0)}
        return {}

    # Structs

    def _struct(self, rtype: int, base: int, slots: Slots, depth: int) -> None:
        fields = self._fields(rtype)
        pointee = self._atomic_pointee(rtype, fields)
        for part, offset in fields:
            if pointee is not None and self._typedata.kind(part) is GoKind.UNSAFE_POINTER:
                slots[(base + offset) // WORD] = pointee
            else:
                self._flatten(part, base + min(offset, 1 << 40), slots, depth + 1)

    def _fields(self, rtype: int) -> list[tuple[int, int]]:
        """The type and the offset of each field."""
        fields, count = (u64(self._memory, rtype + at) for at in (_FIELDS, _FIELD_COUNT))
        raw = self._memory.read(fields, _FIELD_BYTES * min(count, SLOTS_LIMIT))
        return [(part, at) for _, part, at in np.frombuffer(raw, np.uint64).reshape(-1, 3).tolist()]

    def _atomic_pointee(self, rtype: int, fields: list[tuple[int, int]]) -> tuple[Rule, int] | None:
        """What atomic.Pointer[T] points at: its field `_ [0]*T` tells."""
        array = fields[0][0] if len(fields) > 1 else 0
        if self._typedata.kind(array) is not GoKind.ARRAY or self._typedata.size(array):
            return None
        if not self._typedata.full_name(rtype).startswith(ATOMIC_POINTER):
            return None
        pointer = u64(self._memory, array + _ELEM)
        if self._typedata.kind(pointer) is not GoKind.POINTER:
            return None
        pointee = u64(self._memory, pointer + _ELEM)
        trie = self._typedata.full_name(pointee).startswith(TRIE_NODE)
        return (Rule.TRIE if trie else Rule.ONE), self._shapes.of_rtype(pointee)

    # Maps and channels

    def _map(self, rtype: int) -> Shape:
        name = self._typedata.full_name(rtype)
        struct = self._layout.struct("internal/abi.MapType")
        if "Group" in struct.fields:
            group = self._part(u64(self._memory, rtype + struct.offset("Group")), f"{name} groups")
            return self._swiss(name, group)
        return self._buckets(name, u64(self._memory, rtype + struct.offset("Bucket")))

    def _part(self, rtype: int, name: str) -> int:
        """Values of a type that only the runtime names, under a better name."""
        make = lambda: replace(self.shape(rtype), name=name)  # noqa: E731
        return self._shapes.number(("rpart", rtype, name), make)

    def _swiss(self, name: str, group: int) -> Shape:
        table = self._layout.struct(_SWISS_TABLE)
        groups = table.offset("groups.data") // WORD
        number = self._shapes.number(
            ("rtable", name, group),
            lambda: made_of(f"{name} table", table.size, True, {groups: (Rule.ARRAY, group)}),
        )
        header = self._layout.struct(_SWISS_MAP)
        slots: Slots = {header.offset("dirPtr") // WORD: (Rule.DIRECTORY, number)}
        return made_of(name, header.size, True, slots)

    def _buckets(self, name: str, rtype: int) -> Shape:
        """Buckets hang on each other by their last word, which is a pointer in the descriptor
        where anything in the bucket is one; else hmap.extra lists them."""
        bucket = self._shapes.number(("rbucket", rtype), lambda: self._bucket(name, rtype))
        header, extra = self._layout.struct("hmap"), self._layout.struct("mapextra")
        pointers = made_of(f"{name} overflow list", WORD, True, {0: (Rule.ONE, bucket)})
        listed = self._shapes.number(("roverflow", rtype), lambda: pointers)
        slice_ = made_of(f"{name} overflow", 3 * WORD, True, {0: (Rule.ARRAY, listed)})
        lists = self._shapes.number(("roverflows", rtype), lambda: slice_)
        more: Slots = {
            extra.offset(f) // WORD: (Rule.ONE, lists) for f in ("overflow", "oldoverflow")
        }
        more[extra.offset("nextOverflow") // WORD] = (Rule.ARRAY, bucket)
        added = made_of(f"{name} extra", extra.size, True, more)
        slots: Slots = {
            header.offset(f) // WORD: (Rule.ARRAY, bucket) for f in ("buckets", "oldbuckets")
        }
        slots[header.offset("extra") // WORD] = (
            Rule.ONE, self._shapes.number(("rextra", rtype), lambda: added),
        )  # fmt: skip
        return made_of(name, header.size, True, slots)

    def _bucket(self, name: str, rtype: int) -> Shape:
        made = replace(self.shape(rtype), name=f"{name} buckets")
        rules, shapes = (each.copy() for each in made.rules)
        if made.pointers and made.words:
            rules[made.words - 1] = Rule.ONE
            shapes[made.words - 1] = self._shapes.number(("rbucket", rtype), lambda: made)
        return replace(made, rules=(rules, shapes))

    def _chan(self, rtype: int) -> Shape:
        name = self._typedata.full_name(rtype)
        header = self._layout.struct("hchan")
        buffer = self._part(u64(self._memory, rtype + _ELEM), f"{name} buffer")
        slots: Slots = {header.offset("buf") // WORD: (Rule.ARRAY, buffer)}
        return made_of(name, header.size, True, slots, repeats=False)
