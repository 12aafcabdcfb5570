"""Everything that can be asked of a heap's graph, each part worked out when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from goprobe.analysis.heap.dominators import Dominators, dominators
from goprobe.analysis.heap.nodes import Nodes, with_roots
from goprobe.analysis.heap.reach import Reach, reach
from goprobe.analysis.heap.snapshot import HeapSnapshot, Progress
from goprobe.binary.dwarf.gotypes import GoType
from goprobe.errors import NotGoError, UnreadableError
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import u64
from goprobe.runtime.heap.bitmaps import HeapContents, PointerMaps, pointer_maps
from goprobe.runtime.heap.edges import Edges, follow
from goprobe.runtime.heap.objects import Objects, Resolver, number_objects
from goprobe.runtime.heap.sizeclasses import TINY_BYTES
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.heap.typemasks import TypeMasks
from goprobe.runtime.roots.roots import RootGroup, RootKind, Roots, global_roots, join
from goprobe.runtime.roots.stackroots import StackRoots
from goprobe.runtime.stacks.closures import captures_of
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.types.bymask import ByMask
from goprobe.runtime.types.catalog import Catalog, read_catalog
from goprobe.runtime.types.heapview import Graph, HeapView, RootWords, Witnesses
from goprobe.runtime.types.inference import Typing, Typist
from goprobe.runtime.types.shapes import Code, Shapes
from goprobe.runtime.types.wholes import Wholes
from goprobe.runtime.world import World

_UNREADABLE = 0
_MAKERS = ("reflect.StructOf", "reflect.ArrayOf", "reflect.MapOf")
"""What makes types of new layouts (src/reflect/type.go, Go 1.21 to 1.27)."""


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
    def catalog(self) -> Catalog:
        world = self.world
        return read_catalog(world.memory, world.layout, world.modules)

    @cached_property
    def shapes(self) -> Shapes:
        world = self.world
        program = world.program
        code = Code(
            lambda code: world.shown_name(world.function_name(code)),
            lambda code: captures_of(program, code - world.bias),
        )
        types = None if program.stripped else program.debug.types
        return Shapes(
            world.memory, world.layout, world.typedata, self.catalog, code, types,
            self._type_named,
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
        shapes = np.array([self._root_shape(g) for g in nodes.groups], np.int32)
        tables = np.array([g.before for g in nodes.groups], np.uint64)
        view = HeapView(
            self.objects, self.snapshot.words,
            Graph(nodes.first, nodes.offset, nodes.target, nodes.into),
            RootWords(len(self.objects), shapes, self._root_word, tables), self.lead,
            self._witnesses(),
        )  # fmt: skip
        typist = Typist(view, self.shapes)
        for rtype, addresses in self._told_by_the_runtime():
            found, into = self.resolver.resolve(np.array(addresses, np.uint64))
            into, found = into[found >= 0], found[found >= 0].astype(np.int64)
            typist.known(found[into == self.lead[self.objects.span[found]]], rtype)
        typist.seed(*self.maps.types(self.contents))
        return typist.run()

    def _witnesses(self) -> Witnesses:
        world = self.world
        masks = TypeMasks(world.memory, world.layout)
        texts = [module.span("text") for module in world.modules if not module.bad]
        name = world.typedata.full_name
        wholes = Wholes(self.catalog, masks, name)
        by_mask = ByMask(self.catalog, masks, name, complete=not self._makes_types())
        return Witnesses(
            self._word, world.typedata.kind, self._pointer_words, self._is_function, tuple(texts),
            world.layout.offset("hchan", "elemtype"), self.catalog, wholes,
            by_mask,
        )  # fmt: skip

    def _makes_types(self) -> bool:
        """Whether the program may have types that no module lists: whether it has the code of
        reflect that makes such."""
        for module in self.world.modules:
            table = self.world.code.table_at(module.minpc)
            if table is None or any(table.name_offset(name) >= 0 for name in _MAKERS):
                return True
        return False

    def _told_by_the_runtime(self) -> Iterator[tuple[int, list[int]]]:
        """Types that the runtime's own lists tell (descriptors), and where such objects lie."""
        goroutines, named = self.world.goroutines, self.shapes.struct_named
        yield named("runtime.g"), [g.address for g in goroutines.known]
        yield named("runtime.m"), [thread.address for thread in goroutines.threads]
        finalized: dict[int, list[int]] = {}
        for group in self.nodes.groups:
            if group.through_rtype:
                finalized.setdefault(group.through_rtype, []).append(group.through)
        yield from finalized.items()

    def _is_function(self, pc: int) -> bool:
        try:
            found = self.world.code.function_at(pc)
        except (UnreadableError, NotGoError):
            return False
        return found is not None and found.entry == pc

    def _pointer_words(self, nodes: Ints) -> Words:
        objects = self.objects
        rows = objects.span[nodes].astype(np.int64)
        into = (objects.base[nodes] - objects.spans.base[rows]).astype(np.int64)
        return self.maps.masks(self.contents, rows, into // objects.spans.elemsize[rows])

    def _root_shape(self, group: RootGroup) -> int:
        if group.type:
            return self.shapes.of_type(group.type)
        return self.shapes.of_rtype(group.rtype) if group.rtype else 0

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
        number = int(self.typing.shape[node])
        if not number:
            return ""
        shape = self.shapes[number]
        if self._tiny(node):
            inner = self.shapes[shape.part[0]] if shape.part[0] else shape
            if inner.size < TINY_BYTES:
                return f"tiny block holding {inner.name}"
        return shape.name

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
