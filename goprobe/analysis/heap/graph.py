"""The objects of one heap, the pointers between them, and what can be asked of that: what is
reached, what is kept by whom, what has which type. Each is worked out when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from goprobe.analysis.heap.dominatorloops import semi_nca
from goprobe.analysis.heap.dominators import Dominators, dominators
from goprobe.analysis.heap.globalusers import GlobalUsers, is_nameless
from goprobe.analysis.heap.nodes import Nodes, RootSummary, with_roots
from goprobe.analysis.heap.reach import Reach, reach
from goprobe.analysis.heap.snapshot import HeapSnapshot, Progress
from goprobe.binary.dwarf.gotypes import GoType
from goprobe.compiled import first_time
from goprobe.counts import counted
from goprobe.process.memory.copies import Words
from goprobe.runtime.heap.bitmaps import HeapContents, pointer_maps
from goprobe.runtime.heap.edges import Edges, follow, waits_for_follow
from goprobe.runtime.heap.grouping import distinct
from goprobe.runtime.heap.objects import Ids, Objects, Resolver, number_objects
from goprobe.runtime.heap.sizeclasses import TINY_BYTES
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.objecttypes import HeapObjects, ObjectTypes, TypePart
from goprobe.runtime.roots.groups import RootGroup, RootKind, Roots
from goprobe.runtime.roots.roots import every_root
from goprobe.runtime.types.catalog import Catalog
from goprobe.runtime.types.heapview import Graph, HeapView
from goprobe.runtime.types.inference import Typing
from goprobe.runtime.types.shape import Shape
from goprobe.runtime.types.shapes import Shapes
from goprobe.runtime.world import World


class HeapGraph:
    """The graph of one snapshot. `progress` is told what is going on. `retained` says that what
    each node alone keeps will be asked for: that tells what can be reached, too."""

    def __init__(
        self, snapshot: HeapSnapshot, progress: Progress, *, retained: bool = False
    ) -> None:
        self.snapshot = snapshot
        self.progress = progress
        self._dominated = retained
        self.pointers = 0
        """How many pointer words were followed, known with `nodes`."""

    @property
    def world(self) -> World:
        return self.snapshot.world

    # Objects and pointers

    @cached_property
    def objects(self) -> Objects:
        return number_objects(self.snapshot.spans, self.snapshot.allocated)

    @cached_property
    def _heap(self) -> HeapObjects:
        snapshot, world = self.snapshot, self.world
        left_out = snapshot.sample.left_out if snapshot.sample else None
        census = snapshot.census
        return HeapObjects(
            contents=HeapContents(snapshot.spans, snapshot.allocated, snapshot.words),
            objects=self.objects,
            maps=pointer_maps(world.memory, world.layout, world.heap),
            resolver=Resolver(self.objects, census.manual, census.arenas, census.page, left_out),
        )

    def _every_root(self) -> Roots:
        self.progress("looking for what keeps objects alive")
        resolver = self._heap.resolver
        return every_root(
            self.world, resolver.low, resolver.high, self.snapshot.noted(), self.snapshot.held
        )

    @property
    def roots(self) -> RootSummary:
        """How many there are, and what is not sure of them."""
        return self.nodes.roots

    @cached_property
    def nodes(self) -> Nodes:
        """Objects and roots as one graph."""
        heap = self._heap
        waits = waits_for_follow(heap.contents)
        self.progress(f"following the pointers of {counted(len(self.objects), 'object')}{waits}")
        edges = follow(heap.contents, self.objects, heap.resolver, heap.maps, self.world.static)
        self.pointers = edges.pointers
        return with_roots(self.objects, edges, self._every_root(), heap.resolver, self._again)

    def _again(self, nodes: Ints) -> Edges:
        """The edges of some objects once more."""
        heap, spans = self._heap, distinct(self.objects.span[nodes]).astype(np.int64)
        static = self.world.static
        return follow(heap.contents, self.objects, heap.resolver, heap.maps, static, spans)

    def forget_places(self) -> None:
        """Give back where pointers stand, and where in objects they lead: who asks for more of it
        waits once more."""
        self.nodes.offset.forget()
        self.nodes.into.forget()

    def node_at(self, address: int) -> int:
        """The object that an address points into; negative (objects.py's reasons) for none."""
        nodes, _ = self.resolve(np.array([address], np.uint64))
        return int(nodes[0])

    def resolve(self, addresses: Words) -> tuple[Ids, Ints]:
        """The same of many, and how far into its object each points."""
        return self._heap.resolver.resolve(addresses)

    def address(self, node: int) -> int:
        """Where an object's value begins: behind its type header, where it has one."""
        return int(self.addresses(np.array([node]))[0])

    def addresses(self, nodes: Ints) -> Words:
        """The same of many."""
        objects = self.objects
        return objects.base[nodes] + self.lead[objects.span[nodes]].astype(np.uint64)

    # What is reached, and what is kept

    @cached_property
    def reach(self) -> Reach:
        """Shortest ways from the root of all."""
        nodes = self.nodes
        self.progress("looking for what can be reached")
        return reach(nodes.first, nodes.target, np.array([nodes.root], np.int32))

    @cached_property
    def reachable(self) -> NDArray[np.bool_]:
        """Of each object."""
        if self._dominated:
            mask = np.zeros(len(self.nodes), bool)
            mask[self.dominators.order] = True
            return mask[: len(self.objects)]
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

    @cached_property
    def dominators(self) -> Dominators:
        nodes = self.nodes
        waits = first_time(len(nodes.target), semi_nca)
        self.progress(f"finding who alone keeps each object{waits}")
        with self.keeping():
            return dominators(nodes.first, nodes.target, nodes.root)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """While edges that keep nothing lead to where they come from."""
        target = self.nodes.target
        edges, source = self._not_kept_by
        leads = target[edges]
        target[edges] = source
        try:
            yield
        finally:
            target[edges] = leads

    @cached_property
    def _not_kept_by(self) -> tuple[Ints, Ids]:
        return self.nodes.not_kept_by()

    def forget_referrers(self) -> None:
        """Give back what the tree of who keeps what was made of."""
        self.dominators = replace(self.dominators, known=None)

    @cached_property
    def retained(self) -> Ints:
        """Of each node, the bytes that would be free without it."""
        return self.dominators.retained(self.nodes.sizes())

    # Types

    @cached_property
    def _types(self) -> ObjectTypes:
        return ObjectTypes(self.world, self._heap, self.progress)

    @property
    def catalog(self) -> Catalog:
        return self._types.catalog

    @property
    def shapes(self) -> Shapes:
        return self._types.shapes

    @property
    def lead(self) -> Ints:
        """Of each span, the bytes that the type header takes in its objects."""
        return self._types.lead

    @cached_property
    def typing(self) -> Typing:
        nodes = self.nodes
        typing = self._types.find(self._pointers, nodes.groups, nodes.carriers, nodes.carried)
        self.snapshot.words.forget()
        return typing

    @cached_property
    def users(self) -> GlobalUsers:
        """Who uses the variables that have no name."""
        return GlobalUsers(self.world, [g.address for g in self.nodes.groups if is_nameless(g)])

    @property
    def _pointers(self) -> Graph:
        nodes = self.nodes
        offset, into = nodes.offset.whole, nodes.into.whole
        return Graph(nodes.first, offset, nodes.target, into, nodes.beside)

    @cached_property
    def view(self) -> HeapView:
        """The words of objects and roots."""
        return self._types.view(self._pointers, self.nodes.groups)

    @cached_property
    def shapes_by_name(self) -> Ids:
        """Of each shape in use the first one of its name: what several shapes stand for is one row,
        and what objects of one row hold within each other counts once."""
        used = np.flatnonzero(np.bincount(self.typing.shape)).tolist()
        rows = np.zeros(len(self.shapes), np.int32)  # not before: typing makes more of them
        first: dict[str, int] = {}
        for number in used:
            rows[number] = first.setdefault(self.shapes[number].name, number)
        return rows

    def type_name(self, node: int) -> str:
        """The type of an object, "" where it is not known."""
        number = int(self.shown(np.array([node]))[0])
        return self.shown_name(number) if number else ""

    def shown(self, objects: Ints | slice) -> Ids:
        """The shapes of objects as they are named: what is known of a slot that several share is
        one of them, and such slots have numbers of their own."""
        shape: Ids = self.typing.shape[: len(self.objects)][objects]
        tiny = self.snapshot.spans.spanclass[self.objects.span[objects]] == self._tiny_class
        return np.where(tiny, self._of_tiny[shape], shape) if tiny.any() else shape

    def shown_name(self, number: int) -> str:
        """Of one of these."""
        behind = number - len(self._of_tiny)
        if behind < 0:
            return self.shapes[number].name
        shape = self.shapes[self._shared[behind]]
        return f"tiny block holding {self._inner(shape).name}"

    @property
    def shown_count(self) -> int:
        return len(self._of_tiny) + len(self._shared)

    @cached_property
    def _shared(self) -> list[int]:
        """The shapes in use that a slot may hold with others."""
        used = np.flatnonzero(np.bincount(self.typing.shape)).tolist()
        return [n for n in used if n and self._inner(self.shapes[n]).size < TINY_BYTES]

    @cached_property
    def _of_tiny(self) -> Ids:
        """Of each shape the number of a slot that holds it with others."""
        numbers = np.arange(len(self.shapes), dtype=np.int32)
        numbers[self._shared] = len(numbers) + np.arange(len(self._shared), dtype=np.int32)
        return numbers

    def _inner(self, shape: Shape) -> Shape:
        return self.shapes[shape.part[0]] if shape.part[0] else shape

    def root_shape(self, group: RootGroup) -> int:
        """The number of the shape of a root's words, 0 where that is not known."""
        return self._types.root_shape(group)

    def part_at(self, go_type: GoType, at: int) -> TypePart:
        """What lies at a byte offset of a type's values, by the debug information."""
        return self._types.part_at(go_type, at)

    def is_tiny(self, node: int) -> bool:
        """Whether an object's slot may hold several objects below 16 bytes."""
        return bool(self.snapshot.spans.spanclass[self.objects.span[node]] == self._tiny_class)

    def share_slots(self, nodes: Ints) -> NDArray[np.bool_]:
        """Of objects, whether the slot of each may hold several objects below 16 bytes."""
        spans = self.snapshot.spans
        of_tiny: NDArray[np.bool_] = spans.spanclass[self.objects.span[nodes]] == self._tiny_class
        return of_tiny

    @cached_property
    def _tiny_class(self) -> int:
        return self.world.layout.constants["tinySpanClass"]
