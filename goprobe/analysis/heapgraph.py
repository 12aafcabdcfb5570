"""Everything that can be asked of a heap's graph, each part worked out when it is first needed."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from goprobe.analysis.dominators import Dominators, dominators
from goprobe.analysis.heapsnapshot import HeapSnapshot, Progress
from goprobe.analysis.nodes import Nodes, with_roots
from goprobe.analysis.reach import Reach, reach
from goprobe.binary.gotypes import GoType
from goprobe.errors import UnreadableError
from goprobe.process.memory import u64
from goprobe.runtime.bitmaps import HeapContents, PointerMaps, pointer_maps
from goprobe.runtime.closures import captures_of
from goprobe.runtime.edges import Edges, follow
from goprobe.runtime.heaptypes import Graph, RootWords, Typing, Typist
from goprobe.runtime.objects import Objects, Resolver, number_objects
from goprobe.runtime.roots import RootKind, Roots, global_roots, join
from goprobe.runtime.shapes import Shapes
from goprobe.runtime.spantable import Ints
from goprobe.runtime.stackroots import StackRoots
from goprobe.runtime.stacks import Stacks
from goprobe.runtime.world import World

_UNREADABLE = 0
_TINY = 16


class HeapGraph:
    """The graph of one snapshot. `progress` is told what is going on."""

    def __init__(self, snapshot: HeapSnapshot, progress: Progress) -> None:
        self.snapshot = snapshot
        self.progress = progress
        self._page = self.world.layout.constants["_PageSize"]
        self.pointers = 0
        """How many pointer words were followed, known with `nodes`."""

    @property
    def world(self) -> World:
        return self.snapshot.world

    @cached_property
    def objects(self) -> Objects:
        return number_objects(self.snapshot.spans, self.snapshot.allocated)

    @cached_property
    def contents(self) -> HeapContents:
        snapshot = self.snapshot
        return HeapContents(snapshot.spans, snapshot.allocated, self.objects.live, snapshot.words)

    @cached_property
    def maps(self) -> PointerMaps:
        return pointer_maps(self.world.memory, self.world.layout, self.world.heap)

    @cached_property
    def resolver(self) -> Resolver:
        arenas = [(a.base, a.end) for a in self.world.heap.arenas]
        sample = self.snapshot.sample
        left_out = sample.left_out if sample else None
        return Resolver(self.objects, self.snapshot.manual, arenas, self._page, left_out)

    @cached_property
    def edges(self) -> Edges:
        self.progress(f"following the pointers of {len(self.objects)} objects")
        return follow(self.contents, self.objects, self.resolver, self.maps)

    @cached_property
    def roots(self) -> Roots:
        self.progress("looking for what keeps objects alive")
        low, high = self.resolver.low, self.resolver.high
        stacks = Stacks(self.world)
        parts = [global_roots(self.world, stacks.modules, low, high)]
        try:
            goroutines = self.world.goroutines.all
            parts.append(StackRoots(self.world, stacks, low, high).of(iter(goroutines)))
        except UnreadableError as error:
            parts.append(Roots(notes=[f"the goroutines cannot be read: {error.why}"]))
        return join([*parts, self.snapshot.specials])

    @cached_property
    def nodes(self) -> Nodes:
        edges, self.pointers = self.edges, self.edges.pointers
        # They go on as a part of the nodes' edges: a second copy would cost too much.
        del self.edges
        return with_roots(self.objects, edges, self.roots, self.resolver)

    @cached_property
    def reach(self) -> Reach:
        """Shortest ways from the root of all."""
        nodes = self.nodes
        self.progress("looking for what can be reached")
        return reach(nodes.first, nodes.target, np.array([nodes.root], np.int32))

    @cached_property
    def reachable(self) -> NDArray[np.bool_]:
        """Of each object."""
        if "dominators" in self.__dict__:
            return np.asarray(self.retained_mask[: len(self.objects)], bool)
        return self.reach.mask[: len(self.objects)]

    @cached_property
    def surely_reachable(self) -> NDArray[np.bool_]:
        """Of each object, whether a root leads to it that is a pointer for certain.

        What only looks like one may lead to garbage, and garbage to anywhere.
        """
        nodes, n = self.nodes, len(self.objects)
        if not any(group.conservative for group in nodes.groups):
            return self.reachable
        sure = [
            n + i
            for i, group in enumerate(nodes.groups)
            if not group.conservative and group.kind is not RootKind.GOROUTINE
        ]
        return reach(nodes.first, nodes.target, np.array(sure, np.int32)).mask[:n]

    @property
    def retained_mask(self) -> NDArray[np.bool_]:
        """Of each node, whether the dominator tree has it: whether it is reached."""
        mask = np.zeros(len(self.nodes), bool)
        mask[self.dominators.order] = True
        return mask

    @cached_property
    def dominators(self) -> Dominators:
        nodes = self.nodes
        self.progress("finding who alone keeps each object")
        return dominators(nodes.first, nodes.target, nodes.root)

    @cached_property
    def retained(self) -> Ints:
        """Of each node, the bytes that would be free without it."""
        return self.dominators.retained(self.nodes.sizes())

    # Types

    @cached_property
    def shapes(self) -> Shapes:
        world = self.world
        program = world.program
        return Shapes(
            world.memory, None if program.stripped else program.debug.types, world.typedata,
            world.function_name,
            lambda code: captures_of(program, code - world.bias),
            self._type_named, world.layout,
        )  # fmt: skip

    def _type_named(self, name: str) -> GoType | None:
        try:
            return self.world.program.debug.type_named(name)
        except KeyError:
            return None

    @cached_property
    def lead(self) -> Ints:
        """Of each span, the bytes that the type header takes in its objects."""
        spans, constants = self.snapshot.spans, self.world.layout.constants
        least = constants.get("minSizeForMallocHeader")
        if least is None or self.world.layout.has("heapArena", "bitmap"):
            return np.zeros(len(spans), np.int64)
        headed = (spans.spanclass > 1) & (spans.spanclass & 1 == 0) & (spans.elemsize > least)
        return np.where(headed, constants.get("mallocHeaderSize", 8), 0)

    @cached_property
    def typing(self) -> Typing:
        nodes = self.nodes
        self.progress("finding the objects' types")
        shapes = np.array(
            [self.shapes.of_type(g.type) if g.type else 0 for g in nodes.groups], np.int32
        )
        typist = Typist(
            self.objects, self.snapshot.words,
            Graph(nodes.first, nodes.offset, nodes.target, nodes.into),
            RootWords(len(self.objects), shapes, self._root_word), self.shapes, self.lead,
            lambda itab: self._word(itab + 8), self._word,
        )  # fmt: skip
        typist.seed(*self.maps.types(self.contents))
        return typist.run()

    def _root_word(self, group: int, index: int) -> int:
        start = self.nodes.groups[group].address
        return self._word(start + 8 * index) if start else 0

    def _word(self, address: int) -> int:
        try:
            return u64(self.world.memory, address)
        except UnreadableError:
            return _UNREADABLE

    def type_name(self, node: int) -> str:
        """The type of an object, "" where it is not known."""
        shape = int(self.typing.shape[node])
        name = self.shapes[shape].name if shape else ""
        if name and self._tiny(node) and self.shapes[shape].size < _TINY:
            return f"tiny block holding {name}"
        return f"object holding {name}" if name and self.typing.inner[node] else name

    def _tiny(self, node: int) -> bool:
        """Whether an object's slot may hold several objects below 16 bytes."""
        spans = self.snapshot.spans
        tiny = self.world.layout.constants["tinySpanClass"]
        return int(spans.spanclass[self.objects.span[node]]) == tiny

    def node_at(self, address: int) -> int:
        """The object that an address points into; negative (objects.py's reasons) for none."""
        found, _ = self.resolver.resolve(np.array([address], np.uint64))
        return int(found[0])

    def address(self, node: int) -> int:
        """Where an object's value begins: behind its type header, where it has one."""
        span = self.objects.span[node]
        return int(self.objects.base[node]) + int(self.lead[span])
