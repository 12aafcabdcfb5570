"""Names of roots; of package-level variables that nothing names by what their pointers lead to.

In a stripped program a variable is "bss+0x8e0540". What its first pointer leads to has a type where
anything tells it, and that says what the pointer is: of a slice length and capacity follow. Who
uses it is told by the code (`globalusers`).
"""

from __future__ import annotations

from goprobe.analysis.heap.globalusers import is_nameless
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.nodes import NO_OFFSET
from goprobe.counts import counted
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import u64
from goprobe.runtime.roots.groups import RootGroup, RootKind
from goprobe.runtime.types.shape import MAP_ENTRIES, MAP_INSIDE, Shape

_WORD = 8
_BACKING, _CLOSURE = " backing", "closure "
_INSIDE = (*MAP_INSIDE, *MAP_ENTRIES, " buffer")


def root_name(group: RootGroup) -> str:
    """ "main.cache", "main.work: buf (goroutine 7)", "finalizer of 0x…".

    "*main.cache" is what that variable points at, "&buf" (so the debug information calls it) the
    pointer in a frame to a variable that was moved to the heap.
    """
    if group.kind is RootKind.VARIABLE:
        function = f"{group.function}: " if group.function else ""
        if group.several > 1:
            return f"{function}{group.name} ({counted(group.several, 'goroutine')})"
        return f"{function}{group.name} (goroutine {group.goroutine})"
    return group.name


def global_type(graph: HeapGraph, node: int) -> str:
    """The type of what lies at a root's place, "" where that is not known, or the root has a name
    or type of its own."""
    group = graph.nodes.group(node)
    if not is_nameless(group):
        return ""
    nodes = graph.nodes
    for edge in range(int(nodes.first[node]), int(nodes.first[node + 1])):
        target = int(nodes.target[edge])
        if int(nodes.offset[edge]) in (0, NO_OFFSET) and nodes.is_object(target):
            span = graph.objects.span[target]
            lead = int(graph.lead[span])
            number = int(graph.typing.shape[target])
            if int(nodes.into[edge]) == lead and number and not graph.typing.inner[target]:
                room = int(graph.objects.spans.elemsize[span]) - lead
                return _pointer_to(graph, graph.shapes[number], group, room)
    return ""


def shown_root(graph: HeapGraph, node: int, *, used: bool = True) -> str:
    """A root's name; of what has none its type, and (`used`) who uses it, before its place."""
    group = graph.nodes.group(node)
    name, kind = root_name(group), global_type(graph, node)
    if is_nameless(group) and used and (user := graph.users.of(group.address)):
        return f"{kind or 'variable'} used by {user} ({name})"
    return f"{kind} at {name}" if kind else name


def _pointer_to(graph: HeapGraph, shape: Shape, group: RootGroup, room: int) -> str:
    name = shape.name
    if shape.part[0] or " or " in name or name.endswith(_INSIDE):
        return ""
    if name.endswith(_BACKING):
        return name.removesuffix(_BACKING) if _is_slice(graph, group, shape, room) else ""
    if name.startswith(("map[", "chan ")):
        return name
    if name.startswith(_CLOSURE):
        return f"func value {name.removeprefix(_CLOSURE)}"
    if name == "string data":
        return ""
    return f"*{name}"


def _is_slice(graph: HeapGraph, group: RootGroup, shape: Shape, room: int) -> bool:
    """Whether a length and a capacity that fit the array follow."""
    try:
        length, capacity = (u64(graph.world.memory, group.address + _WORD * i) for i in (1, 2))
    except UnreadableError:
        return False
    return length <= capacity and 0 < capacity * max(shape.size, 1) <= room
