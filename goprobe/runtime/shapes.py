"""Types of heap objects as what their pointers mean: word by word, what each one points at.

A shape is made of the debug information's description of a type where there is one, else of the
runtime's own descriptor (src/internal/abi/type.go, Go 1.21 to 1.27), so that stripped programs
have types, too. Shapes have numbers; what a shape is in full is read when it is first asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec.structs import replace

from goprobe.binary.gotypes import GoKind, GoType, Member, TypeReader
from goprobe.errors import NotGoError, UnreadableError
from goprobe.process.memory import Memory
from goprobe.runtime.descriptorshapes import Descriptors
from goprobe.runtime.layout import Layout
from goprobe.runtime.shape import (
    ATOMIC_POINTER,
    NO_RULES,
    SLOTS_LIMIT,
    TRIE_NODE,
    UNKNOWN,
    WORD,
    Rule,
    Shape,
    Slots,
    made_of,
)
from goprobe.runtime.typedata import TypeData
from goprobe.runtime.values import Capture

_DEPTH_LIMIT = 32
_MAP_PART = re.compile(r"\bmap\.(group|bucket)\[|\bmaps\.table$|\bruntime\.bmap$")
_GENERIC = "go.shape."
_TIMERS = frozenset({"time.Timer", "time.Ticker"})
_ONE_WAY = re.compile(r"^(<-chan|chan<-) ")
_NODES = ("indirect", "entry")
_ENTRY_OVERFLOW, _ENTRY_KEY = 8, 16  # internal/sync.entry: node, overflow, key, value


class Shapes:
    """Every shape of one snapshot, numbered from 1 on.

    `function` names the code at an address; `captures` lists what a closure of it captured;
    `by_name` finds types of the debug information.
    """

    def __init__(
        self, memory: Memory, types: TypeReader | None, typedata: TypeData,
        function: Callable[[int], str], captures: Callable[[int], tuple[Capture, ...]],
        by_name: Callable[[str], GoType | None], layout: Layout,
    ) -> None:  # fmt: skip
        self._types = types
        self._typedata = typedata
        self._function = function
        self._captures = captures
        self._named_type = by_name
        self._numbers: dict[tuple[object, ...], int] = {}
        self._makers: list[Callable[[], Shape]] = [lambda: UNKNOWN]
        self._made: dict[int, Shape] = {0: UNKNOWN}
        self._descriptors = Descriptors(memory, typedata, layout, self)
        self._special: dict[tuple[str, str], tuple[Rule, str]] = {
            ("sync.Pool", "local"): (Rule.ARRAY, "sync.poolLocal"),
            ("sync.Pool", "victim"): (Rule.ARRAY, "sync.poolLocal"),
        }

    def __len__(self) -> int:
        return len(self._makers)

    def __getitem__(self, number: int) -> Shape:
        found = self._made.get(number)
        if found is None:
            try:
                found = self._makers[number]()
            except (KeyError, NotGoError, UnreadableError):
                found = UNKNOWN
            self._made[number] = found
        return found

    def number(self, key: tuple[object, ...], make: Callable[[], Shape]) -> int:
        """The number of the shape that `key` stands for, made when it is first asked for."""
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self._makers)
            self._makers.append(make)
        return found

    # Shapes by what they are made of

    def named(self, name: str, size: int = 0, pointers: bool = False) -> int:
        """A shape without pointers that are known, by its name alone."""
        return self.number(("name", name), lambda: Shape(name, size, 0, pointers, NO_RULES))

    def of_type(self, kind: GoType) -> int:
        """A value of a type of the debug information."""
        made = self._timer(kind) if kind.name in _TIMERS else 0
        return made or self.number(("type", kind.offset), lambda: self._from_type(kind, kind.name))

    def _timer(self, kind: GoType) -> int:
        """A time.Timer or time.Ticker is the beginning of a larger struct of the runtime's
        (newTimer, src/runtime/time.go, since Go 1.23), 0 where it is not."""
        whole = self._named_type("runtime.timeTimer")
        if whole is None:
            return 0

        def make() -> Shape:
            slots: Slots = {}
            self._flatten(whole, 0, slots, 0)
            self._flatten(kind, 0, slots, 0)
            return replace(made_of(kind.name, whole.size, True, slots), kind=kind)

        return self.number(("timer", kind.offset), make)

    def array_of(self, kind: GoType) -> int:
        """The array behind a slice of a type."""
        name = f"[]{kind.name} backing"
        return self.number(("array", kind.offset), lambda: self._from_type(kind, name))

    def part_of(self, kind: GoType, name: str) -> int:
        """A struct that only the runtime names, under a better name."""
        return self.number(("part", kind.offset, name), lambda: self._from_type(kind, name))

    def of_rtype(self, rtype: int) -> int:
        """A value of the type whose descriptor is at an address."""
        debug = self._typedata.debug_type(rtype) if self._types else None
        if debug is not None:
            return self.of_type(debug)
        return self.number(("rtype", rtype), lambda: self._descriptors.shape(rtype))

    def array_of_rtype(self, rtype: int) -> int:
        debug = self._typedata.debug_type(rtype) if self._types else None
        if debug is not None:
            return self.array_of(debug)
        return self.number(("rarray", rtype), lambda: self._descriptors.array(rtype))

    def is_part_of_map(self, rtype: int) -> bool:
        """Whether a type is one that the compiler made for the inside of maps."""
        return bool(_MAP_PART.search(self._typedata.name(rtype)))

    def is_generic(self, shape: int) -> bool:
        """Whether a shape is what generic code shares between types of the same layout."""
        return _GENERIC in self[shape].name

    def held_directly(self, rtype: int) -> tuple[Rule, int] | None:
        """What an interface's data word means where it is the value itself; None where it
        points at the value."""
        if not self._typedata.holds_pointer_directly(rtype):
            return None
        rules, shapes = self[self.of_rtype(rtype)].rules
        return Rule(int(rules[0])), int(shapes[0])

    def closure(self, code: int) -> int:
        """The closure whose code starts at an address."""
        return self.number(("closure", code), lambda: self._from_closure(code))

    def _from_closure(self, code: int) -> Shape:
        name = self._function(code)
        if not name:
            return UNKNOWN
        slots: Slots = {}
        size = WORD
        for capture in self._captures(code):
            self._flatten(capture.type, capture.offset, slots, 0)
            size = max(size, capture.offset + capture.type.size)
        return made_of(f"closure {name}", size, True, slots, repeats=False)

    # From debug information

    def _from_type(self, kind: GoType, name: str) -> Shape:
        slots: Slots = {}
        element = kind
        for _ in range(_DEPTH_LIMIT):
            # An array repeats its element, so that is all there is to know.
            if element.kind != GoKind.ARRAY or not self._types or not element.count:
                break
            element = self._types.at(element.elem)
        self._flatten(element, 0, slots, 0)
        found = made_of(name, element.size, bool(slots), slots)
        return Shape(name, kind.size, found.words, found.pointers, found.rules, kind)

    def _flatten(self, kind: GoType, base: int, slots: Slots, depth: int) -> None:
        types = self._types
        if types is None or depth > _DEPTH_LIMIT or len(slots) >= SLOTS_LIMIT:
            return
        match kind.kind:
            case GoKind.STRUCT:
                self._struct(kind, base, slots, depth)
            case GoKind.ARRAY:
                element = types.at(kind.elem)
                if not element.size:
                    return
                for i in range(min(kind.count, SLOTS_LIMIT)):
                    before = len(slots)
                    self._flatten(element, base + i * element.size, slots, depth + 1)
                    if len(slots) == before or len(slots) >= SLOTS_LIMIT:
                        break
            case _:
                found = self._pointer(kind, types)
                if found and base % WORD == 0:
                    at = base // WORD + (found[0] in (Rule.EFACE, Rule.IFACE))
                    slots[at] = found

    def _pointer(self, kind: GoType, types: TypeReader) -> tuple[Rule, int] | None:
        """What the (one) pointer of a value of a type that is no aggregate means."""
        match kind.kind:
            case GoKind.POINTER if kind.name.startswith(_GENERIC):
                return Rule.NOTHING, 0  # every pointer is a go.shape.*uint8 there
            case GoKind.POINTER:
                return Rule.ONE, self.of_type(types.at(kind.elem))
            case GoKind.STRING:
                return Rule.ARRAY, self.named("string data", 1)
            case GoKind.SLICE:
                elem = kind.elem or types.at(kind.member("array").type).elem
                return Rule.ARRAY, self.array_of(types.at(elem))
            case GoKind.MAP:
                header = types.at(types.at(kind.underlying).elem)
                return Rule.ONE, self._map(kind, header)
            case GoKind.CHAN:
                header = types.at(types.at(kind.underlying).elem)
                return Rule.ANY, self._chan(kind, header)
            case GoKind.FUNC:
                return Rule.FUNC, 0
            case GoKind.INTERFACE:
                members = types.at(kind.underlying).members
                iface = any(m.name == "tab" for m in members)
                return (Rule.IFACE if iface else Rule.EFACE), 0
            case GoKind.UNSAFE_POINTER:
                return Rule.NOTHING, 0
        return None

    def _struct(self, kind: GoType, base: int, slots: Slots, depth: int) -> None:
        types = self._types
        assert types is not None
        pointee = self._atomic_pointee(kind, types)
        for member in kind.members:
            at = base + member.offset
            special = self._special.get((kind.name, member.name))
            member_type = types.at(member.type)
            if pointee is not None and member.name == "v" and at % WORD == 0:
                slots[at // WORD] = pointee
            elif special is not None:
                slots[at // WORD] = (special[0], self._by_name(special[1]))
            elif kind.name.startswith("groupReference<") and member.name == "data":
                group = types.at(member_type.elem)
                slots[at // WORD] = (Rule.ARRAY, self.part_of(group, _map_part(group, "groups")))
            elif kind.name.startswith("hash<") and member.name in ("buckets", "oldbuckets"):
                bucket = types.at(member_type.elem)
                name = _map_part(bucket, "buckets")
                slots[at // WORD] = (Rule.ARRAY, self.part_of(bucket, name))
            elif (
                kind.name.startswith("bucket<")
                and member.name == "overflow"
                and member_type.kind == GoKind.POINTER
            ):
                name = _map_part(kind, "buckets")
                slots[at // WORD] = (Rule.ONE, self.part_of(kind, name))
            else:
                self._flatten(member_type, at, slots, depth + 1)

    def _atomic_pointee(self, kind: GoType, types: TypeReader) -> tuple[Rule, int] | None:
        """What atomic.Pointer[T] points at: its field `_ [0]*T` tells."""
        if not kind.name.startswith(ATOMIC_POINTER):
            return None
        for member in kind.members:
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
        name = self[node].name
        inner, entry = (name.replace(TRIE_NODE, f"internal/sync.{part}[", 1) for part in _NODES)
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
            Member(field, at, kind.offset, False)
            for field, at, kind in zip(("key", "value"), places, (key, value), strict=True)
        )
        size = places[1] + value.size
        struct = GoType(0, name, GoKind.STRUCT, size, members)

        def make() -> Shape:
            slots: Slots = {_ENTRY_OVERFLOW // WORD: (Rule.ONE, number)}
            self._flatten(struct, 0, slots, 0)
            return replace(made_of(name, size, True, slots), kind=struct)

        number = self.number(("trie entry", name), make)
        return number

    def _by_name(self, name: str) -> int:
        kind = self._named_type(name)
        return self.array_of(kind) if kind else 0

    def _map(self, kind: GoType, header: GoType) -> int:
        name = kind.name

        def make() -> Shape:
            types = self._types
            assert types is not None
            slots: Slots = {}
            self._flatten(header, 0, slots, 0)
            for member in header.members:
                if member.name == "dirPtr":
                    table = types.at(types.at(types.at(member.type).elem).elem)
                    slots[member.offset // WORD] = (Rule.DIRECTORY, self._table(table, name))
            return replace(made_of(name, header.size, True, slots), kind=header)

        return self.number(("map", header.offset), make)

    def _table(self, table: GoType, name: str) -> int:
        return self.part_of(table, f"{name} table")

    def group_of_table(self, number: int) -> tuple[int, int]:
        """Of a Swiss map's table shape: the shapes of its directory and of its groups."""
        table = self[number]
        rules, shapes = table.rules
        groups = next((int(s) for r, s in zip(rules, shapes, strict=True) if r == Rule.ARRAY), 0)
        name = table.name.removesuffix(" table")
        directory = self.number(
            ("directory", number),
            lambda: made_of(f"{name} directory", WORD, True, {0: (Rule.ONE, number)}),
        )
        return directory, groups

    def _chan(self, kind: GoType, header: GoType) -> int:
        name = _ONE_WAY.sub("chan ", kind.name)  # only pointers to it go one way

        def make() -> Shape:
            types = self._types
            assert types is not None
            slots: Slots = {}
            self._flatten(header, 0, slots, 0)
            element = types.at(kind.elem)
            for member in header.members:
                if member.name == "buf":
                    buffer = self.part_of(element, f"{name} buffer")
                    slots[member.offset // WORD] = (Rule.ARRAY, buffer)
            made = made_of(name, header.size, True, slots, repeats=False)
            return replace(made, kind=header)

        return self.number(("chan", kind.offset), make)


def _map_part(kind: GoType, part: str) -> str:
    """A name for a map's inside: "map[string]*main.Node groups"."""
    of = _key_and_value(kind.name)
    return f"map{of} {part}" if of else f"map {part} ({kind.name})"


def _key_and_value(name: str) -> str:
    """ "[K]V" out of "group<K,V>" and of "noalg.map.group[K]V"; "" where it is neither."""
    found = re.search(r"map\.(?:group|bucket)(\[.*)", name)
    if found:
        return found[1]
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
