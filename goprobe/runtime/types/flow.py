"""What feeds the loop along which types flow (`flowloop`), and takes from it what was put aside."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from goprobe.compiled import effort
from goprobe.runtime.heap.grouping import by_key, different, numbers
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types import flowloop as loop
from goprobe.runtime.types.flowloop import GENERIC, NOWHERE, READY, UNREAD, flow
from goprobe.runtime.types.heapview import HeapView
from goprobe.runtime.types.heldparts import HeldParts
from goprobe.runtime.types.parts import ObjectParts, Part
from goprobe.runtime.types.putoff import PutOff
from goprobe.runtime.types.shape import Meaning, Rule
from goprobe.runtime.types.shapes import Shapes

_WORD_LIMIT = (1 << 63) - 1
_STATE = 10
_SHAPES_AT_ONCE = 256
_NARROW = 64  # nodes at once, for which a loop in Python is faster than arrays are
_ASIDE = 1 << 16
_KNOWN_LIMIT = 1 << 20
_EVERYTHING = 1 << 62
_AHEAD = 16  # edges of a node
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
        self._sorted: tuple[NDArray[np.int64], Ids] | None = None
        # Pages of these that are not used take no memory.
        self._queue = np.empty(len(types) + _ASIDE, np.int32)
        self._aside = np.empty((_ASIDE, loop.OF_ASIDE), np.int64)
        self._arrays = np.empty((_ASIDE, loop.OF_ARRAY), np.int64)
        self._noted = np.empty((_ASIDE, loop.OF_ARRAY), np.int64)
        self._spans = _of_spans(view)
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
        state = np.zeros(_STATE, np.int64)
        self._wait(state, nodes)
        while state[0] < state[1]:
            most = _EVERYTHING if self._effort else max(_NARROW, len(nodes))
            self._run(state, most)
            head, tail, aside, arrays, _, at_edge, _, later, _, noted = state.tolist()
            self._note_arrays(arrays)
            self._note_parts(noted)
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
        state[:] = (0, len(nodes), 0, 0, NOWHERE, at_edge, NOWHERE, 0, 0, 0)
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
        shapes = 1
        while state[4] != NOWHERE or state[6] != NOWHERE:
            if state[4] != NOWHERE:
                self._view.words.bring(state[4:5])
            else:
                # The more pointers wanted shapes, the more of the next ones' are read.
                self._tables.read_from(self._next(state, shapes), int(state[6]), shapes)
                shapes = min(2 * shapes, _SHAPES_AT_ONCE)
            self._run_on(state, most)
        self._put_off.looked_at += int(state[0])

    def _next(self, state: NDArray[np.int64], count: int) -> list[int]:
        """The shapes of so many nodes that are looked at next, each once."""
        head, tail = int(state[0]), int(state[1])
        nodes = self._queue[head : min(head + count, tail)]
        own = self._shape[nodes]
        for at in np.flatnonzero(own == 0).tolist():
            own[at] = self._parts.shape[nodes[at]]
        return list(dict.fromkeys(own.tolist()))

    def _run_on(self, state: NDArray[np.int64], most: int) -> None:
        view, tables, graph = self._view, self._tables, self._view.graph
        objects, ahead = view.objects, _AHEAD if self._effort else 0
        flow.run(
            state, self._queue, self._later, most, self._patient, view.n, ahead,
            graph.first, graph.offset, graph.target, graph.into,
            objects.span, objects.base.view(np.int64), self._shape, self._sure, self._parts.extent,
            self._spans, view.words.start, view.words.words.view(np.int64),
            view.words.there, view.words.page_words.bit_length() - 1, view.witnesses.element_at,
            tables.shapes.reshape(-1), tables.rules.reshape(-1), *self._keys(),
            self._aside.reshape(-1), self._arrays.reshape(-1),
            self._parts.shape, self._parts.into, self._parts.length, *self._held.columns,
            self._noted.reshape(-1), int(not tables.generic),
            graph.beside.notes, graph.beside.heads, graph.beside.told.view(np.int64),
            effort=self._effort,
        )  # fmt: skip

    def _keys(self) -> tuple[NDArray[np.int64], Ids]:
        if self._sorted is None:
            rows = sorted((key, *told) for key, told in self._known.items())
            keys = np.array([key for key, *_ in rows], np.int64)
            self._sorted = (keys, np.array([told for _, *told in rows], np.int32).reshape(-1))
        return self._sorted

    def _note_arrays(self, count: int) -> None:
        shape, node, into, length = self._arrays[:count].T.copy()
        for (number,), rows in by_key(shape):
            self._parts.reach(number, node[rows], into[rows], length[rows])

    def _note_parts(self, count: int) -> None:
        """The loop itself has looked which of its object's parts is the longest."""
        shape, node, into, length = self._noted[:count].T.copy()
        for (number,), rows in by_key(shape):
            self._parts.add(number, node[rows], into[rows], length[rows])

    def _put_aside(self, count: int) -> Iterator[tuple[Rule, int, Ints, Ints]]:
        edges, nodes, rule, shape = self._aside[:count].T.copy()
        for (kind, number), rows in by_key(rule, shape):
            self._tables.read(number)
            yield Rule(kind), number, edges[rows], nodes[rows]


