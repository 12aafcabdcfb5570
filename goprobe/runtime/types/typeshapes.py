"""Shapes by the runtime's own descriptor of a type, for programs without debug information, and for
types that it does not know: those of plugins, and those that reflect has made.

Source: src/internal/abi/type.go, map_*.go, src/internal/runtime/maps, src/runtime/map.go, chan.go,
Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.types.shape import (
    ATOMIC_POINTER,
    BEHIND,
    DEPTH_LIMIT,
    GENERIC,
    HCHAN,
    SLOTS_LIMIT,
    TRIE_NODE,
    TRIE_PARTS,
    UNKNOWN,
    WEAK_POINTER,
    WORD,
    About,
    Numbers,
    Rule,
    Shape,
    Slots,
    shape_of,
    special,
)
from goprobe.runtime.types.typedata import TypeData
from goprobe.runtime.types.typenames import FIELD_BYTES, RTYPE_BYTES, chan_name

_SIZE_LIMIT = 1 << 47
_VISITS_LIMIT = 1 << 17  # types within one type
_OFFSET_LIMIT = 1 << 40
_SWISS, _TABLE = "internal/runtime/maps.Map", "internal/runtime/maps.table"
_WITH_SECRETS = frozenset(struct for struct, _ in BEHIND)


class OfRtype(Protocol):
    """How shapes of descriptors are numbered: by the debug information where it knows the type."""

    def of_rtype(self, rtype: int) -> int: ...
    def array_of_rtype(self, rtype: int) -> int: ...


class TypeShapes:
    """Makes shapes of descriptors. `named` finds the descriptor of a struct by its full name."""

    def __init__(
        self,
        numbers: Numbers,
        memory: Memory,
        layout: Layout,
        typedata: TypeData,
        others: OfRtype,
        named: Callable[[str], int],
    ) -> None:
        self._numbers = numbers
        self._memory = memory
        self._layout = layout
        self._typedata = typedata
        self._others = others
        self._named = named
        self._visits = 0

    def of(self, rtype: int) -> int:
        return self._numbers.number(
            ("rtype", rtype), lambda: self._made(rtype, ""), lambda: About(rtype=rtype)
        )

    def array_of(self, rtype: int) -> int:
        return self._numbers.number(
            ("rarray", rtype),
            lambda: self._made(rtype, "[]"),
            lambda: About(rtype=rtype, array=True),
        )

    def _made(self, rtype: int, prefix: str) -> Shape:
        record = self._typedata.record(rtype)
        if record is None or record["Size_"] > _SIZE_LIMIT:
            return UNKNOWN
        name = self._typedata.full_name(rtype)
        name = f"[]{name} backing" if prefix else name
        return self._read(rtype, name, record["Size_"], bool(record["PtrBytes"]))

    def _read(self, rtype: int, name: str, size: int, pointers: bool) -> Shape:
        slots: Slots = {}
        element, kind = rtype, self._typedata.kind(rtype)
        for _ in range(DEPTH_LIMIT):
            if kind != GoKind.ARRAY:
                break
            element = u64(self._memory, element + RTYPE_BYTES)
            kind = self._typedata.kind(element)
        self._visits = 0
        self._flatten(element, 0, slots, 0, self._typedata.size(element))
        step = min(self._typedata.size(element), _SIZE_LIMIT)
        made = shape_of(name, step, pointers, slots)
        return Shape(name, size, made.words, made.pointers, made.rules)

    def _flatten(self, rtype: int, base: int, slots: Slots, depth: int, room: int) -> None:
        """What stands in `room` bytes; no part is larger than what it is a part of."""
        self._visits += 1
        if depth > DEPTH_LIMIT or len(slots) >= SLOTS_LIMIT or self._visits > _VISITS_LIMIT:
            return
        if self._typedata.size(rtype) > room:
            return
        match self._typedata.kind(rtype):
            case GoKind.STRUCT:
                self._struct(rtype, base, slots, depth)
            case GoKind.ARRAY:
                at = rtype + RTYPE_BYTES
                part, count = u64(self._memory, at), u64(self._memory, at + 2 * WORD)
                size = min(self._typedata.size(part), _SIZE_LIMIT)
                for i in range(min(count, SLOTS_LIMIT) if size else 0):
                    before = len(slots)
                    self._flatten(part, base + i * size, slots, depth + 1, room - i * size)
                    if len(slots) == before or len(slots) >= SLOTS_LIMIT:
                        break
            case kind:
                rule = self._pointer(rtype, kind)
                if rule and base % WORD == 0:
                    slots[base // WORD + (rule[0] in (Rule.EFACE, Rule.IFACE))] = rule

    def _struct(self, rtype: int, base: int, slots: Slots, depth: int) -> None:
        at = rtype + RTYPE_BYTES
        fields, count = u64(self._memory, at + WORD), u64(self._memory, at + 2 * WORD)
        raw = self._memory.read(fields, FIELD_BYTES * min(count, SLOTS_LIMIT))
        name = self._typedata.full_name(rtype)
        first = int.from_bytes(raw[WORD : 2 * WORD], "little")
        pointee = self._atomic_pointee(first) if name.startswith(ATOMIC_POINTER) else None
        free, size = 0, self._typedata.size(rtype)
        for label, part, offset in np.frombuffer(raw, np.uint64).reshape(-1, 3).tolist():
            if not free <= offset <= size:
                continue  # it lies over another, or outside
            free = offset + self._typedata.size(part)
            place = base + min(offset, _OFFSET_LIMIT)
            rule = self._behind(name, label, rtype) if name in _WITH_SECRETS else None
            if self._typedata.kind(part) == GoKind.UNSAFE_POINTER:
                rule = pointee or rule
                if name.startswith(WEAK_POINTER):
                    rule = self._numbers.weak_handle
            if rule and place % WORD == 0:
                slots[place // WORD] = rule
            else:
                self._flatten(part, place, slots, depth + 1, size - offset)

    def _behind(self, struct: str, label: int, rtype: int) -> tuple[Rule, int] | None:
        rule = BEHIND.get((struct, self._typedata.text(label)))
        if rule is None:
            return None
        behind = self._named(rule[1]) if rule[1] else 0
        return rule[0], self._others.array_of_rtype(behind) if behind else 0

    def _pointer(self, rtype: int, kind: GoKind) -> tuple[Rule, int] | None:
        """What the (one) pointer of a value of a type that is no aggregate means."""
        at, others = rtype + RTYPE_BYTES, self._others
        match kind:
            case GoKind.POINTER:
                elem = u64(self._memory, at)
                if self._typedata.full_name(elem) == HCHAN:
                    return Rule.CHAN, 0
                if self._typedata.name(rtype).startswith(GENERIC):
                    return Rule.NOTHING, 0  # every pointer is a go.shape.*uint8 there
                return Rule.ONE, others.of_rtype(elem)
            case GoKind.SLICE:
                return Rule.SLICE, others.array_of_rtype(u64(self._memory, at))
            case GoKind.STRING:
                return Rule.TEXT, self._numbers.text
            case GoKind.FUNC:
                return Rule.FUNC, 0
            case GoKind.INTERFACE:
                return (Rule.IFACE if u64(self._memory, at + 2 * WORD) else Rule.EFACE), 0
            case GoKind.MAP:
                return Rule.ONE, self._map(rtype)
            case GoKind.CHAN:
                return Rule.ANY, self._chan(rtype)
            case GoKind.UNSAFE_POINTER:
                return Rule.NOTHING, 0
        return None

    # Maps and channels: the struct behind the pointer has no descriptor of its own

    def _map(self, rtype: int) -> int:
        return self._numbers.number(
            ("rmap", rtype),
            lambda: self._map_shape(rtype),
            lambda: About(special=True, header=rtype),
        )

    def _map_shape(self, rtype: int) -> Shape:
        name, layout = self._typedata.full_name(rtype), self._layout
        key, elem = (u64(self._memory, rtype + RTYPE_BYTES + i * WORD) for i in (0, 1))
        inside = f"map[{self._typedata.full_name(key)}]{self._typedata.full_name(elem)}"
        described = layout.struct("internal/abi.MapType")
        slots: Slots = {}
        if layout.has(_SWISS, "dirPtr"):
            group = u64(self._memory, rtype + described.offset("Group"))
            groups = self._part(group, f"{inside} groups")
            header = layout.struct(_SWISS)
            table = self._numbers.number(
                ("rtable", rtype), lambda: self._table(name, groups), special
            )
            slots[header.offset("dirPtr") // WORD] = (Rule.DIRECTORY, table)
        else:
            bucket = u64(self._memory, rtype + described.offset("Bucket"))
            buckets = self._part(bucket, f"{inside} buckets", overflow=True)
            header = layout.struct("hmap")
            for field in ("buckets", "oldbuckets"):
                slots[header.offset(field) // WORD] = (Rule.ARRAY, buckets)
            if extra := self._named("runtime.mapextra"):
                slots[header.offset("extra") // WORD] = (Rule.ONE, self._others.of_rtype(extra))
        return shape_of(name, header.size, True, slots)

    def _table(self, name: str, groups: int) -> Shape:
        struct = self._layout.struct(_TABLE)
        slots: Slots = {struct.offset("groups.data") // WORD: (Rule.ARRAY, groups)}
        return shape_of(f"{name} table", struct.size, True, slots)

    def _part(self, rtype: int, name: str, *, overflow: bool = False) -> int:
        """The groups or buckets of a map; a bucket's last word leads to another one."""

        def make() -> Shape:
            record = self._typedata.record(rtype)
            if record is None or record["Size_"] > _SIZE_LIMIT:
                return UNKNOWN
            made = self._read(rtype, name, record["Size_"], bool(record["PtrBytes"]))
            if overflow and made.pointers and made.words:
                made.rules[0][made.words - 1], made.rules[1][made.words - 1] = Rule.ONE, number
            return made

        number = self._numbers.number(("rpart", rtype, name), make, special)
        return number

    def _chan(self, rtype: int) -> int:
        return self.chan_of(u64(self._memory, rtype + RTYPE_BYTES))

    def chan_of(self, element: int) -> int:
        """A channel that carries values of a type."""

        def make() -> Shape:
            header = self._layout.struct("hchan")
            name = chan_name(self._typedata.full_name(element))
            buffer = self._part(element, f"{name} buffer")
            slots: Slots = {header.offset("buf") // WORD: (Rule.ARRAY, buffer)}
            for field in ("recvq.first", "recvq.last", "sendq.first", "sendq.last"):
                if sudog := self._named("runtime.sudog"):
                    slots[header.offset(field) // WORD] = (Rule.ONE, self._others.of_rtype(sudog))
            return shape_of(name, header.size, True, slots, repeats=False)

        return self._numbers.number(("rchan", element), make, special)

    def _atomic_pointee(self, part: int) -> tuple[Rule, int] | None:
        """What atomic.Pointer[T] points at: its first field, `_ [0]*T`, tells."""
        if self._typedata.kind(part) != GoKind.ARRAY:
            return None
        pointer = u64(self._memory, part + RTYPE_BYTES)
        if self._typedata.kind(pointer) != GoKind.POINTER:
            return None
        pointee = u64(self._memory, pointer + RTYPE_BYTES)
        trie = self._typedata.full_name(pointee).startswith(TRIE_NODE)
        return (Rule.TRIE if trie else Rule.ONE), self._others.of_rtype(pointee)

    def trie_nodes(self, node: int) -> tuple[int, int]:
        """See debugshapes.py."""
        name = self._numbers[node].name
        nodes = (self._named(name.replace(TRIE_NODE, part, 1)) for part in TRIE_PARTS)
        inner, entry = (self._others.of_rtype(rtype) if rtype else 0 for rtype in nodes)
        return inner, entry
