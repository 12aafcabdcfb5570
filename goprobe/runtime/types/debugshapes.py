"""Shapes by the debug information's description of a type."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from goprobe.binary.dwarf.gotypes import GoKind, GoType, Member, TypeReader, element_number
from goprobe.runtime.types.shape import (
    ATOMIC_POINTER,
    BEHIND,
    DEPTH_LIMIT,
    GENERIC,
    HCHAN,
    SLOTS_LIMIT,
    TRIE_NODE,
    TRIE_PARTS,
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

TIMERS, TIMER = frozenset({"time.Timer", "time.Ticker"}), "runtime.timeTimer"
_ONE_WAY = re.compile(r"^(<-chan|chan<-) ")
_ENTRY_OVERFLOW, _ENTRY_KEY = 8, 16  # internal/sync.entry: node, overflow, key, value
_OF_THE_RUNTIME = re.compile(r"(?:runtime/internal|internal/runtime)/atomic\.Pointer\[(.*)\]")
"""types.go there, Go 1.21 to 1.27: `u UnsafePointer` is the only field."""


class DebugShapes:
    """Makes shapes of types of the debug information. `by_name` finds types in it; `rtype_of` is
    the address of a type's descriptor, 0 where it has none."""

    def __init__(
        self,
        numbers: Numbers,
        types: TypeReader,
        by_name: Callable[[str], GoType | None],
        rtype_of: Callable[[GoType], int],
    ) -> None:
        self._numbers = numbers
        self._types = types
        self._named_type = by_name
        self._rtype_of = rtype_of

    def of_type(self, go_type: GoType) -> int:
        """A value of a type of the debug information."""
        made = self._timer(go_type) if go_type.name in TIMERS else 0
        return made or self._numbers.number(
            ("type", go_type.offset),
            lambda: self._from_type(go_type, go_type.name),
            lambda: About(rtype=self._rtype_of(go_type)),
        )

    def _timer(self, go_type: GoType) -> int:
        """A time.Timer or time.Ticker is the beginning of a larger struct of the runtime's
        (newTimer, src/runtime/time.go, since Go 1.23), 0 where it is not."""
        whole = self._named_type(TIMER)
        if whole is None:
            return 0

        def make() -> Shape:
            slots: Slots = {}
            self.flatten(whole, 0, slots, 0)
            self.flatten(go_type, 0, slots, 0)
            return replace(shape_of(go_type.name, whole.size, True, slots), go_type=go_type)

        return self._numbers.number(("timer", go_type.offset), make, special)

    def array_of(self, go_type: GoType) -> int:
        """The array behind a slice of a type."""
        name = f"[]{go_type.name} backing"
        return self._numbers.number(
            ("array", go_type.offset),
            lambda: self._from_type(go_type, name),
            lambda: About(rtype=self._rtype_of(go_type), array=True),
        )

    def part_of(self, go_type: GoType, name: str) -> int:
        """A struct that only the runtime names, under a better name."""
        return self._numbers.number(
            ("part", go_type.offset, name), lambda: self._from_type(go_type, name), special
        )

    # What values are made of

    def _from_type(self, go_type: GoType, name: str) -> Shape:
        slots: Slots = {}
        element = go_type
        for _ in range(DEPTH_LIMIT):
            # An array repeats its element, so that is all there is to know.
            if element.kind != GoKind.ARRAY or not element.count:
                break
            element = self._types.at(element.elem)
        self.flatten(element, 0, slots, 0)
        shape = shape_of(name, element.size, bool(slots), slots)
        return Shape(name, go_type.size, shape.words, shape.pointers, shape.rules, go_type)

    def flatten(self, go_type: GoType, base: int, slots: Slots, depth: int) -> None:
        types = self._types
        if depth > DEPTH_LIMIT or len(slots) >= SLOTS_LIMIT:
            return
        match go_type.kind:
            case GoKind.STRUCT:
                self._struct(go_type, base, slots, depth)
            case GoKind.ARRAY:
                element = types.at(go_type.elem)
                if not element.size:
                    return
                for i in range(min(go_type.count, SLOTS_LIMIT)):
                    before = len(slots)
                    self.flatten(element, base + i * element.size, slots, depth + 1)
                    if len(slots) == before or len(slots) >= SLOTS_LIMIT:
                        break
            case _:
                rule = self._pointer(go_type)
                if rule and base % WORD == 0:
                    at = base // WORD + (rule[0] in (Rule.EFACE, Rule.IFACE))
                    slots[at] = rule

    def _pointer(self, go_type: GoType) -> tuple[Rule, int] | None:
        """What the (one) pointer of a value of a type that is no aggregate means."""
        types = self._types
        match go_type.kind:
            case GoKind.POINTER if go_type.name.startswith(GENERIC):
                return Rule.NOTHING, 0  # every pointer is a go.shape.*uint8 there
            case GoKind.POINTER:
                elem = types.at(go_type.elem)
                if elem.name == HCHAN:
                    return Rule.CHAN, 0
                return Rule.ONE, self.of_type(elem)
            case GoKind.STRING:
                return Rule.TEXT, self._numbers.text
            case GoKind.SLICE:
                return Rule.SLICE, self.array_of(types.at(element_number(types, go_type)))
            case GoKind.MAP:
                header = types.at(types.at(go_type.underlying).elem)
                return Rule.ONE, self._map(go_type, header)
            case GoKind.CHAN:
                header = types.at(types.at(go_type.underlying).elem)
                return Rule.ANY, self._chan(go_type, header)
            case GoKind.FUNC:
                return Rule.FUNC, 0
            case GoKind.INTERFACE:
                members = types.at(go_type.underlying).members
                iface = any(m.name == "tab" for m in members)
                return (Rule.IFACE if iface else Rule.EFACE), 0
            case GoKind.UNSAFE_POINTER:
                return Rule.NOTHING, 0
        return None

    def _struct(self, go_type: GoType, base: int, slots: Slots, depth: int) -> None:
        types = self._types
        pointee = self._atomic_pointee(go_type, types)
        for member in go_type.members:
            at = base + member.offset
            behind = BEHIND.get((go_type.name, member.name))
            member_type = types.at(member.type)
            if pointee is not None and member.name in ("v", "u") and at % WORD == 0:
                slots[at // WORD] = pointee
            elif go_type.name.startswith(WEAK_POINTER) and member.name == "u":
                slots[at // WORD] = self._numbers.weak_handle
            elif behind is not None:
                slots[at // WORD] = (behind[0], self._by_name(behind[1]))
            elif go_type.name.startswith("groupReference<") and member.name == "data":
                group = types.at(member_type.elem)
                slots[at // WORD] = (Rule.ARRAY, self.part_of(group, _map_part(group, "groups")))
            elif go_type.name.startswith("hash<") and member.name in ("buckets", "oldbuckets"):
                bucket = types.at(member_type.elem)
                name = _map_part(bucket, "buckets")
                slots[at // WORD] = (Rule.ARRAY, self.part_of(bucket, name))
            elif (
                go_type.name.startswith("bucket<")
                and member.name == "overflow"
                and member_type.kind == GoKind.POINTER
            ):
                name = _map_part(go_type, "buckets")
                slots[at // WORD] = (Rule.ONE, self.part_of(go_type, name))
            else:
                self.flatten(member_type, at, slots, depth + 1)

    def _atomic_pointee(self, go_type: GoType, types: TypeReader) -> tuple[Rule, int] | None:
        """What atomic.Pointer[T] points at: its field `_ [0]*T` tells, of the runtime's own its
        name."""
        own = _OF_THE_RUNTIME.fullmatch(go_type.name)
        if own is not None:
            pointee = self._named_type(own[1])
            return (Rule.ONE, self.of_type(pointee)) if pointee else None
        if not go_type.name.startswith(ATOMIC_POINTER):
            return None
        for member in go_type.members:
            array = types.at(member.type)
            if array.kind == GoKind.ARRAY and not array.count:
                pointer = types.at(array.elem)
                if pointer.kind == GoKind.POINTER:
                    pointee = types.at(pointer.elem)
                    trie = pointee.name.startswith(TRIE_NODE)
                    return (Rule.TRIE if trie else Rule.ONE), self.of_type(pointee)
        return None

    def trie_nodes(self, node: int) -> tuple[int, int]:
        """Of a hash trie's node's shape: the shapes of what it is the beginning of: an inner node,
        and an entry. sync.Map and unique are made of them (src/internal/sync/hashtriemap.go, Go
        1.24 to 1.27)."""
        name = self._numbers[node].name
        inner, entry = (name.replace(TRIE_NODE, part, 1) for part in TRIE_PARTS)
        return self._whole(inner), self._whole(entry) or self._trie_entry(entry)

    def _whole(self, name: str) -> int:
        kind = self._named_type(name)
        return self.of_type(kind) if kind else 0

    def _trie_entry(self, name: str) -> int:
        """An entry of a trie where the linker has left out its type, by its key's and value's."""
        key, value = map(self._named_type, _arguments(name.partition("[")[2].removesuffix("]")))
        if not key or not value or key.size % WORD or value.size % WORD:
            return 0
        places = (_ENTRY_KEY, _ENTRY_KEY + key.size)
        members = tuple(
            Member(field, at, kind.offset)
            for field, at, kind in zip(("key", "value"), places, (key, value), strict=True)
        )
        size = places[1] + value.size
        struct = GoType(offset=0, name=name, kind=GoKind.STRUCT, size=size, members=members)

        def make() -> Shape:
            slots: Slots = {_ENTRY_OVERFLOW // WORD: (Rule.ONE, number)}
            self.flatten(struct, 0, slots, 0)
            return replace(shape_of(name, size, True, slots), go_type=struct)

        number = self._numbers.number(("trie entry", name), make)
        return number

    def _by_name(self, name: str) -> int:
        kind = self._named_type(name)
        return self.array_of(kind) if kind else 0

    def _map(self, go_type: GoType, header: GoType) -> int:
        name = go_type.name

        def make() -> Shape:
            types = self._types
            slots: Slots = {}
            self.flatten(header, 0, slots, 0)
            for member in header.members:
                if member.name == "dirPtr":
                    table = types.at(types.at(types.at(member.type).elem).elem)
                    slots[member.offset // WORD] = (Rule.DIRECTORY, self._table(table, name))
            return replace(shape_of(name, header.size, True, slots), go_type=header)

        return self._numbers.number(("map", go_type.offset), make, special)

    def _table(self, table: GoType, name: str) -> int:
        return self.part_of(table, f"{name} table")

    def _chan(self, go_type: GoType, header: GoType) -> int:
        name = _ONE_WAY.sub("chan ", go_type.name)  # only pointers to it go one way

        def make() -> Shape:
            types = self._types
            slots: Slots = {}
            self.flatten(header, 0, slots, 0)
            element = types.at(go_type.elem)
            for member in header.members:
                if member.name == "buf":
                    buffer = self.part_of(element, f"{name} buffer")
                    slots[member.offset // WORD] = (Rule.ARRAY, buffer)
            made = shape_of(name, header.size, True, slots, repeats=False)
            return replace(made, go_type=header)

        return self._numbers.number(("chan", go_type.offset), make, special)


def _map_part(go_type: GoType, part: str) -> str:
    """A name for a map's inside: "map[string]*main.Node groups"."""
    of = _key_and_value(go_type.name)
    return f"map{of} {part}" if of else f"map {part} ({go_type.name})"


def _key_and_value(name: str) -> str:
    """ "[K]V" out of "group<K,V>" and of "noalg.map.group[K]V"; "" where it is neither."""
    match = re.search(r"map\.(?:group|bucket)(\[.*)", name)
    if match:
        return match[1]
    key, value = _arguments(name.partition("<")[2].removesuffix(">"))
    return f"[{key}]{value}" if value else ""


def _arguments(text: str) -> tuple[str, str]:
    """ "K,V" in two; the second is "" where it is not two."""
    depth = 0
    for i, char in enumerate(text):
        depth += (char in "[({<") - (char in "])}>")
        if char == "," and not depth:
            return text[:i], text[i + 1 :]
    return text, ""
