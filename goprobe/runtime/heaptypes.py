"""The type of every object, as far as anything in the process tells it.

Types come from the headers of objects over 512 bytes, and flow along pointers from typed roots
(package-level variables, variables of frames) and closures; interfaces say the types of their
values themselves. A pointer's type is taken for its target's only where the target's size class is
the one that such a value gets: a pointer to a struct's first field, or to an array's first element,
points at the whole object's first byte just as well. What remains gets the type of an inner
pointer, said to be such.
Size classes: src/internal/runtime/gc/sizeclasses.go (runtime/sizeclasses.go to 1.24); the same
from Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.runtime.copies import Words
from goprobe.runtime.heapwords import ABSENT, HeapWords
from goprobe.runtime.objects import Ids, Objects
from goprobe.runtime.shape import Rule
from goprobe.runtime.shapes import Shapes
from goprobe.runtime.spantable import Ints

_CLASSES = np.array(
    (0, 8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320,
     352, 384, 416, 448, 480, 512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792,
     2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864, 5376, 6144, 6528, 6784, 6912, 8192, 9472,
     9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480, 21760, 24576, 27264,
     28672, 32768)
)  # fmt: skip
_PAGE = 8192
_WORD = 8
_NARROW = 32
_CHASE = 256
_SPARSE = 32
_AT_ONCE = 1 << 19
_CACHE_LIMIT = 1 << 16


class Graph(msgspec.Struct, frozen=True):
    """Edges of objects and roots, and what the sources' words are (see analysis/nodes.py)."""

    first: Ints
    offset: NDArray[np.uint32]
    target: Ids
    into: NDArray[np.uint32]


class RootWords(msgspec.Struct, frozen=True):
    """How to look at the words of root nodes: node numbers begin at `base`.

    `shapes` are the roots' shapes (0: unknown); `word` reads the word at a word offset of a root.
    """

    base: int
    shapes: Ids
    word: Callable[[int, int], int]


class Typing(msgspec.Struct, frozen=True):
    """`shape` is each object's (0: not known). `inner`: known by a pointer to a part of it only,
    which has that shape."""

    shape: Ids
    inner: NDArray[np.bool_]


