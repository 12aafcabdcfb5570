"""Types of heap objects as what their pointers mean, whatever tells of a type.

A shape is made of the debug information's description of a type where there is one
(`debugshapes`), else of the runtime's own descriptor (`typeshapes`), so that stripped programs have
types, too. Shapes have numbers; what a shape is in full is read when it is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from msgspec.structs import replace

from goprobe.binary.dwarf.gotypes import GoKind, GoType, TypeReader, part_at
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.types.catalog import Catalog
from goprobe.runtime.types.debugshapes import DebugShapes
from goprobe.runtime.types.shape import (
    GENERIC,
    HCHAN,
    UNKNOWN,
    WORD,
    Numbers,
    Rule,
    Shape,
    Slots,
    shape_of,
    special,
)
from goprobe.runtime.types.typedata import TypeData
from goprobe.runtime.types.typeshapes import TypeShapes
from goprobe.runtime.types.wholes import WholeType
from goprobe.runtime.values.decoded import Capture

_PARTS_OF_MAPS = ("map.group[", "map.bucket[")
_TABLE, _OLD_BUCKET = "internal/runtime/maps.table", "runtime.bmap"
_OF_MAPS = ("maps.table", _OLD_BUCKET)  # by the name that values are printed with
_IN_DIRECTORIES = f"*{_TABLE}"  # from 64 tables on they carry that
_MAPS = ("internal/runtime/maps.Map", "runtime.hmap")
_HEADERS = ("internal/runtime/maps.Map", _TABLE, "runtime.hmap", _OLD_BUCKET, "runtime.mapextra")
_NAMED = 2  # types: of more that all fit, their number is told
_CLOSURE = "struct { F uintptr"
_SWAPPERS = ("reflect.Swapper.", "internal/reflectlite.Swapper.")
"""They take slices for others of elements as large, and with as many pointers: what their closures
have captured is not of the type that they call it (swapper.go, Go 1.21 to 1.27)."""


class FunctionFacts:
    """What is known of functions: `function` names the code at an address, `captures` lists what
    a closure of it captured, and `closure` is the descriptor of its closures' type, 0 where that
    is not known."""

    def __init__(
        self,
        function: Callable[[int], str],
        captures: Callable[[int], tuple[Capture, ...]],
        closure: Callable[[int], int],
    ) -> None:
        self.function = function
        self.captures = captures
        self.closure = closure


class Shapes:
    """Every shape of one snapshot. `types` are those of the debug information, `by_name` finds
    them there."""

    def __init__(
        self,
        memory: Memory,
        layout: Layout,
        typedata: TypeData,
        catalog: Catalog,
        code: FunctionFacts,
        types: TypeReader | None,
        by_name: Callable[[str], GoType | None],
    ) -> None:
        self._numbers = Numbers()
        self._typedata = typedata
        self._catalog = catalog
        self._code = code
        self._debug = (
            DebugShapes(self._numbers, types, by_name, typedata.rtype_of) if types else None
        )
        self._described = types
        self._types = TypeShapes(self._numbers, memory, layout, typedata, self, self.struct_named)
        self._memory = memory
        self._layout = layout
        self._rows: dict[int, int] = {}
        self._parts: dict[int, int] = {}
        self._structs: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, number: int) -> Shape:
        return self._numbers[number]

    # Shapes by what tells of them

    def of_type(self, go_type: GoType) -> int:
        """A value of a type of the debug information."""
        return self._debug.of_type(go_type) if self._debug else 0

    def of_rtype(self, rtype: int) -> int:
        """A value of the type whose descriptor is at an address."""
        debug = self._typedata.debug_type(rtype) if self._debug else None
        return self._debug.of_type(debug) if self._debug and debug else self._types.of(rtype)

    def array_of_rtype(self, rtype: int) -> int:
        """An array of such values."""
        debug = self._typedata.debug_type(rtype) if self._debug else None
        return self._debug.array_of(debug) if self._debug and debug else self._types.array_of(rtype)

    def of_whole(self, whole: WholeType) -> int:
        rtype = int(self._catalog.address[whole.row])
        return self.array_of_rtype(rtype) if whole.array else self.of_rtype(rtype)

    def alone(self, whole: WholeType) -> int:
        """An object that can be nothing else; 0 for what the runtime allocates for maps, whose
        keys and elements are still not known."""
        rtype = int(self._catalog.address[whole.row])
        if self._typedata.full_name(rtype) in _HEADERS:
            return 0
        return self.part_of_map(rtype) if self.is_part_of_map(rtype) else self.of_whole(whole)

    def is_map(self, whole: WholeType) -> bool:
        return self._typedata.full_name(int(self._catalog.address[whole.row])) in _MAPS

    def is_channel(self, whole: WholeType) -> bool:
        return self._typedata.full_name(int(self._catalog.address[whole.row])) == HCHAN

    def holding(self, part: int, into: int) -> int:
        """An object of which only a part is known: a value of a shape, so many bytes into it."""

        def make() -> Shape:
            inner = self[part]
            name = f"object holding {inner.name} at +{into:#x}"
            if not into:
                name = f"object beginning with {inner.name}"
            return Shape(name, 0, 0, inner.pointers, UNKNOWN.rules, None, (part, into))

        return self._numbers.number(("holding", part, into), make)

    def either(self, number: int, rows: tuple[int, ...]) -> int:
        """A value of a shape, or of one of some larger types that begin with it."""

        def make() -> Shape:
            others = [self._typedata.full_name(int(self._catalog.address[row])) for row in rows]
            few = others if len(others) <= _NAMED else [f"one of {len(others)} that hold it"]
            return replace(self[number], name=" or ".join([self[number].name, *sorted(few)]))

        return self._numbers.number(("either", number, rows), make)

    def closure(self, code: int) -> int:
        """The closure whose code starts at an address."""
        return self._numbers.number(("closure", code), lambda: self._closure(code))

    def _closure(self, code: int) -> Shape:
        name = self._code.function(code)
        if not name:
            return UNKNOWN
        if name.startswith(_SWAPPERS):
            return shape_of(f"closure {name}", WORD, True, {}, repeats=False)
        captures = self._code.captures(code) if self._debug else ()
        # Before Go 1.23 debug information tells none, and never those of method values.
        if not captures and (rtype := self._code.closure(code)):
            made = self[self.of_rtype(rtype)]
            return replace(made, name=f"closure {name}", words=0)
        slots: Slots = {}
        size = WORD
        if self._debug:
            for capture in captures:
                self._debug.flatten(capture.type, capture.offset, slots, 0)
                size = max(size, capture.offset + capture.type.size)
        return shape_of(f"closure {name}", size, True, slots, repeats=False)

    @property
    def text(self) -> int:
        return self._numbers.text

    def with_cache(self, switch: bool) -> int:
        """A variable of a type assertion or of a switch, which begins with a pointer to the cache
        of what was asked before (src/internal/abi/switch.go, Go 1.22 to 1.27)."""
        name = "internal/abi.InterfaceSwitch" if switch else "internal/abi.TypeAssert"
        slots: Slots = {0: (Rule.ANY, self._numbers.named(f"{name}Cache"))}
        return self._numbers.number(("cached", name), lambda: shape_of(name, WORD, True, slots))

    def itab_table(self, size: int) -> int:
        """The runtime's table of interfaces' methods, which no descriptor describes."""
        return self._numbers.named("runtime.itabTableType", size)

    def chan_of(self, element: int) -> int:
        """A channel that carries values of the type whose descriptor is at an address."""
        return self._types.chan_of(element)

    def group_of_table(self, number: int) -> tuple[int, int]:
        return self._numbers.group_of_table(number)

    def trie_nodes(self, node: int) -> tuple[int, int]:
        nodes = self._debug.trie_nodes(node) if self._debug else (0, 0)
        return nodes if all(nodes) else self._types.trie_nodes(node)

    def held_directly(self, rtype: int) -> tuple[Rule, int] | None:
        """What an interface's data word means where it is the value itself; None where it
        points at the value."""
        if not self._typedata.holds_pointer_directly(rtype):
            return None
        rules, shapes = self[self.of_rtype(rtype)].rules
        return Rule(int(rules[0])), int(shapes[0])

    # What is known of a shape

    def field_at(self, number: int, at: int) -> str:
        """The part of a value (of an array: of an element) at a byte offset, as Go selects it."""
        shape = self[number]
        if shape.go_type is not None and self._described is not None:
            return part_at(self._described, shape.go_type, at)[0]
        rtype = self.rtype(number)
        try:
            return self._typedata.field_at(rtype, at) if rtype else ""
        except UnreadableError:
            return ""

    def rtype(self, number: int) -> int:
        """The descriptor of its type (of an array that of the elements), 0 where it has none."""
        return self._numbers.about[number].rtype

    def header(self, number: int) -> int:
        """The descriptor of the map type whose header it is, 0 where that is not known, or it is
        none."""
        return self._numbers.about[number].header

    def is_known(self, number: int) -> bool:
        return self[number].name != UNKNOWN.name

    def is_array(self, number: int) -> bool:
        """Whether it is an array of any length."""
        return self._numbers.about[number].array

    def is_special(self, number: int) -> bool:
        """Whether its name says more than any pointer to the struct that the runtime calls it by:
        maps, channels, timers and their parts."""
        return self._numbers.about[number].special

    def is_vague(self, number: int) -> bool:
        """Whether a shape is what generic code shares between types of the same layout, or a map of
        which nothing says what it maps."""
        name = self[number].name
        return GENERIC in name or name in _MAPS

    @property
    def some_map(self) -> int:
        """A map of which nothing says what it maps, 0 where the program has none."""
        return next(
            (self.of_rtype(rtype) for name in _MAPS if (rtype := self.struct_named(name))), 0
        )

    def row(self, number: int) -> int:
        """The row of its type (of an array that of the elements) in the catalogue, -1 for none."""
        if number not in self._rows:
            rtype = self.rtype(number)
            self._rows[number] = self._catalog.row(rtype) if rtype else -1
        return self._rows[number]

    def begins_with(self, outer: int, inner: int) -> bool:
        """Whether a value of the one shape begins with one of the other's."""
        rows = self.row(outer), self.row(inner)
        return min(rows) >= 0 and self._catalog.begins_with(*rows)

    def is_part_of_map(self, rtype: int) -> bool:
        """Whether a type is one of the inside of maps, whatever they map."""
        data = self._typedata
        if data.is_named(rtype):  # most are, and what the linker wrote is there at once
            return data.name(rtype) in _OF_MAPS and data.full_name(rtype) in (_TABLE, _OLD_BUCKET)
        if data.kind(rtype) is GoKind.POINTER and data.is_named(inner := self._led_to(rtype)):
            return data.name(inner) == _OF_MAPS[0] and data.full_name(inner) == _TABLE
        name = data.full_name(rtype)
        return name == _IN_DIRECTORIES or any(part in name for part in _PARTS_OF_MAPS)

    def _led_to(self, pointer: int) -> int:
        """What pointers of a type lead to, 0 where that cannot be read."""
        try:
            return self._typedata.element(pointer)
        except UnreadableError:
            return 0

    def part_of_map(self, rtype: int) -> int:
        """The inside of some map, by the type that the compiler made for it: "map[K]V groups"."""
        name = self._typedata.full_name(rtype)
        for part, what in zip(_PARTS_OF_MAPS, ("groups", "buckets"), strict=True):
            if part in name:
                name = f"map[{name.partition(part)[2]} {what}"
        inner = self.array_of_rtype(rtype)
        name = self[inner].name if name == _IN_DIRECTORIES else name
        number = self._numbers.number(
            ("map part", rtype),
            lambda: replace(self[inner], name=name),
            special,
        )
        self._parts[number] = rtype
        return number

    def map_around(self, part: int) -> int:
        """The map whose groups or buckets are of a shape, 0 where that is not known. Several types
        may have the same: then it is the one without a name."""
        maps = self._maps.get(self._parts.get(part, 0), ())
        plain = [rtype for rtype in maps if not self._typedata.is_named(rtype)]
        chosen = plain if plain else maps
        return int(self[self.of_rtype(chosen[0])].rules[1][0]) if len(chosen) == 1 else 0

    @cached_property
    def _maps(self) -> dict[int, list[int]]:
        """The descriptors of map types, by those of their groups or buckets."""
        struct = self._layout.struct("internal/abi.MapType")
        at = struct.offset("Group" if "Group" in struct.fields else "Bucket")
        rows = (self._catalog.kind == GoKind.MAP).nonzero()[0]
        addresses = self._catalog.address[rows].tolist()
        parts = self._memory.read_many([(rtype + at, WORD) for rtype in addresses])
        maps: dict[int, list[int]] = {}
        for rtype, raw in zip(addresses, parts, strict=True):
            if raw:
                maps.setdefault(int.from_bytes(raw, "little"), []).append(rtype)
        return maps

    def is_of_closure(self, rtype: int) -> bool:
        """Whether a type is one that the compiler made for a closure."""
        return self._typedata.kind(rtype) == GoKind.STRUCT and self._typedata.name(
            rtype
        ).startswith(_CLOSURE)

    def struct_named(self, name: str) -> int:
        """The descriptor of a struct by its full name, 0 where there is none."""
        if name not in self._structs:
            head, bracket, arguments = name.partition("[")
            ending = self._catalog.structs_ending(f".{head.rpartition('.')[2]}{bracket}{arguments}")
            named = (rtype for rtype in ending if self._typedata.written(rtype) == name)
            self._structs[name] = next(named, 0)
        return self._structs[name]
