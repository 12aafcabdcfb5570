"""The types of what cleanups are called with, which are copied to memory of their own.

Source: src/runtime/mcleanup.go (AddCleanup, callCleanup, cleanupFn), Go 1.24 to 1.27.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.errors import UnreadableError
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import u32, u64
from goprobe.runtime.codetypes.addresses import constants_of
from goprobe.runtime.heap.grouping import by_key, contained, distinct
from goprobe.runtime.heap.objects import Resolver, parts_of
from goprobe.runtime.roots.groups import RootGroup
from goprobe.runtime.stacks.closures import captures_of
from goprobe.runtime.types.heapview import HeapView
from goprobe.runtime.types.shape import WORD
from goprobe.runtime.types.shapes import Shapes
from goprobe.runtime.types.typenames import RTYPE_BYTES
from goprobe.runtime.world import World

_CLOSURES_MOST = 1 << 16  # static ones
_HELPER = re.compile(r"runtime\.AddCleanup\[.*\]\.func1")
"""It calls callCleanup[S] with the dictionary that it has captured: the words of that are
func(S), *func(S) and *S (looked at in Go 1.26 and 1.27)."""
_FUNCTION, _VALUE = 0, 2 * WORD
_CAPTURED = ({"cleanup": WORD, "&arg": 2 * WORD}, {"&cleanup": WORD, "&arg": 2 * WORD})
"""By name the places in the helper of what it has captured in Go 1.24, and in Go 1.25."""
_ONE = 1  # the counts of parameters, and of results behind it (src/internal/abi/type.go, FuncType)
_PARAMETERS = RTYPE_BYTES + WORD


class CleanupTypes:
    """Of one moment; all addresses are the process's."""

    def __init__(self, world: World, shapes: Shapes, resolver: Resolver) -> None:
        self._world = world
        self._shapes = shapes
        self._resolver = resolver

    def told(self, view: HeapView, groups: Sequence[RootGroup]) -> Iterator[tuple[int, Words]]:
        """Shapes of such copies, and where they lie: S is what the dictionary says that the copy is
        taken by, or is the type of the only parameter of the cleanup's function."""
        for group in (each for each in groups if each.helpers):
            helpers, calls, arguments = (
                np.frombuffer(words, np.uint64)
                for words in (group.helpers, group.calls, group.arguments)
            )
            of_helpers, first = (self._words_of(view, helpers, index) for index in (0, 1))
            if not group.calls:
                yield from self._captured(view, helpers, of_helpers, first)
                continue
            codes = self._words_of(view, calls, 0)
            for (helper, dictionary, code), rows in by_key(of_helpers, first, codes):
                if shape := self._taken(helper, dictionary) or self._parameter(code):
                    yield shape, arguments[rows]

    def _captured(
        self, view: HeapView, helpers: Words, of_helpers: Words, calls: Words
    ) -> Iterator[tuple[int, Words]]:
        """The same of helpers that have captured the cleanup, or where it is, and where its
        argument is."""
        arguments, program = self._words_of(view, helpers, 2), self._world.program
        for (helper,), rows in by_key(of_helpers):
            if program.stripped or not _HELPER.fullmatch(self._world.function_name(helper)):
                continue
            captured = captures_of(program, helper - self._world.bias)
            by_name = {each.name: each.offset for each in captured}
            if by_name not in _CAPTURED:
                continue
            moved = "&cleanup" in by_name
            closures = self._words_of(view, calls[rows], 0) if moved else calls[rows]
            for (code,), some in by_key(self._words_of(view, closures, 0)):
                if shape := self._parameter(code):
                    yield shape, arguments[rows[some]]

    def _words_of(self, view: HeapView, closures: Words, index: int) -> Words:
        """The words of closures by their number, 0 where they cannot be told."""
        words = np.zeros(len(closures), np.uint64)
        for part in parts_of(len(closures)):
            nodes, into = self._resolver.resolve(closures[part])
            begun = np.flatnonzero((nodes >= 0) & (into == 0))
            words[part.start + begun] = view.words_at(nodes[begun].astype(np.int64), WORD * index)
        rest = np.flatnonzero(words == 0)
        static = distinct(closures[rest])[:_CLOSURES_MOST]
        read = self._world.memory.read_many(
            [(closure + WORD * index, WORD) for closure in static.tolist()]
        )
        told = np.array([int.from_bytes(raw or b"", "little") for raw in read], np.uint64)
        rest = rest[contained(closures[rest], static)]
        words[rest] = told[np.searchsorted(static, closures[rest])]
        return words

    def _taken(self, helper: int, dictionary: int) -> int:
        """The shape of what a helper takes by a dictionary, 0 where that is not known."""
        world = self._world
        if not _HELPER.fullmatch(world.function_name(helper)):
            return 0
        if not any(low <= dictionary < high for low, high in constants_of(world)):
            return 0
        try:
            function, pointer = (u64(world.memory, dictionary + at) for at in (_FUNCTION, _VALUE))
            rtype = self._only_parameter(function)
            if not rtype or world.typedata.kind(pointer) is not GoKind.POINTER:
                return 0
            same = u64(world.memory, pointer + RTYPE_BYTES) == rtype
        except UnreadableError:
            return 0
        return self._shapes.of_rtype(rtype) if same else 0

    def _only_parameter(self, function: int) -> int:
        """The descriptor of T, of that of func(T), 0 where it is none."""
        memory, typedata = self._world.memory, self._world.typedata
        if typedata.kind(function) is not GoKind.FUNC or typedata.is_uncommon(function):
            return 0
        counts = u32(memory, function + RTYPE_BYTES)
        return u64(memory, function + _PARAMETERS) if counts == _ONE else 0

    def _parameter(self, code: int) -> int:
        """The shape of the only parameter of a function, 0 where that is not known."""
        world = self._world
        debug, entry = world.program.debug, code - world.bias
        function = None if world.program.stripped else debug.function_at(entry)
        if function is None or function.low != entry:
            return 0
        taken = [each for each in debug.parameters(function) if not each.result]
        if len(taken) != 1 or taken[0].dictionary_index >= 0:
            return 0
        return self._shapes.of_type(debug.types.at(taken[0].type))