class Typist:
    """Finds the types of all objects of one snapshot."""

    def __init__(
        self, objects: Objects, words: HeapWords, graph: Graph, roots: RootWords, shapes: Shapes,
        lead: Ints, itab_type: Callable[[int], int], code_at: Callable[[int], int],
    ) -> None:  # fmt: skip
        """`lead` is how many bytes a type header takes in each span's objects; `itab_type` the
        type's descriptor of an itab; `code_at` reads a word outside the heap (0: not there)."""
        self._objects = objects
        self._words = words
        self._graph = graph
        self._roots = roots
        self._shapes = shapes
        self._lead = lead
        self._itab_type = itab_type
        self._code_at = code_at
        self._n = len(objects)
        self._elemsize = objects.spans.elemsize
        self._noscan = objects.spans.spanclass & 1 != 0
        self._below = self._next_smaller()
        self.shape = np.zeros(self._n + len(roots.shapes) + 1, np.int32)
        self.inner = np.zeros(self._n, np.int32)
        self._pending: dict[int, list[Ints]] = {}
        self._fits: dict[tuple[int, bool], NDArray[np.bool_]] = {}
        self._later: list[tuple[int, Ints]] = []
        self._vague: list[tuple[Ints, int]] | None = []
        self._narrow: dict[int, int] = {}
        self._steps: dict[tuple[int, int], Ids] = {}

    def _next_smaller(self) -> Ints:
        """Of each span, the largest size that would still get a smaller class."""
        size = self._elemsize
        at = np.searchsorted(_CLASSES, size)
        small = self._objects.spans.spanclass > 1
        classed: Ints = _CLASSES[np.clip(at - 1, 0, len(_CLASSES) - 1)]
        below: Ints = np.where(small, classed, size - _PAGE)
        return below

    # What may be what

    def _may_be(self, shape: int, whole: bool) -> NDArray[np.bool_]:
        """Of each span, whether its objects may be one value of the shape (`whole`), or an array
        of such values."""
        key = (shape, whole)
        if key not in self._fits:
            about = self._shapes[shape]
            fits = self._noscan != about.pointers
            room = self._elemsize - self._lead
            if whole:
                fits &= (about.size <= room) & (about.size + self._lead > self._below)
                if not about.pointers and about.size < 16:
                    fits |= self._noscan & (self._elemsize == 16)
            else:
                fits &= about.size <= room
            self._fits[key] = fits
        return self._fits[key]

    # The flow

    def seed(self, slots: Ints, rtypes: Words) -> None:
        """Objects that carry their own type.

        The inner parts of maps have types that say less than the map's own: they wait until the
        map has had its say.
        """
        nodes = self._objects.of_slots(slots).astype(np.int64)
        order = np.argsort(rtypes, kind="stable")
        for rtype, rows in _groups(rtypes, order):
            if rtype and self._shapes.is_part_of_map(rtype):
                self._later.append((rtype, nodes[rows]))
            elif rtype:
                self._carries(rtype, nodes[rows])

    def _carries(self, rtype: int, nodes: Ints) -> None:
        shape = self._shapes.of_rtype(rtype)
        whole = self._may_be(shape, True)[self._objects.span[nodes]]
        self._assign(nodes[whole], shape)
        self._assign(nodes[~whole], self._shapes.array_of_rtype(rtype))

    def run(self) -> Typing:
        nodes = np.flatnonzero(self._roots.shapes) + self._roots.base
        self.shape[nodes] = self._roots.shapes[nodes - self._roots.base]
        known = self.shape[nodes]
        for number, rows in _groups(known, np.argsort(known, kind="stable")):
            self._pending.setdefault(number, []).append(nodes[rows])
        self._flow()
        for rtype, carriers in self._later:
            self._carries(rtype, carriers)
        self._flow()
        vague, self._vague = self._vague or [], None
        for carriers, number in vague:
            self._assign(carriers, number)
        self._flow()
        shape = self.shape[: self._n]
        inner = (shape == 0) & (self.inner != 0)
        return Typing(np.where(inner, self.inner, shape).astype(np.int32), inner)

    def _flow(self) -> None:
        while self._pending:
            shape = max(self._pending, key=lambda s: sum(map(len, self._pending[s])))
            parts = self._pending.pop(shape)
            self._spread(shape, np.concatenate(parts) if len(parts) > 1 else parts[0])

    def _assign(self, nodes: Ints, shape: int) -> None:
        """Give a shape to those nodes that have none. What generic code calls it waits until all
        else has had its say."""
        if self._vague is not None and self._shapes.is_generic(shape):
            self._vague.append((nodes, shape))
            return
        fresh = different(nodes[self.shape[nodes] == 0], len(self.shape))
        if len(fresh) and shape:
            self.shape[fresh] = shape
            self._pending.setdefault(shape, []).append(fresh.astype(np.int64))

    def _spread(self, shape: int, nodes: Ints) -> None:
        """Follow the pointers of nodes that have just got a shape."""
        if not self._shapes[shape].rules[0].any():
            return
        if len(nodes) <= _NARROW:
            self._narrow[shape] = self._narrow.get(shape, 0) + 1
            if self._narrow[shape] > _CHASE:
                nodes = self._chase(shape, nodes)
        for start in range(0, len(nodes), _AT_ONCE):
            self._spread_part(shape, nodes[start : start + _AT_ONCE])

    def _edges_of(self, nodes: Ints) -> tuple[Ints, Ints]:
        """Every edge of some nodes, and the node that each begins at."""
        first = self._graph.first
        begin = first[nodes]
        counts = first[nodes + 1] - begin
        ends = np.cumsum(counts)
        edges = np.arange(int(ends[-1]) if len(ends) else 0)
        edges += np.repeat(begin - ends + counts, counts)
        return edges, np.repeat(nodes, counts)

    def _spread_part(self, shape: int, nodes: Ints) -> None:
        about = self._shapes[shape]
        rules, shapes = about.rules
        edges, source = self._edges_of(nodes)
        at = self._graph.offset[edges].astype(np.int64) - self._lead_words(source)
        at = at % about.words if about.words else np.where(at < len(rules), at, 0)
        known = (at >= 0) & (at < len(rules))
        edges, source, at = edges[known], source[known], at[known]
        order = np.argsort(at, kind="stable")
        for word, rows in _groups(at, order):
            rule, to = Rule(int(rules[word])), int(shapes[word])
            if rule is not Rule.NOTHING:
                self._apply(rule, to, edges[rows], source[rows])

    def _lead_words(self, nodes: Ints) -> Ints:
        heap = nodes < self._n
        span = self._objects.span[np.where(heap, nodes, 0)] if self._n else nodes * 0
        words: Ints = np.where(heap, self._lead[span] // _WORD, 0)
        return words

    def _apply(self, rule: Rule, shape: int, edges: Ints, source: Ints) -> None:
        match rule:
            case Rule.ONE | Rule.ARRAY | Rule.ANY:
                self._point(rule, shape, edges)
            case Rule.EFACE | Rule.IFACE:
                self._interfaces(rule, edges, source)
            case Rule.FUNC:
                self._closures(edges)
            case Rule.DIRECTORY:
                self._directories(shape, edges, source)
            case Rule.TRIE:
                self._trie(shape, edges)

    def _point(self, rule: Rule, shape: int, edges: Ints) -> None:
        if not shape:
            return
        target = self._graph.target[edges].astype(np.int64)
        fresh = self.shape[target] == 0
        edges, target = edges[fresh], target[fresh]
        if not len(target):
            return
        span = self._objects.span[target]
        into = self._graph.into[edges].astype(np.int64) - self._lead[span]
        if rule is Rule.ANY:
            good = into == 0
        elif rule is Rule.ONE:
            good = (into == 0) & self._may_be(shape, True)[span]
        else:
            size = max(self._shapes[shape].size, 1)
            good = (into >= 0) & (into % size == 0) & self._may_be(shape, False)[span]
        self._assign(target[good], shape)
        self._note_inner(target[~good], into[~good], shape)

    def _note_inner(self, target: Ints, into: Ints, shape: int) -> None:
        """Remember the largest part that is pointed at, for what nothing else gives a type."""
        target = target[into >= 0]
        have = self.inner[target]
        size = self._shapes[shape].size
        for old in np.unique(have).tolist():
            if not old or size > self._shapes[old].size:
                self.inner[target[have == old]] = shape

    # Interfaces, closures, maps

    def _word_before(self, edges: Ints, source: Ints, step: int) -> Words:
        """The word beside each edge's own, `step` words on."""
        at = self._graph.offset[edges].astype(np.int64) + step
        heap = source < self._n
        found = np.zeros(len(edges), np.uint64)
        nodes = source[heap]
        span = self._objects.span[nodes]
        start = self._words.start[span]
        index = (self._objects.base[nodes] - self._objects.spans.base[span]).astype(np.int64)
        place = start + index // _WORD + at[heap]
        there = (start != ABSENT) & (place >= 0) & (place < len(self._words.words))
        values = np.zeros(len(nodes), np.uint64)
        values[there] = self._words.words[place[there]]
        found[heap] = values
        for row in np.flatnonzero(~heap).tolist():
            found[row] = self._roots.word(int(source[row]) - self._roots.base, int(at[row]))
        return found

    def _interfaces(self, rule: Rule, edges: Ints, source: Ints) -> None:
        tables = self._word_before(edges, source, -1)
        for table, rows in _groups(tables, np.argsort(tables, kind="stable")):
            rtype = self._itab_type(table) if rule is Rule.IFACE and table else table
            if not rtype:
                continue
            direct = self._shapes.held_directly(rtype)
            if direct is None:
                self._point(Rule.ONE, self._shapes.of_rtype(rtype), edges[rows])
            elif direct[0] in (Rule.ONE, Rule.ARRAY, Rule.ANY):
                self._point(direct[0], direct[1], edges[rows])
            elif direct[0] is Rule.FUNC:
                self._closures(edges[rows])

    def _closures(self, edges: Ints) -> None:
        target = self._graph.target[edges].astype(np.int64)
        span = self._objects.span[target]
        fresh = (self.shape[target] == 0) & (self._graph.into[edges] == self._lead[span])
        target = different(target[fresh], self._n)
        code = self._first_words(target)
        for entry, rows in _groups(code, np.argsort(code, kind="stable")):
            if entry:
                self._assign(target[rows], self._shapes.closure(entry))

    def _first_words(self, nodes: Ints) -> Words:
        """The first word of each object. Closures that capture no pointers are in no span that
        was read: they are looked at one by one."""
        span = self._objects.span[nodes]
        start, lead = self._words.start[span], self._lead[span]
        base = self._objects.base[nodes]
        index = (base - self._objects.spans.base[span]).astype(np.int64)
        there = start != ABSENT
        found = np.zeros(len(nodes), np.uint64)
        found[there] = self._words.words[(start + (index + lead) // _WORD)[there]]
        for row in np.flatnonzero(~there)[:_CACHE_LIMIT].tolist():
            found[row] = self._code_at(int(base[row]) + int(lead[row]))
        return found

    def _directories(self, table: int, edges: Ints, source: Ints) -> None:
        """maps.Map.dirPtr: tables, or where dirLen (the word behind) is 0 the only group."""
        directory, groups = self._shapes.group_of_table(table)
        length = self._word_before(edges, source, 1)
        self._point(Rule.ARRAY, directory, edges[length != 0])
        self._point(Rule.ONE, groups, edges[length == 0])

    def _trie(self, node: int, edges: Ints) -> None:
        """internal/sync.node: its only field, isEntry, tells entries from inner nodes."""
        inner, entry = self._shapes.trie_nodes(node)
        first = self._first_words(self._graph.target[edges].astype(np.int64))
        is_entry = first & np.uint64(0xFF) != 0
        self._point(Rule.ONE, entry, edges[is_entry])
        self._point(Rule.ONE, inner, edges[~is_entry])

    # Long chains

    def _chase(self, shape: int, nodes: Ints) -> Ints:
        """Follow pointers from the shape to itself, as far as they go: linked lists.

        Returns the nodes with all that got the same shape on the way.
        """
        rules, shapes = self._shapes[shape].rules
        own = np.flatnonzero((rules == Rule.ONE) & (shapes == shape))
        if not len(own):
            return nodes
        found = [nodes]
        for word in own.tolist():
            found.append(self._along(np.concatenate(found), self._links(shape, word), shape))
        return np.concatenate(found)

    def _links(self, shape: int, word: int) -> Ids:
        """For every object that may have the shape, the one that its word points at; the number
        of objects where that is none."""
        key = (shape, word)
        if key not in self._steps:
            graph, fits = self._graph, self._may_be(shape, True)
            span, lead = self._objects.span, self._lead // _WORD
            rows = np.flatnonzero(fits[span])
            step = np.full(self._n + 1, self._n, np.int32)
            for start in range(0, len(rows), _AT_ONCE):
                edges, source = self._edges_of(rows[start : start + _AT_ONCE])
                to = graph.target[edges]
                good = graph.offset[edges] == (word + lead[span[source]])
                good &= fits[span[to]] & (graph.into[edges] == self._lead[span[to]])
                step[source[good]] = to[good]
            self._steps[key] = step
        return self._steps[key]

    def _along(self, nodes: Ints, step: Ids, shape: int) -> Ints:
        """All that lies on the chains that begin at `nodes`, found by doubling the steps."""
        nodes = nodes[nodes < self._n]
        reached = np.zeros(self._n + 1, bool)
        reached[self._n] = True
        now = different(step[nodes].astype(np.int64), self._n + 1)
        now = now[now < self._n]
        now = now[self.shape[now] == 0]
        reached[now] = True
        jump, members = step, now
        while len(now):
            now = jump[members].astype(np.int64)
            now = different(now[~reached[now]], self._n + 1)
            reached[now] = True
            members = np.concatenate((members, now))
            jump = jump[jump]
        fresh: Ints = members[self.shape[members] == 0]
        self.shape[fresh] = shape
        return fresh


def different(nodes: Ints, count: int) -> Ints:
    """The different ones of some numbers below `count`, ascending."""
    if len(nodes) > count // _SPARSE:
        marks = np.zeros(count, bool)
        marks[nodes] = True
        return np.flatnonzero(marks).astype(np.int64)
    ordered = np.sort(nodes)
    new = np.ones(len(ordered), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return ordered[new]


def _groups(keys: NDArray[np.generic], order: Ints) -> list[tuple[int, Ints]]:
    """(key, rows) for each different key; `order` sorts the keys."""
    if not len(order):
        return []
    ordered = keys[order]
    cuts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    parts = np.split(order, cuts)
    return [(int(keys[rows[0]]), rows) for rows in parts]
