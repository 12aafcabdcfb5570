"""What nodes and edges of a heap's graph are called: locations, fields, paths as Go writes them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache

from msgspec.structs import replace

from goprobe.analysis.heap.contents import decoder
from goprobe.analysis.heap.globalnames import global_type, root_name, shown_root
from goprobe.analysis.heap.globalusers import is_nameless
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.nodes import NO_OFFSET
from goprobe.analysis.heap.steps import Steps, joined
from goprobe.analysis.heap.windows import Selected, Windows
from goprobe.analysis.locate.locator import Locator
from goprobe.binary.dwarf.gotypes import GoKind, GoType, TypeReader, part_at
from goprobe.errors import NotGoError, UnreadableError
from goprobe.model.address import Address
from goprobe.model.location import Kind, Location
from goprobe.process.memory.memory import u64
from goprobe.runtime.roots.groups import RootGroup
from goprobe.runtime.stacks.closures import captures_of
from goprobe.runtime.types.debugshapes import TIMER, TIMERS
from goprobe.runtime.types.shape import ARRAYS, MAP_ENTRIES, MAP_INSIDE, Shape
from goprobe.runtime.values.decoded import Limits, inline_key
from goprobe.runtime.values.gomap import MOST_KEY_BYTES, MapPlace, MapReader
from goprobe.runtime.values.values import Decoder

_FEW = 1 << 10
_MOST_NOTES = 4  # of one path
_OF_KEYS = Limits(string=48, text=64, elements=4, depth=2, nodes=50)


def field_at(types: TypeReader, go_type: GoType, offset: int) -> str:
    """The part of a value at a byte offset, as Go selects it: ".next", ".items[3].name"."""
    return part_at(types, go_type, offset)[0]


class Names:
    """Names the nodes of one graph."""

    def __init__(self, graph: HeapGraph) -> None:
        self._graph = graph
        self._locator = Locator(graph.world)
        debug = graph.world.program.debug
        self._types = debug.types if debug.present else None
        self._fields: dict[tuple[int, int], tuple[GoType, str]] = {}
        self._shape_of = lru_cache(maxsize=_FEW)(self._shape_at)  # paths go through the same ones
        self._captures = lru_cache(maxsize=_FEW)(
            lambda code: captures_of(graph.world.program, code - graph.world.bias)
        )
        self._windows = Windows(graph)
        self._window = lru_cache(maxsize=_FEW)(self._windows.of)

    # Nodes

    def location(
        self, node: int, via: str = "", following: int = -1, outside: str = ""
    ) -> Location:
        """Where an object or root is, with its type; `via` is the field that led to it, `outside`
        says where that is not within what led there, `following` is the edge by which a path goes
        on."""
        nodes = self._graph.nodes
        place = nodes.place(node, following) if following >= 0 else 0
        if nodes.is_object(node):
            made = self._object_location(node, via)
        else:
            made = self._root_location(node, place)
        made = replace(made, detail=made.detail | {"outside": outside}) if outside else made
        return replace(made, detail=made.detail | {"pointer_at": Address(place)}) if place else made

    def _object_location(self, node: int, via: str) -> Location:
        location = self._locator.locate(self._graph.address(node))
        name = self._graph.type_name(node)
        detail = dict(location.detail)
        if name:
            detail["type"] = name
        if via:
            detail["via"] = via
        shown = (
            location.name if name in location.name else f"{name}, {_with_article(location.name)}"
        )
        return Location(location.kind, location.address, shown, detail, location.evidence)

    def _root_location(self, node: int, place: int) -> Location:
        """A variable; of what has no place of its own (temporaries, say) the pointer's."""
        group = self._graph.nodes.group(node)
        name = root_name(group)
        if group.address or place:
            location = self._locator.locate(group.address or place)
            detail = dict(location.detail) | {"root": str(group.kind)}
            if type_name := global_type(self._graph, node):
                detail["type"] = type_name
            if is_nameless(group) and (user := self._graph.users.of(group.address)):
                detail["used_by"] = user
            name = shown_root(self._graph, node)
            return Location(location.kind, location.address, name, detail, location.evidence)
        detail = {"root": str(group.kind), "goroutine": group.goroutine}
        kind = Kind.GOROUTINE_STACK if group.goroutine else Kind.RUNTIME
        return Location(kind, Address(0), name, detail, ("a root that lies in no memory",))

    # Edges

    def field(self, source: int, edge: int) -> str:
        """Where in its source the pointer of an edge is; "" where that has no name."""
        return self.part(source, int(self._graph.nodes.offset[edge]))

    def part(self, source: int, offset: int) -> str:
        """What lies `offset` words into an object or root, as Go selects it."""
        graph = self._graph
        if offset == NO_OFFSET or self._types is None:
            return ""
        if not graph.nodes.is_object(source):
            kind = graph.nodes.group(source).type
            return self._field_at(kind, offset * 8) if kind else ""
        shape, lead = self._shape_of(source)
        at = offset * 8 - lead
        if shape.part[0]:
            part, into = graph.shapes[shape.part[0]], shape.part[1]
            if part.go_type is None or not into <= at < into + max(part.size, 1):
                return f"+{at:#x}"
            shape, at = part, at - into
        if shape.name.endswith(MAP_ENTRIES):
            return self._entry(shape, graph.address(source), at)
        if shape.name.endswith(MAP_INSIDE):
            return ""
        if shape.name.endswith(ARRAYS) and shape.size:
            index, at = divmod(at, shape.size)
            inner = self._field_at(shape.go_type, at) if shape.go_type else ""
            return f"[{index}]{inner}"
        if shape.go_type is None:
            return self._undescribed(source, shape, at) or f"+{at:#x}"
        at %= max(shape.size, 8)
        if at >= shape.go_type.size and shape.name in TIMERS:
            return self._field_at(self._graph.world.program.debug.type_named(TIMER), at)
        field = self._field_at(shape.go_type, at)
        return "" if shape.name.startswith("map[") else field

    def _undescribed(self, source: int, shape: Shape, at: int) -> str:
        """A part of what the debug information has no type of: of a closure what it captured."""
        graph, number = self._graph, int(self._graph.typing.shape[source])
        if not shape.name.startswith("closure "):
            return "" if graph.typing.inner[source] else graph.shapes.field_at(number, at)
        for capture in self._captures(u64(graph.world.memory, graph.address(source))):
            if capture.offset <= at < capture.offset + capture.type.size:
                return f".{capture.name}{self._field_at(capture.type, at - capture.offset)}"
        return ""

    def _shape_at(self, node: int) -> tuple[Shape, int]:
        """Of an object, and how many bytes lie before its value."""
        graph = self._graph
        lead = int(graph.lead[graph.objects.span[node]])
        return graph.shapes[int(graph.typing.shape[node])], lead

    def _field_at(self, go_type: GoType, offset: int) -> str:
        """As `field_at`; a hundred thousand paths go through the same few fields."""
        assert self._types is not None
        key = (id(go_type), offset)
        if key not in self._fields:
            self._fields[key] = (go_type, field_at(self._types, go_type, offset))
        return self._fields[key][1]

    def _entry(self, shape: Shape, address: int, at: int) -> str:
        """A place in what holds a map's entries, by the key: `["abc"].next`."""
        part = shape.go_type
        if part is None or not part.size or self._types is None:
            return '["…"]'
        first, offset = divmod(at, part.size)
        try:
            place = self._maps.place(part, address + first * part.size, offset)
            if place is None:  # what leads from bucket to bucket, or belongs to no entry
                return ""
            key = self._key(place, shape.name)
        except (UnreadableError, NotGoError, KeyError):
            return '["…"]'
        if place.in_key:
            return f"[key {key}]"
        return f"[{key}]{self._field_at(place.value_type, place.into)}"

    def _key(self, place: MapPlace, name: str) -> str:
        """The key of an entry. Raises UnreadableError, KeyError, NotGoError."""
        go_type, address = place.key_type, place.key
        if go_type.kind is GoKind.POINTER and not name.startswith(f"map[{go_type.name}]"):
            behind = self._types.at(go_type.elem) if self._types else go_type
            if behind.size > MOST_KEY_BYTES:
                go_type, address = behind, u64(self._graph.world.memory, address)
        made = self._decoder.at(go_type, address)
        return inline_key(go_type, made.as_element("", go_type, address))

    @cached_property
    def _decoder(self) -> Decoder:
        return decoder(self._graph.world, _OF_KEYS)

    @cached_property
    def _maps(self) -> MapReader:
        world = self._graph.world
        return MapReader(world.memory, world.program.debug.types)

    def root_part(self, group: RootGroup, offset: int) -> str:
        """What lies `offset` bytes into a root's variable, as Go selects it."""
        if self._types is None or group.type is None or offset < 0:
            return ""
        return field_at(self._types, group.type, offset)

    def value_at(self, node: int, address: int) -> tuple[str, GoType | None, int]:
        """Which value of the debug information's type an address in an object lies in: how Go
        selects that from the object, its type, and how many bytes into it."""
        graph = self._graph
        at = address - graph.address(node)
        shape = graph.shapes[int(graph.typing.shape[node])]
        if shape.part[0]:
            part, into = graph.shapes[shape.part[0]], shape.part[1]
            if not into <= at < into + max(part.size, 1):
                return "", None, 0
            shape, at = part, at - into
        index = ""
        if shape.name.endswith(ARRAYS) and shape.size:
            number, at = divmod(at, shape.size)
            index = f"[{number}]"
        if shape.go_type is None or not 0 <= at < shape.go_type.size:
            return "", None, 0
        return index, shape.go_type, at

    # Paths

    def path_text(self, way: Sequence[tuple[int, int]], last: str = "") -> str:
        """A path from a root on: (node, edge that led to it) each, the root's edge left out; `last`
        is the part of the last one that is meant."""
        return self.steps(way).text(last)

    def steps(self, way: Sequence[tuple[int, int]], root: str = "") -> Steps:
        """The same in parts; `root` is what its root is called, where not as such are."""
        nodes = self._graph.nodes
        steps: list[str] = []
        outside: list[str] = []
        notes, called, subject = 0, root, root
        for i, (node, by) in enumerate(way):
            if not root and not nodes.is_object(node):
                called, subject = root_name(nodes.group(node)), nodes.group(node).name
            if i + 1 < len(way):
                step = self.step(node, by, way[i + 1][1])
                told = step.outside if notes < _MOST_NOTES else ""
                outside.append(told and told.format(joined(subject, steps)))
                notes += bool(told)
                steps.append(step.text)
        return Steps(called, tuple(steps), tuple(outside))

    def step(self, node: int, by: int, edge: int) -> Selected:
        """How an edge out of a node is selected where one came there by the edge `by` (none: below
        0): in a slice the index is the slice's own, not the array's."""
        graph, told = self._graph, self.field(node, edge)
        offset = int(graph.nodes.offset[edge])
        if by < 0 or offset == NO_OFFSET or self._types is None or not graph.nodes.is_object(node):
            return Selected(told)
        window = self._window(by)
        lead = int(graph.lead[graph.objects.span[node]])
        return self._windows.selected(window, offset * 8 - lead, told) if window else Selected(told)


def _with_article(told: str) -> str:
    """ "a 16-byte heap object", "an 8-byte heap object", as it is spoken."""
    lead, _, rest = told.partition("-byte")
    number = f"{int(lead):,}".partition(",")[0] if rest and lead.isdecimal() else ""
    return f"{'an' if number.startswith('8') or number in ('11', '18') else 'a'} {told}"