def _of_spans(view: HeapView) -> Ints:
    """What the loop looks at of each span."""
    spans = view.objects.spans
    table = np.zeros((len(spans), loop.OF_SPAN), np.int64)
    table[:, loop.LEAD], table[:, loop.ROOM] = view.lead, view.room
    table[:, loop.BELOW] = view.below
    table[:, loop.NOSCAN], table[:, loop.SLOT] = view.noscan, spans.elemsize
    table[:, loop.SPAN_BASE] = spans.base.view(np.int64)
    return table.reshape(-1)


class _Tables:
    """Shapes as rows of tables (see `flowloop`), each read when it is first asked for."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self.generic = True
        self._rules = 0
        self.shapes = np.zeros((1, loop.OF_SHAPE), np.int64)
        self.rules = np.zeros((1, 2), np.int64)

    def read_all(self, shapes: list[int]) -> None:
        for shape in shapes:
            self.read(shape)

    def read(self, shape: int) -> None:
        self.shapes = _with_room(self.shapes, shape + 1)
        row = self.shapes[shape]
        if row[loop.KIND] != UNREAD:
            return
        about = self._shapes[shape]
        rules, targets = about.rules
        generic = self.generic and self._shapes.is_vague(shape)
        row[loop.KIND] = GENERIC if generic else READY
        row[loop.SIZE], row[loop.LENGTH] = about.size, about.words
        row[loop.POINTERS] = about.pointers
        any_part = self._shapes.is_array(shape) or self._shapes.is_special(shape)
        row[loop.COVERS] = loop.LARGEST if any_part else about.size
        if rules.any():
            row[loop.BEGIN], row[loop.COUNT] = self._rules, len(rules)
            end = self._rules + len(rules)
            self.rules = _with_room(self.rules, end)
            self.rules[self._rules : end, 0] = rules
            self.rules[self._rules : end, 1] = targets
            self._rules = end
            self._note_parts(rules, targets)

    def read_from(self, owners: list[int], shape: int, count: int) -> None:
        """A shape that a pointer of a value of the first shape wants, those of the next words, and
        of values of the others: `count` in all."""
        told = self._wanted_by(owners[0])
        if shape in told:
            told = told[told.index(shape) + 1 :]
        self.read(shape)
        for own in owners:
            told = told if own == owners[0] else self._wanted_by(own)
            self.read_all(told[: count - 1])
            count -= len(told)
            if count <= 1:
                break

    def _wanted_by(self, own: int) -> list[int]:
        """The shapes that pointers of a value want, in the order of its words."""
        begin, words = self.shapes[own, loop.BEGIN], self.shapes[own, loop.COUNT]
        told: list[int] = self.rules[begin : begin + words, 1].tolist()
        return [shape for shape in told if shape]

    def _note_parts(self, rules: Ints, targets: Ints) -> None:
        """What the words of maps and of tries lead to, of which others say which it is."""
        of = {Rule.DIRECTORY: self._shapes.group_of_table, Rule.TRIE: self._shapes.trie_nodes}
        for rule, target in zip(rules.tolist(), targets.tolist(), strict=True):
            if rule in of:
                parts = of[rule](target)
                self.shapes = _with_room(self.shapes, target + 1)
                self.shapes[target, loop.ONE_PART], self.shapes[target, loop.OTHER_PART] = parts

    def has_generic(self) -> None:
        self.generic = False
        kinds = self.shapes[:, loop.KIND]
        kinds[kinds == GENERIC] = READY


def _with_room(table: Ints, count: int) -> Ints:
    """A table of so many rows at least."""
    have = len(table)
    if count <= have:
        return table
    more = np.zeros((max(have, count - have), table.shape[1]), np.int64)
    return np.concatenate((table, more))
