"""What an object holds, as Go would show it: a map's entries, an array's elements, a string."""

from __future__ import annotations

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.locate.locator import Locator
from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.errors import NotGoError, UnreadableError
from goprobe.model.value import Value
from goprobe.runtime.stacks.closures import captures_of
from goprobe.runtime.types.shape import ARRAYS, MAP_ENTRIES, MAP_INSIDE, Shape
from goprobe.runtime.values.decoded import Decoded, Limits
from goprobe.runtime.values.storage import InBytes
from goprobe.runtime.values.text import quote
from goprobe.runtime.values.values import Decoder
from goprobe.runtime.world import World

_WORD = 8
_MOST_ELEMENTS = 1 << 32
_HEADERS = ("map[", "chan ")
_PARTS = MAP_INSIDE + MAP_ENTRIES + ARRAYS


def decoder(world: World, limits: Limits | None = None) -> Decoder:
    program = world.program
    return Decoder(
        world.memory,
        world.types,
        world.typedata,
        Locator(world).locate,
        world.function_name,
        lambda code: captures_of(program, code - world.bias),
        limits,
    )


def contents(graph: HeapGraph, node: int, limits: Limits | None = None) -> Decoded | None:
    """An object's value, None as far as nothing tells its type."""
    number = int(graph.typing.shape[node])
    shape = graph.shapes[number]
    address = graph.address(node)
    span = graph.objects.span[node]
    size = int(graph.objects.spans.elemsize[span]) - int(graph.lead[span])
    try:
        if shape.name == "string data":
            return _text(graph.world, address, size, limits or Limits())
        if graph.typing.inner[node]:
            return None
        if header := _declared(graph, number, shape.name):
            # The object is what a map or channel value points at.
            return decoder(graph.world, limits).decode(
                header, InBytes(address.to_bytes(_WORD, "little"))
            )
        go_type = shape.go_type or _described(graph, number, shape)
        if go_type is None:
            return None
        if shares_slot(graph, node) and go_type.size > 1:
            return None
        whole = _whole(graph, number, go_type, size)
        return decoder(graph.world, limits).at(whole, address)
    except (UnreadableError, NotGoError, KeyError):
        return None


def shares_slot(graph: HeapGraph, node: int) -> bool:
    """Whether nothing says how much of an object's slot is its array's, and what another value's:
    of the tiny allocator's there may be several in one."""
    number = int(graph.typing.shape[node])
    return graph.is_tiny(node) and graph.shapes.is_array(number)


def _described(graph: HeapGraph, number: int, shape: Shape) -> GoType | None:
    """The type of a program without debug information, as its descriptor has it."""
    rtype = graph.shapes.rtype(number)
    go_type = graph.world.types.of(rtype) if rtype else None
    sure = go_type is not None and go_type.kind is not GoKind.INVALID
    return go_type if go_type is not None and sure and go_type.size == shape.size else None


def _declared(graph: HeapGraph, number: int, name: str) -> GoType | None:
    """The type of maps and channels whose header an object is."""
    if not name.startswith(_HEADERS) or name.endswith(_PARTS):
        return None
    world = graph.world
    if not world.program.debug.present:
        rtype = graph.shapes.header(number)
        of = world.types.of(rtype) if rtype else None
        return of if of is not None and of.kind is GoKind.MAP else None
    try:
        return world.program.debug.type_named(name)
    except KeyError:
        return None


def _whole(graph: HeapGraph, number: int, element: GoType, size: int) -> GoType:
    """The array behind a slice is as many elements as there is room for."""
    if graph.shapes.is_array(number) and element.size and size < _MOST_ELEMENTS:
        return element.repeated(size // element.size)
    return element


def _text(world: World, address: int, size: int, limits: Limits) -> Decoded:
    """Bytes of strings; how long each is, only those know who point here."""
    limit = limits.string
    raw = world.memory.read(address, min(size, limit)).rstrip(b"\0")
    more = f"… {size - limit} more bytes" if size > limit else ""
    return Decoded(Value(f"{quote(raw)}{more}"))
