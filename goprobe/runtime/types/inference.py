"""The type of every object, as far as anything in the process tells it.

Types come from the headers of objects over 512 bytes, and flow along pointers from typed roots
(package-level variables, variables of frames) and closures; interfaces say the types of their
values themselves. What a pointer says is true of what it points at, and that may be a part: a
struct's first field and an array's first element begin where the whole does. So a pointer's type is
taken for the whole object's where that gets a slot of this size, until a pointer to more is found;
what is then known of a part only is settled by what the part can be in (`wholes`), else the object
is said to hold the part.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.process.memory.copies import Words
from goprobe.runtime.heap.grouping import different, groups, numbers
from goprobe.runtime.heap.objects import Ids, parts_of
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.types.carried import carried
from goprobe.runtime.types.directories import led_to
from goprobe.runtime.types.doubts import Doubts
from goprobe.runtime.types.flow import HELD_NOWHERE, Stream
from goprobe.runtime.types.heapview import HeapView
from goprobe.runtime.types.lonewords import alone, closures, interfaces, type_of_itab
from goprobe.runtime.types.mapheaders import map_headers
from goprobe.runtime.types.parts import ObjectParts, by_elements
from goprobe.runtime.types.reflected import reflected
from goprobe.runtime.types.shape import Rule
from goprobe.runtime.types.shapes import Shapes
from goprobe.runtime.types.usedroots import used_roots

_WORD = 8
_AT_ONCE = 1 << 19  # edges


class Typing(msgspec.Struct, frozen=True):
    """`shape` is each object's (0: not known). `inner`: known by a pointer to a part of it only;
    its shape says which part it holds."""

    shape: Ids
    inner: NDArray[np.bool_]


class Typist:
    """Finds the types of all objects of one snapshot."""

    def __init__(self, view: HeapView, shapes: Shapes) -> None:
        self._view = view
        self._shapes = shapes
        self.shape = np.zeros(view.n + len(view.roots.shapes) + 1, np.int32)
        self.sure = np.zeros(view.n, bool)
        self._parts = ObjectParts(view.n)
        self._doubts = Doubts(view, shapes, self._parts, self.shape, self.sure)
        self._stream = Stream(view, shapes, self.shape, self.sure, self._parts)
        self._pending: dict[int, list[Ints]] = {}
        self._later: list[tuple[int, Ints]] = []
        self._vague: list[tuple[Ints, int]] | None = []

    # What may be what

    def _outranks(self, shape: int, old: int) -> bool:
        """Whether a pointer that says `shape` says more than one that says `old`."""
        one, other = self._shapes.is_special(shape), self._shapes.is_special(old)
        if one or other:
            return one and not other
        return self._shapes.begins_with(shape, old)

    # The flow

    def seed(self, nodes: Ints, rtypes: Words) -> None:
        """Objects that carry their own type.

        The inner parts of maps have types that say less than the map's own: they wait until the
        map has had its say.
        """
        told = carried(self._view, self._shapes, nodes, rtypes)
        self._later += told.parts
        for some in told.closures:
            self._run_code(some)
        self._assign_surely(*told.single)
        for shape, some in told.others:
            self._assign(some, shape, sure=True)

    def known(self, nodes: Ints, shape: int) -> None:
        """Objects of which the runtime itself says that they begin with a value of a shape."""
        if shape and len(nodes):
            self._assign(nodes[self._view.may_be(self._shapes[shape], nodes)], shape)

    def run(self) -> Typing:
        nodes = np.flatnonzero(self._view.roots.shapes) + self._view.roots.base
        self.shape[nodes] = self._view.roots.shapes[nodes - self._view.roots.base]
        self._wait(nodes)
        self._flow()
        for rtype, carriers in self._later:
            self._assign(carriers, self._shapes.part_of_map(rtype))
        self._settle()
        for rtype, edges, source in interfaces(self._view, self.shape):
            self._holds_value(rtype, edges, source)
        self._run_code(closures(self._view, self.shape))
        self._settle()
        for meaning, edges, source in used_roots(self._view, self.shape):
            self._apply(*meaning, edges, source)
        self._settle()
        for number, headers in list(map_headers(self._view, self._shapes, self.shape)):
            self._assign(headers, number)
        self._settle()
        self._by_pointer_words()
        self._settle()
        for number, nodes, _, _ in self._parts.arrays:
            self._assign(nodes[self.shape[nodes] == 0], number)
        self._settle()
        vague, self._vague = self._vague or [], None
        self._stream.has_generic()
        for carriers, number in vague:
            for some, told in by_elements(self._shapes, self._parts, carriers, number):
                self._assign(some, told)
        self._settle()
        return Typing(*self._doubts.told())

    def _settle(self) -> None:
        """Go on until neither whole objects nor parts of them tell anything new."""
        self._flow()
        while fresh := self._parts.taken(self.shape):
            nodes = different(np.concatenate([nodes for _, nodes, _, _ in fresh]), self._view.n)
            deduced = self._doubts.deduced(nodes)
            for shape, rows in deduced:
                self._assign(rows, shape)
            self._stream.know_parts(fresh, deduced)
            for shape, nodes, into, length in fresh:
                left = np.flatnonzero(~self._view.of_user_arenas(nodes) & (self.shape[nodes] == 0))
                for some in (left[part] for part in parts_of(len(left))):
                    self._spread_part(shape, nodes[some], into[some], length[some])
            self._flow()

    def _flow(self) -> None:
        while self._pending:
            nodes = [nodes for parts in self._pending.values() for nodes in parts]
            if self._stream.takes(sum(map(len, nodes))):
                self._pending.clear()
                for rule, shape, edges, source in self._stream.follow(np.concatenate(nodes)):
                    self._apply(rule, shape, edges, source)
                self._wait(self._stream.left())
                continue
            shape = max(self._pending, key=lambda s: sum(map(len, self._pending[s])))
            parts = self._pending.pop(shape)
            self._spread(shape, np.concatenate(parts) if len(parts) > 1 else parts[0])

    def _wait(self, nodes: Ints) -> None:
        """Nodes that have got a shape, whose pointers are followed later."""
        shapes = self.shape[nodes]
        for shape, rows in groups(shapes, np.argsort(shapes, kind="stable")):
            self._pending.setdefault(shape, []).append(nodes[rows])

    def _assign(self, nodes: Ints, shape: int, *, sure: bool = False) -> None:
        """Give a shape to those nodes that have none, or one that says less. What is vague, as what
        generic code calls it, waits until all else has had its say."""
        if not shape or not len(nodes):
            return
        if self._vague is not None and self._shapes.is_vague(shape):
            self._vague.append((nodes, shape))
            return
        have = self.shape[nodes]
        take = have == 0
        other = np.flatnonzero(~take & (have != shape))
        other = other[~self.sure[nodes[other]]]
        for old in numbers(have[other]):
            rows = other[have[other] == old]
            if sure or self._outranks(shape, old):
                take[rows] = True
            else:
                self._doubts.contradict(nodes[rows], old, shape)
        fresh = different(nodes[take], len(self.shape))
        if len(fresh):
            self.shape[fresh] = shape
            self._pending.setdefault(shape, []).append(fresh.astype(np.int64))
        if sure:
            self.sure[nodes[self.shape[nodes] == shape]] = True

    def _assign_surely(self, nodes: Ints, shapes: Ids) -> None:
        """Give each of some objects a shape of its own, which says enough and is certain."""
        fresh = (self.shape[nodes] != shapes) & ((self.shape[nodes] == 0) | ~self.sure[nodes])
        self.shape[nodes[fresh]] = shapes[fresh]
        self._wait(nodes[fresh])
        self.sure[nodes[self.shape[nodes] == shapes]] = True

    def _spread(self, shape: int, nodes: Ints) -> None:
        """Follow the pointers of nodes that have just got a shape."""
        if not self._shapes[shape].rules[0].any():
            return
        for some in self._view.graph.in_batches(nodes, _AT_ONCE):
            self._spread_part(shape, some)

    def _spread_part(
        self, shape: int, nodes: Ints, into: Ints | None = None, length: Ints | None = None
    ) -> None:
        """Follow the pointers of values of a shape: whole nodes, or `length` bytes of them from
        `into` on."""
        about = self._shapes[shape]
        rules, shapes = about.rules
        if not len(nodes):
            return
        begin = self._view.lead_words(nodes)
        if into is None or length is None:
            edges, row = self._view.graph.edges_of(nodes)
        else:
            begin += into // _WORD
            length = np.where(into % _WORD == 0, length // _WORD, 0)
            edges, row = self._view.graph.edges_within(nodes, begin, begin + length)
        source = nodes[row]
        at = self._view.graph.offset[edges].astype(np.int64) - begin[row]
        known = at >= 0
        if about.words:
            known &= at < self._view.whole_words(source, about.words)
            at %= about.words
        known &= at < len(rules)
        edges, source, at = edges[known], source[known], at[known]
        order = np.argsort(at, kind="stable")
        for word, rows in groups(at, order):
            rule, to = Rule(int(rules[word])), int(shapes[word])
            if rule is not Rule.NOTHING:
                self._apply(rule, to, edges[rows], source[rows])

    def _apply(self, rule: Rule, shape: int, edges: Ints, source: Ints) -> None:
        match rule:
            case Rule.ONE | Rule.ARRAY | Rule.ANY | Rule.TEXT:
                self._point(rule, shape, edges)
            case Rule.SLICE:
                self._slices(shape, edges, source)
            case Rule.EFACE | Rule.IFACE:
                self._interfaces(rule, edges, source)
            case Rule.FUNC:
                self._closures(edges)
            case Rule.CHAN:
                self._channels(edges)
            case Rule.DIRECTORY:
                self._directories(shape, edges, source)
            case Rule.TRIE:
                self._trie(shape, edges)
            case Rule.REFLECTED:
                for key, meaning, some in reflected(self._view, self._shapes, edges, source):
                    self._apply(*meaning, edges[some], source[some])
                    self._stream.know_reflected(key, meaning)

    def _unsure(self, edges: Ints) -> tuple[Ints, Ints, Ints]:
        """Edges to targets of no settled type, those targets, how far into them they lead."""
        target = self._view.graph.target[edges].astype(np.int64)
        open_ = ~self.sure[target]
        edges, target = edges[open_], target[open_]
        lead = self._view.lead[self._view.objects.span[target]]
        return edges, target, self._view.graph.into[edges].astype(np.int64) - lead

    def _point(self, rule: Rule, shape: int, edges: Ints, *, sure: bool = False) -> None:
        if not shape:
            return
        edges, target, into = self._unsure(edges)
        span, about = self._view.objects.span[target], self._shapes[shape]
        if rule is Rule.ANY:
            self._assign(target[into == 0], shape, sure=True)
        elif rule is Rule.TEXT:
            self._assign(target[(into >= 0) & self._view.noscan[span]], shape)
        elif rule is Rule.ARRAY:
            good = (into >= 0) & (into % max(about.size, 1) == 0)
            good &= (self._view.noscan[span] != about.pointers) & (
                about.size <= self._view.room[span]
            )
            self._assign(target[good], shape, sure=True)
        else:
            good = (into == 0) & self._view.may_be(about, target)
            large = about.size >= self._parts.extent[target]
            if sure:  # an interface's value was allocated by itself; others may lie behind it
                large |= self._view.shared[span]
            good &= large
            self._assign(target[good], shape, sure=sure)
            self._holds(shape, target[~good], into[~good], about.size)

    def _slices(self, shape: int, edges: Ints, source: Ints) -> None:
        """Arrays behind slices: one that reaches to the end of the slot is all there is. Two words
        on stands how far it reaches."""
        open_ = ~self.sure[self._view.graph.target[edges]]
        edges, source = edges[open_], source[open_]
        room = self._view.word_before(edges, source, 2)
        edges, target, into = self._unsure(edges)
        about, span = self._shapes[shape], self._view.objects.span[target]
        size = max(about.size, 1)
        count = np.minimum(room, np.uint64(1 << 47) // np.uint64(size)).astype(np.int64)
        end = into + np.maximum(count, 1) * size  # of no capacity: s[n:], which begins where s does
        sane = (into >= 0) & (end <= self._view.room[span])
        whole = sane & (into % size == 0) & (end > self._view.below[span])
        whole &= (self._view.noscan[span] != about.pointers) & (end >= self._parts.extent[target])
        tiny = sane & self._view.shared[span]
        # What lies before the first element may be of another type: such arrays are taken for all
        # that there is when nothing else is known in the end.
        begun = (into == 0) | ~np.bool_(about.pointers)
        self._assign(target[whole & begun | tiny], shape)
        self._parts.reach(shape, target[whole], into[whole], end[whole] - into[whole])
        rest = sane & ~(whole & begun | tiny)
        self._holds(shape, target[rest], into[rest], (end - into)[rest])

    def _holds(self, shape: int, target: Ints, into: Ints, length: Ints | int) -> None:
        """Remember parts. What was taken for a whole, and is smaller than what it holds, is a
        part itself."""
        if self._shapes.is_vague(shape):
            return
        end = into + length
        sane = (into >= 0) & (end <= self._view.room[self._view.objects.span[target]])
        target, into, end = target[sane], into[sane], end[sane]
        self._parts.note(shape, target, into, length if isinstance(length, int) else end - into)
        have = self.shape[target]
        for old in numbers(have[have != 0]):
            size = self._shapes[old].size
            if self._shapes.is_array(old) or self._shapes.is_special(old):
                continue
            small = (have == old) & (end > size) & ~self.sure[target]
            short = different(target[small], self._view.n)
            self.shape[short] = 0
            self._parts.note(old, short, np.zeros(len(short), np.int64), size)

    # Interfaces, closures, maps

    def _interfaces(self, rule: Rule, edges: Ints, source: Ints) -> None:
        tables = self._view.word_before(edges, source, -1)
        for table, rows in groups(tables, np.argsort(tables, kind="stable")):
            rtype = type_of_itab(self._view, table) if rule is Rule.IFACE else table
            key = table | 1 if rule is Rule.IFACE else table
            if rtype:
                self._holds_value(rtype, edges[rows], source[rows])
            self._stream.know_interface(key, rtype)

    def _holds_value(self, rtype: int, edges: Ints, source: Ints) -> None:
        """The data words of interfaces that hold a value of a type."""
        direct = self._shapes.held_directly(rtype)
        if direct is None:  # a copy of its own of the value
            self._point(Rule.ONE, self._shapes.of_rtype(rtype), edges, sure=True)
        elif direct[0] not in HELD_NOWHERE:
            self._apply(direct[0], direct[1], edges, source)

    def _closures(self, edges: Ints) -> None:
        target = self._view.graph.target[edges].astype(np.int64)
        span = self._view.objects.span[target]
        fresh = ~self.sure[target] & (self._view.graph.into[edges] == self._view.lead[span])
        self._run_code(different(target[fresh], self._view.n))

    def _run_code(self, nodes: Ints) -> None:
        """The types of closures, by the code that their first words lead to."""
        code = self._view.words_at(nodes, 0)
        for entry, rows in groups(code, np.argsort(code, kind="stable")):
            function = entry and self._view.witnesses.is_function(entry)
            shape = self._shapes.closure(entry) if function else 0
            self._assign(nodes[rows], shape, sure=True)
            self._stream.know(~entry, Rule.ANY, shape)

    def _by_pointer_words(self) -> None:
        """Objects that nothing tells of, by what alone has pointers where they do."""
        maps: list[Ints] = []
        for whole, nodes in alone(self._view, self.shape, self._parts.shape):
            if self._shapes.is_channel(whole):
                self._carry(nodes)
            elif self._shapes.is_map(whole):
                maps.append(nodes)
            else:
                self._assign(nodes, self._shapes.alone(whole))
        for headers in maps:
            self._maps(headers)

    def _maps(self, headers: Ints) -> None:
        """Maps of which that alone is known: their groups, or buckets, may say which."""
        edges, row = self._view.graph.edges_of(headers)
        parts = self.shape[self._view.graph.target[edges]]
        for part, rows in groups(parts, np.argsort(parts, kind="stable")):
            self._assign(headers[row[rows]], self._shapes.map_around(part) if part else 0)

    def _channels(self, edges: Ints) -> None:
        """What is known to be a channel only: its element's type is written in it."""
        edges, target, into = self._unsure(edges)
        self._carry(different(target[into == 0], self._view.n))

    def _carry(self, target: Ints) -> None:
        elements = self._view.words_at(target, self._view.witnesses.element_at)
        for element, rows in groups(elements, np.argsort(elements, kind="stable")):
            known = self._view.witnesses.catalog.row(element) >= 0
            shape = self._shapes.chan_of(element) if known else 0
            self._assign(target[rows], shape, sure=True)
            self._stream.know(~element, Rule.ANY, shape)

    def _directories(self, table: int, edges: Ints, source: Ints) -> None:
        directory, groups = self._shapes.group_of_table(table)
        of_tables, of_group = led_to(self._view, self._shapes[groups], edges, source)
        self._point(Rule.ARRAY, directory, edges[of_tables])
        self._point(Rule.ONE, groups, edges[of_group])

    def _trie(self, node: int, edges: Ints) -> None:
        """internal/sync.node: its only field, isEntry, tells entries from inner nodes."""
        inner, entry = self._shapes.trie_nodes(node)
        first = self._view.words_at(self._view.graph.target[edges].astype(np.int64), 0)
        is_entry = first & np.uint64(0xFF) != 0
        self._point(Rule.ONE, entry, edges[is_entry])
        self._point(Rule.ONE, inner, edges[~is_entry])
