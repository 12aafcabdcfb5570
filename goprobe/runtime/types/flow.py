"""What feeds the loop along which types flow (`flowloop`), and takes from it what was put aside."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from goprobe.compiled import effort
from goprobe.runtime.heap.grouping import by_key, different, numbers
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.flowloop import GENERIC, NOWHERE, READY, UNREAD, flow
from goprobe.runtime.types.heapview import HeapView
from goprobe.runtime.types.heldparts import HeldParts
from goprobe.runtime.types.parts import ObjectParts, Part
from goprobe.runtime.types.putoff import PutOff
from goprobe.runtime.types.shape import Meaning, Rule
from goprobe.runtime.types.shapes import Shapes

_WORD_LIMIT = (1 << 63) - 1
_NARROW = 64  # nodes at once, for which a loop in Python is faster than arrays are
_ASIDE = 1 << 16
_KNOWN_LIMIT = 1 << 20
_EVERYTHING = 1 << 62
_KNOWN_DIRECTLY = (Rule.ONE, Rule.ANY, Rule.FUNC, Rule.CHAN)
HELD_NOWHERE = (Rule.NOTHING, Rule.EFACE, Rule.IFACE, Rule.SLICE)
"""What an interface's data word never is: its values are no interfaces, and slices are boxed."""


