"""What of an object the pointer selects that a way came to it by: the elements of a slice, which
may begin and end anywhere in its array, or one value within a larger one."""

from __future__ import annotations

import msgspec

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.nodes import NO_OFFSET
from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.errors import NotGoError, UnreadableError
from goprobe.process.memory.memory import u64
from goprobe.runtime.types.shape import Meaning, Rule

_WORD = 8
_MOST = 1 << 48  # elements: there are no more addresses
_TYPE_IN_ITAB = 8
"""src/internal/abi/iface.go, ITab.Type; src/runtime/runtime2.go, itab._type (Go 1.21 to 1.27)."""
_AGGREGATES = (GoKind.STRUCT, GoKind.ARRAY)


class Window(msgspec.Struct, frozen=True):
    """What a pointer selects of an object: from byte `start` of it on values of the shape of number
    `shape`, `size` bytes each. Of a slice `length` of them, of at most `capacity`; -1 where these
    are not known. `foreign`: the object is no array of such, but has one in it."""

    start: int
    shape: int
    size: int
    slice: bool = False
    length: int = -1
    capacity: int = -1
    foreign: bool = False


class Selected(msgspec.Struct, frozen=True):
    """How a pointer selects what lies in its target: `text` as Go writes it. `outside` says where
    that is not within what the pointer selects, `{}` standing for what holds the pointer."""

    text: str
    outside: str = ""


class Windows:
    """Those of one graph."""

    def __init__(self, graph: HeapGraph) -> None:
        self._graph = graph

    def of(self, edge: int) -> Window | None:
        """What the pointer that an edge is selects; None where nothing tells, or it is no matter:
        the pointer leads to the beginning of what has its type."""
        graph, nodes = self._graph, self._graph.nodes
        source = nodes.source_of(edge)
        target, offset = int(nodes.target[edge]), int(nodes.offset[edge])
        into = int(nodes.into[edge])
        if NO_OFFSET in (offset, into) or not nodes.is_object(target):
            return None
        meaning = self._meaning(source, offset)
        if meaning is None:
            return None
        start = into - int(graph.lead[graph.objects.span[target]])
        rule, number = meaning
        if rule in (Rule.EFACE, Rule.IFACE) and start:
            rule, number = self._held(rule, nodes.place(source, edge)) or meaning
        shape = graph.shapes[number]
        if not shape.size or rule not in (Rule.ONE, Rule.SLICE):
            return None
        own = int(graph.typing.shape[target])
        if rule is Rule.SLICE:
            lengths = self._lengths(source, offset, nodes.place(source, edge))
            return Window(start, number, shape.size, True, *lengths, foreign=own != number)
        kind = shape.go_type.kind if shape.go_type else GoKind.INVALID
        if number == own or graph.shapes.is_special(number) or kind not in _AGGREGATES:
            return None
        return Window(start, number, shape.size)

    def selected(self, window: Window, at: int, otherwise: str) -> Selected:
        """How that selects what lies at byte `at` of its object; `otherwise`: the object does."""
        if window.slice:
            return self._of_slice(window, at, otherwise)
        if not 0 <= at - window.start < window.size:
            return Selected(otherwise, "outside what {} points at")
        return Selected(self._graph.shapes.field_at(window.shape, at - window.start))

    def _of_slice(self, window: Window, at: int, otherwise: str) -> Selected:
        index, rest = divmod(at - window.start, window.size)
        text = f"[{index}]{self._graph.shapes.field_at(window.shape, rest)}"
        if index < 0:
            return Selected(otherwise if window.foreign else text, "before {}'s first element")
        if 0 <= window.capacity <= index:
            text = otherwise if window.foreign else text
            return Selected(text, f"beyond the capacity of {{}}, {window.capacity}")
        if 0 <= window.length <= index:
            return Selected(text, f"beyond the length of {{}}, {window.length}")
        return Selected(text)

    def _meaning(self, source: int, offset: int) -> Meaning | None:
        """What the pointer at a word of an object or root means."""
        graph = self._graph
        if graph.nodes.is_object(source):
            shape = graph.shapes[int(graph.typing.shape[source])]
            word = offset - int(graph.lead[graph.objects.span[source]]) // _WORD
            if shape.part[0]:
                word -= shape.part[1] // _WORD
                shape = graph.shapes[shape.part[0]]
        else:
            shape, word = graph.shapes[graph.root_shape(graph.nodes.group(source))], offset
        rules, shapes = shape.rules
        word = word % shape.words if shape.words and word >= 0 else word
        if not 0 <= word < len(rules):
            return None
        return Rule(int(rules[word])), int(shapes[word])

    def _held(self, rule: Rule, place: int) -> Meaning | None:
        """What the data word of an interface means where it is the value itself."""
        graph = self._graph
        memory = graph.world.memory
        try:
            table = u64(memory, place - _WORD)
            rtype = u64(memory, table + _TYPE_IN_ITAB) if rule is Rule.IFACE else table
            return graph.shapes.held_directly(rtype) if rtype else None
        except (UnreadableError, NotGoError, KeyError):
            return None

    def _lengths(self, source: int, offset: int, place: int) -> tuple[int, int]:
        """The length and capacity of a slice; -1 where they are not known, or make no sense."""
        nodes, memory = self._graph.nodes, self._graph.world.memory
        group = None if nodes.is_object(source) else nodes.group(source)
        try:
            if group is not None and (group.words or group.several > 1):
                length, capacity = (*group.words, 0, 0)[offset + 1 : offset + 3]
                known = 0 < length <= capacity  # words that are not known are 0 there
            else:
                length, capacity = u64(memory, place + _WORD), u64(memory, place + 2 * _WORD)
                known = length <= capacity < _MOST
        except UnreadableError:
            known = False
        return (length, capacity) if known else (-1, -1)
