"""The types of a heap's objects, by all that a program has of types.

Debug information, the runtime's type descriptors, what objects carry themselves and what the
runtime's own lists tell are brought together here; `types/inference.py` says how types flow from
them along pointers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import chain

import msgspec
import numpy as np

from goprobe.binary.dwarf.gotypes import GoKind, GoType, has_pointer_at, part_at
from goprobe.compiled import first_time
from goprobe.errors import NotGoError, UnreadableError
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import word_at
from goprobe.runtime.cleanuptypes import CleanupTypes
from goprobe.runtime.codetypes.addresses import constants_of
from goprobe.runtime.codetypes.codetypes import CodeTypes
from goprobe.runtime.heap.bitmaps import HeapContents, PointerMaps
from goprobe.runtime.heap.objects import Ids, Objects, Resolver, parts_of
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.heap.typemasks import TypeMasks
from goprobe.runtime.itabtables import itab_tables
from goprobe.runtime.roots.groups import RootGroup, RootKind
from goprobe.runtime.stacks.closures import captures_of
from goprobe.runtime.types.bymask import ByMask
from goprobe.runtime.types.catalog import Catalog
from goprobe.runtime.types.flowloop import flow
from goprobe.runtime.types.heapview import Graph, HeapView, RootWords, Witnesses
from goprobe.runtime.types.inference import Typing, Typist
from goprobe.runtime.types.madearrays import MadeArrays
from goprobe.runtime.types.shape import WORD, Meaning, Rule
from goprobe.runtime.types.shapes import FunctionFacts, Shapes
from goprobe.runtime.types.wholes import Wholes
from goprobe.runtime.world import World

_MAKERS = ("reflect.StructOf", "reflect.ArrayOf", "reflect.MapOf")
"""What makes types of new layouts (src/reflect/type.go, Go 1.21 to 1.27)."""
_OF_M = ("runtime.m", "runtime.mPadded")


class HeapObjects(msgspec.Struct, frozen=True, kw_only=True):
    """The objects of one moment: what they hold, where their pointers are, and what an address
    leads to."""

    contents: HeapContents
    objects: Objects
    maps: PointerMaps
    resolver: Resolver


class TypePart(msgspec.Struct, frozen=True):
    """A part of a value, `name` as Go selects it, and whether a pointer may begin where it was
    asked for."""

    name: str
    type: GoType
    has_pointer: bool

    def __str__(self) -> str:
        return f"{self.type.name} ({self.name})" if self.name else self.type.name


class ObjectTypes:
    """What types there are, and which object has which."""

    def __init__(self, world: World, heap: HeapObjects, say: Callable[[str], None]) -> None:
        """`say` is told of what takes long."""
        self._world = world
        self._heap = heap
        self._say = say

    def find(
        self, graph: Graph, groups: Sequence[RootGroup], carriers: Ids, carried: Words
    ) -> Typing:
        """The type of every object, as far as anything tells it. `graph` has the pointers between
        the objects and from the roots, which are in `groups`; `carriers` are the objects that carry
        their types, `carried` those. What stands beside the pointers is given back."""
        self._say(f"finding the objects' types{first_time(len(graph.target), flow)}")
        view = self.view(graph, groups)
        typist = Typist(view, self.shapes)
        cleanups = CleanupTypes(self._world, self.shapes, self._heap.resolver)
        for shape, addresses in chain(
            self._told_by_the_runtime(groups), cleanups.told(view, groups)
        ):
            for part in parts_of(len(addresses)):
                objects, into = self._heap.resolver.resolve(addresses[part])
                into, objects = into[objects >= 0], objects[objects >= 0].astype(np.int64)
                typist.known(objects[into == self.lead[self._heap.objects.span[objects]]], shape)
        typist.seed(carriers.astype(np.int64), carried)
        typing = typist.run()
        graph.beside.forget()
        self._code.keep()
        self._world.program.debug.types.keep()
        return typing

    # What types there are

    @property
    def catalog(self) -> Catalog:
        return self._world.catalog

    @cached_property
    def _made_arrays(self) -> MadeArrays:
        world = self._world
        return MadeArrays(world.memory, self.catalog, world.named, constants_of(world))

    @cached_property
    def shapes(self) -> Shapes:
        world = self._world
        program = world.program
        code = FunctionFacts(
            lambda code: world.shown_name(world.function_name(code)),
            lambda code: captures_of(program, code - world.bias),
            lambda code: self._code.of_closure(code),
        )
        types = None if program.stripped else program.debug.types
        return Shapes(
            world.memory,
            world.layout,
            world.typedata,
            self.catalog,
            code,
            types,
            self._type_named,
        )

    def _type_named(self, name: str) -> GoType | None:
        try:
            return self._world.program.debug.type_named(name)
        except KeyError:
            return None

    @cached_property
    def lead(self) -> Ints:
        """Of each span, the bytes that the type header takes in its objects (Go 1.22 and later:
        src/runtime/mbitmap.go, heapBitsInSpan)."""
        spans, layout = self._heap.contents.spans, self._world.layout
        least = layout.constants.get("minSizeForMallocHeader")
        if least is None or layout.has("heapArena", "bitmap"):
            return np.zeros(len(spans), np.int64)
        headed = (spans.spanclass > 1) & (spans.spanclass & 1 == 0) & (spans.elemsize > least)
        return np.where(headed, layout.constants.get("mallocHeaderSize", 8), 0)

    def part_at(self, go_type: GoType, at: int) -> TypePart:
        name, part, into = part_at(self._world.program.debug.types, go_type, at)
        return TypePart(name, part, has_pointer_at(part, into))

    # What tells of them

    def view(self, graph: Graph, groups: Sequence[RootGroup]) -> HeapView:
        """The objects and roots as words to look at."""
        objects = self._heap.objects
        shapes = np.array([self.root_shape(g) for g in groups], np.int32)
        before = np.array([g.before for g in groups], np.uint64)

        def root_word(group: int, index: int) -> int:
            start, words = groups[group].address, groups[group].words
            if words:
                return words[index] if 0 <= index < len(words) else 0
            return self._word(start + 8 * index) if start else 0

        roots = RootWords(len(objects), shapes, root_word, before)
        return HeapView(
            objects, self._heap.contents.words, graph, roots, self.lead, self._witnesses(groups),
            redzones=self._world.program.info.redzones,
        )  # fmt: skip

    def _witnesses(self, groups: Sequence[RootGroup]) -> Witnesses:
        world = self._world
        masks = TypeMasks(world.memory, world.layout)
        name = world.typedata.full_name
        return Witnesses(
            word=self._word,
            kind=world.typedata.kind,
            masks=self._pointer_words,
            is_function=self._is_function,
            texts=tuple(module.span("text") for module in world.modules if not module.bad),
            element_at=world.layout.offset("hchan", "elemtype"),
            catalog=self.catalog,
            wholes=Wholes(self.catalog, masks, name, self._made_arrays.of),
            by_mask=ByMask(self.catalog, masks, name, complete=not self._makes_types()),
            by_code=lambda words: self._by_code(groups, words),
        )

    @cached_property
    def _code(self) -> CodeTypes:
        return CodeTypes(self._world, self.shapes)

    def _by_code(
        self, groups: Sequence[RootGroup], words: list[tuple[int, int]]
    ) -> dict[tuple[int, int], Meaning]:
        """What words of roots mean: a root's row, and the number of its word."""
        places = {
            (row, index): groups[row].address + WORD * index
            for row, index in words
            if self._asks_code(groups[row])
        }
        told = {
            at: self._of_the_runtime[at] for at in places.values() if at in self._of_the_runtime
        }
        asked = [at for at in places.values() if at not in told]
        told |= self._code.of_globals(asked) if asked else {}
        meanings = {word: told[at] for word, at in places.items() if at in told}
        for row, index in set(words):
            group = groups[row]
            if group.standing:
                place = group.place + (WORD * index if group.address else 0)
                meaning = self._code.of_frame(group.standing, place)
                if meaning is not None:
                    meanings[row, index] = meaning
        return meanings

    @cached_property
    def _of_the_runtime(self) -> dict[int, Meaning]:
        """What words of the runtime's first m and g mean, which are variables (m0 and g0,
        src/runtime/proc.go, Go 1.21 to 1.27), and of its list of all Ps; by their addresses."""
        shapes, meanings = self.shapes, dict[int, Meaning]()
        pointer = self._world.typedata.pointer_to(shapes.struct_named("runtime.p"))
        if pointer and (at := self._world.roots.get("allp")):
            meanings[at] = Rule.SLICE, shapes.array_of_rtype(pointer)
        for thread in self._world.goroutines.threads:
            for low, names in ((thread.address, _OF_M), (thread.g0, ("runtime.g",))):
                rtype = next(filter(None, map(shapes.struct_named, names)), 0)
                if not rtype or not self._is_static(low):
                    continue
                rules, told = shapes[shapes.of_rtype(rtype)].rules
                for word in rules.nonzero()[0].tolist():
                    meanings[low + WORD * word] = Rule(int(rules[word])), int(told[word])
        return meanings

    def _asks_code(self, group: RootGroup) -> bool:
        """Whether a package-level variable has words of which the code that uses them tells more
        than its type."""
        if group.kind is not RootKind.GLOBAL or self._is_static(group.before):
            return False
        told = group.type is not None and group.type.kind is not GoKind.UNSAFE_POINTER
        return not told and not group.rtype

    def _is_static(self, word: int) -> bool:
        """Whether a word is an address in the program itself, as an interface's first word is."""
        low, high = self._world.static
        return low <= word < high

    def _makes_types(self) -> bool:
        """Whether the program may have types that no module lists: whether it has the code of
        reflect that makes such."""
        for module in self._world.modules:
            table = self._world.code.table_at(module.minpc)
            if table is None or any(table.name_offset(name) >= 0 for name in _MAKERS):
                return True
        return False

    def _told_by_the_runtime(self, groups: Sequence[RootGroup]) -> Iterator[tuple[int, Words]]:
        """Shapes that the runtime's own lists tell, and where such objects lie."""
        goroutines, shapes = self._world.goroutines, self.shapes
        for name, some in (("runtime.g", goroutines.known), ("runtime.m", goroutines.threads)):
            if rtype := shapes.struct_named(name):
                yield shapes.of_rtype(rtype), np.array([each.address for each in some], np.uint64)
        if self._world.program.stripped:
            for table, size in itab_tables(self._world):
                yield shapes.itab_table(size), np.array([table], np.uint64)
        finalized: dict[int, list[Words]] = {}
        for group in groups:
            if group.through_rtype:
                addresses = np.frombuffer(group.through, np.uint64)
                finalized.setdefault(group.through_rtype, []).append(addresses)
        for rtype, parts in finalized.items():
            yield shapes.of_rtype(rtype), np.concatenate(parts)

    def _is_function(self, pc: int) -> bool:
        try:
            function = self._world.code.function_at(pc)
        except (UnreadableError, NotGoError):
            return False
        return function is not None and function.entry == pc

    def _pointer_words(self, nodes: Ints) -> Words:
        objects, contents = self._heap.objects, self._heap.contents
        rows = objects.span[nodes].astype(np.int64)
        into = (objects.base[nodes] - objects.spans.base[rows]).astype(np.int64)
        return self._heap.maps.masks(contents, rows, into // objects.spans.elemsize[rows])

    def root_shape(self, group: RootGroup) -> int:
        """What a root's words are, 0 where that is not known."""
        if group.type:
            return self.shapes.of_type(group.type)
        if group.code:
            return self.shapes.closure(group.code)
        return self.shapes.of_rtype(group.rtype) if group.rtype else 0

    def _word(self, address: int) -> int:
        return word_at(self._world.memory, address)