class Stream:
    """Follows pointers of nodes whose shapes are known. `types`, `sure` and `parts` are those of
    the objects so far, which the loop changes."""

    def __init__(
        self,
        view: HeapView,
        shapes: Shapes,
        types: Ids,
        sure: NDArray[np.bool_],
        parts: ObjectParts,
    ) -> None:
        self._view = view
        self._shapes = shapes
        self._shape = types
        self._sure = sure
        self._parts = parts
        self._tables = _Tables(shapes)
        self._known: dict[int, tuple[int, int, bool]] = {}
        self._sorted: tuple[NDArray[np.int64], Ids, Ids, Ids] | None = None
        # Pages of these that are not used take no memory.
        self._queue = np.empty(len(types) + _ASIDE, np.int32)
        self._aside = (
            np.empty(_ASIDE, np.int64), np.empty(_ASIDE, np.int32), np.empty(_ASIDE, np.int8),
            np.empty(_ASIDE, np.int32),
        )  # fmt: skip
        self._arrays = (
            np.empty(_ASIDE, np.int32), np.empty(_ASIDE, np.int32), np.empty(_ASIDE, np.int64),
            np.empty(_ASIDE, np.int64),
        )  # fmt: skip
        self._left = np.zeros(0, np.int64)
        self._held = HeldParts(view, parts, types)
        self._put_off, self._patient = PutOff(view, len(types)), 0
        self._later = np.empty(_ASIDE, np.int32)
        self._effort = effort(len(view.graph.target))

    def takes(self, count: int) -> bool:
        """Whether so many nodes are better looked at one after the other."""
        return bool(self._effort) or count <= _NARROW

    def know(self, word: int, rule: Rule, shape: int, *, sure: bool = False) -> None:
        """What a word tells that is met again and again; see `flow`."""
        if abs(word) > _WORD_LIMIT:
            return  # no address: it is in no table of signed words
        if len(self._known) < _KNOWN_LIMIT and word not in self._known:
            self._tables.read(shape)
            self._known[word] = (int(rule), shape, sure)
            self._sorted = None

    def know_interface(self, key: int, rtype: int) -> None:
        """What the first word of an interface tells of the other: that of a value of a type, 0
        where there is no type."""
        direct = self._shapes.held_directly(rtype) if rtype else (Rule.NOTHING, 0)
        if direct is None:
            self.know(key, Rule.ONE, self._shapes.of_rtype(rtype), sure=True)
        elif direct[0] in HELD_NOWHERE:
            self.know(key, Rule.NOTHING, 0)
        elif direct[0] in _KNOWN_DIRECTLY:
            self.know(key, *direct)

    def know_reflected(self, key: int, meaning: Meaning) -> None:
        """What the pointer of a reflect.Value means, by a key of `reflected`."""
        if meaning[0] in _KNOWN_DIRECTLY or meaning[0] is Rule.NOTHING:
            self.know(key, *meaning)

    def know_parts(self, fresh: list[Part], wholes: list[tuple[int, Ints]]) -> None:
        """From now on parts like these are followed at once; see `HeldParts.note`."""
        self._tables.read_all([shape for shape, _ in wholes])
        self._held.note(fresh, wholes)

    def has_generic(self) -> None:
        """From now on what generic code calls a type is as good as any other name."""
        self._tables.has_generic()

    def follow(self, nodes: Ints) -> Iterator[tuple[Rule, int, Ints, Ints]]:
        """Pointers of which more has to be thought: rule and shape, edges, sources."""
        state = np.zeros(8, np.int64)
        self._wait(state, nodes)
        while state[0] < state[1]:
            most = _EVERYTHING if self._effort else max(_NARROW, len(nodes))
            self._run(state, most)
            head, tail, aside, arrays, _, at_edge, _, later = state.tolist()
            self._note_arrays(arrays)
            yield from self._put_aside(aside)
            waiting = self._queue[head:tail].astype(np.int64)
            put_off = self._put_off.taken(self._later[:later])
            if len(waiting) > most:
                self._left = self._whole(np.concatenate((waiting, put_off.all())))
                return
            patient = 0
            if not len(waiting):
                waiting = put_off.next()
                patient = len(waiting)
            self._wait(state, waiting, patient, at_edge)

    def _wait(
        self, state: NDArray[np.int64], nodes: Ints, patient: int = 0, at_edge: int = NOWHERE
    ) -> None:
        """Fill the queue, with each node once. The first of them do not wait for the words that
        they want: these are read at once. The very first one may go on with an edge."""
        begun = nodes[: int(at_edge != NOWHERE)]
        nodes = np.concatenate((begun, different(nodes[len(begun) :], len(self._shape))))
        self._tables.read_all(numbers(self._shape[nodes]))
        self._queue[: len(nodes)] = nodes
        state[:] = (0, len(nodes), 0, 0, NOWHERE, at_edge, NOWHERE, 0)
        self._patient = patient if self._put_off.worth_it else _EVERYTHING

    def _whole(self, nodes: Ints) -> Ints:
        """Those that have a shape; what is known of parts of the others is noted once more."""
        bare: Ints = nodes[self._shape[nodes] == 0]
        shaped: Ints = nodes[self._shape[nodes] != 0]
        for number in numbers(self._parts.shape[bare]):
            rows = bare[self._parts.shape[bare] == number]
            into, length = self._parts.into[rows], self._parts.length[rows]
            self._parts.note(number, rows, into.astype(np.int64), length.astype(np.int64))
        return shaped

    def left(self) -> Ints:
        """Nodes that `follow` has left to others: too many for it."""
        left, self._left = self._left, self._left[:0]
        return left

    def _run(self, state: NDArray[np.int64], most: int) -> None:
        self._run_on(state, most)
        while state[4] != NOWHERE or state[6] != NOWHERE:
            if state[4] != NOWHERE:
                self._view.words.bring(state[4:5])
            else:
                self._tables.read(int(state[6]))
            self._run_on(state, most)
        self._put_off.looked_at += int(state[0])

    def _run_on(self, state: NDArray[np.int64], most: int) -> None:
        view, tables, graph = self._view, self._tables, self._view.graph
        objects, spans = view.objects, view.objects.spans
        flow.run(
            state, self._queue, self._later, most, self._patient, view.n,
            graph.first, graph.offset, graph.target, graph.into,
            objects.span, objects.base.view(np.int64), self._shape, self._sure, self._parts.extent,
            spans.base.view(np.int64), view.words.start, view.lead, view.room, view.below,
            view.noscan, spans.elemsize, view.words.words.view(np.int64),
            view.words.there, view.words.page_words.bit_length() - 1,
            view.witnesses.element_at, *tables.columns, *self._keys(), *self._aside, *self._arrays,
            self._parts.shape, self._parts.into, self._parts.length, *self._held.columns,
            effort=self._effort,
        )  # fmt: skip

    def _keys(self) -> tuple[NDArray[np.int64], Ids, Ids, Ids]:
        if self._sorted is None:
            rows = sorted((key, *told) for key, told in self._known.items())
            columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
            keys, *others = (np.array(column, np.int64) for column in columns)
            rules, shapes, sure = (column.astype(np.int32) for column in others)
            self._sorted = (keys, rules, shapes, sure)
        return self._sorted

    def _note_arrays(self, count: int) -> None:
        shape, node, into, length = self._arrays
        shape, node, into, length = shape[:count], node[:count], into[:count], length[:count]
        for (number,), rows in by_key(shape):
            self._parts.reach(number, node[rows].astype(np.int64), into[rows], length[rows])

    def _put_aside(self, count: int) -> Iterator[tuple[Rule, int, Ints, Ints]]:
        edges, source, rule, shape = self._aside
        edges, nodes = edges[:count].copy(), source[:count].astype(np.int64)
        for (kind, number), rows in by_key(rule[:count].copy(), shape[:count].copy()):
            self._tables.read(number)
            yield Rule(kind), number, edges[rows], nodes[rows]


_OF_SHAPES, _OF_WORDS = slice(8), slice(8, 10)


class _Tables:
    """Shapes as columns, each read when it is first asked for."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._generic = True
        self._rules = 0
        self.columns: tuple[NDArray[np.generic], ...] = (
            np.zeros(1, np.int8), np.zeros(1, np.int64), np.zeros(1, np.int32),
            np.zeros(1, np.bool_), np.zeros(1, np.int64), np.zeros(1, np.int32),
            np.zeros(1, np.int32), np.zeros(1, np.int32),
            np.zeros(1, np.int8), np.zeros(1, np.int32),
        )  # fmt: skip

    def read_all(self, shapes: list[int]) -> None:
        for shape in shapes:
            self.read(shape)

    def read(self, shape: int) -> None:
        self._grow(shape + 1, _OF_SHAPES)
        kinds, size, length, pointers, begin, count, *_ = self.columns
        if kinds[shape] != UNREAD:
            return
        about = self._shapes[shape]
        rules, targets = about.rules
        generic = self._generic and self._shapes.is_vague(shape)
        kinds[shape] = GENERIC if generic else READY
        size[shape], length[shape], pointers[shape] = about.size, about.words, about.pointers
        if rules.any():
            begin[shape], count[shape] = self._rules, len(rules)
            end = self._rules + len(rules)
            self._grow(end, _OF_WORDS)
            self.columns[8][self._rules : end] = rules
            self.columns[9][self._rules : end] = targets
            self._rules = end
            self._note_parts(rules, targets)

    def _note_parts(self, rules: Ints, targets: Ints) -> None:
        """What the words of maps and of tries lead to, of which others say which it is."""
        of = {Rule.DIRECTORY: self._shapes.group_of_table, Rule.TRIE: self._shapes.trie_nodes}
        for rule, parts in of.items():
            for target in targets[rules == rule].tolist():
                self._grow(target + 1, _OF_SHAPES)
                self.columns[6][target], self.columns[7][target] = parts(target)

    def has_generic(self) -> None:
        self._generic = False
        kinds = self.columns[0]
        kinds[kinds == GENERIC] = READY

    def _grow(self, count: int, which: slice) -> None:
        have = len(self.columns[which.start or 0])
        if count <= have:
            return
        larger = [
            np.concatenate((column, np.zeros(max(have, count - have), column.dtype)))
            for column in self.columns[which]
        ]
        columns = list(self.columns)
        columns[which] = larger
        self.columns = tuple(columns)
