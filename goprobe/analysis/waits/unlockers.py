"""Who else may unlock what goroutines wait for, though another has locked it: any goroutine may
unlock what another has locked (sync.Mutex), and what it calls for that may be a value.

Looked at is what may run: its function values (a method value `mu.Unlock`, a closure that a timer,
a context or a variable has), its interfaces (a sync.Locker), and what goroutines that can go on may
call yet. Of each that unlocks what it has not locked it is asked whether it leads to the lock. That
is more than will ever happen: what is meant here is that nobody knows.

Source: src/runtime/runtime2.go (funcval, itab), Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set as AbstractSet
from functools import cached_property, lru_cache
from itertools import takewhile

import msgspec
import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.leaks import Leaks
from goprobe.analysis.heap.names import Names
from goprobe.analysis.heap.reach import START, UNREACHED, reach
from goprobe.analysis.waits.locks import CONDITION, value_around
from goprobe.analysis.waits.unlockcode import ANY, CAPTURED, UnlockCode
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import read_available
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.heap.edges import leading_to
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.roots.groups import RootKind
from goprobe.runtime.stacks.stacks import Stacks

_WORD = 8
_METHODS = 24  # where an itab's methods begin: inter, _type, hash
_MOST_METHODS = 64
_MOST_VALUES = 1 << 17
_MOST_STACK = 1 << 20  # bytes
_MOST_WALKED = 5000
_OF_LOCKS = ("sync.(*Mutex).", "sync.(*RWMutex).", "sync.(*rlocker).")
_WITHIN = 1 << 16  # bytes that a variable may go on behind where a pointer leads to it


class Value(msgspec.Struct, frozen=True):
    """A function: its name, the locks that it may unlock (unlockcode.py), and whether it is told of
    them by the word behind the value alone."""

    name: str
    places: frozenset[int]
    told: bool


class Unlocker(msgspec.Struct, frozen=True):
    """`node` is the object from which it leads to locks (negative: none), `places` are those that
    it names itself, ANY or CAPTURED; `given` is the address that it will be called for, 0 where
    that is not known."""

    what: str
    node: int
    places: frozenset[int]
    given: int = 0


class Unlockers:
    """Of one snapshot, where the goroutines of `stuck` cannot go on."""

    def __init__(
        self,
        graph: HeapGraph,
        leaks: Leaks,
        names: Names,
        code: UnlockCode,
        stuck: AbstractSet[int],
    ) -> None:
        self._graph, self._leaks, self._names, self._code = graph, leaks, names, code
        self._stuck = stuck
        self._value = lru_cache(maxsize=None)(self._read_value)

    def of(self, locks: Mapping[int, int]) -> Mapping[int, str]:
        """Of locks, with the node that each lies in, who may unlock it; none of what nobody else
        may, as far as that can be seen."""
        return {
            address: why for address, node in locks.items() if (why := self._who(address, node))
        }

    def _who(self, address: int, node: int) -> str:
        by_static = (u.what for u in self._found if _may_have(u, address, static=node < 0))
        if who := next(by_static, ""):
            return who
        if node < 0 or self._led[node] == UNREACHED:
            return ""
        at = node
        while (edge := int(self._led[at])) != START:
            at = self._graph.nodes.source_of(edge)
        by_node = (u.what for u in self._found if u.node == at and u.places & _TOLD)
        by_variables = (u.what for u in self._found if ANY in u.places and not u.given)
        return next(by_node, "") or next(by_variables, "")

    @cached_property
    def _led(self) -> Ints:
        """By which way nodes are reached from those that unlock what they are told of, and from
        package-level variables where any may take it from there."""
        nodes, n = self._graph.nodes, len(self._graph.objects)
        starts = {u.node for u in self._found if u.node >= 0 and u.places & _TOLD}
        if any(ANY in u.places and not u.given for u in self._found):
            kinds = enumerate(nodes.groups)
            starts |= {n + i for i, group in kinds if group.kind is RootKind.GLOBAL}
        return reach(nodes.first, self._target, np.array(sorted(starts), np.int32)).via

    @cached_property
    def _target(self) -> Ids:
        """Where pointers lead to, but for those to goroutines, and to what leads from any timer to
        all others (time.go, timers.heap)."""
        known = [g.address for g in self._graph.world.goroutines.known if not g.dead]
        return self._without([*known, *self._graph.world.goroutines.processors])

    def _without(self, addresses: Iterable[int]) -> Ids:
        """Where pointers lead to, but for those to some objects, and to what goroutines hang in:
        that one waits is no way to it."""
        graph, nodes = self._graph, self._graph.nodes
        objects, _ = graph.resolve(np.array(list(addresses), np.uint64))
        shut = np.zeros(len(nodes), np.bool_)
        shut[self._leaks.waits.sudogs()] = True
        shut[objects[objects >= 0]] = True
        target: Ids = nodes.target.copy()
        edges = leading_to(target, shut)
        target[edges] = nodes.sources_of(edges)
        return target

    @cached_property
    def _live(self) -> Ints:
        """By which way nodes are reached from what may run."""
        leaks, first = self._leaks, self._graph.nodes.first
        known = {g.id: g.address for g in self._graph.world.goroutines.known if not g.dead}
        target = self._without(at for number, at in known.items() if number in self._stuck)
        starts = [leaks.stacks.others]
        rows = [row for number, row in leaks.rows.items() if number not in self._stuck]
        starts += [leaks.stacks.own(row) for row in rows]
        return reach(first, target, np.concatenate(starts).astype(np.int32)).via

    @cached_property
    def _running(self) -> tuple[Goroutine, ...]:
        every = self._graph.world.goroutines.known
        return tuple(g for g in every if not g.dead and g.high > g.low and g.id not in self._stuck)

    @cached_property
    def _found(self) -> tuple[Unlocker, ...]:
        self._graph.progress("looking for who else may unlock what goroutines wait for")
        return (*self._of_goroutines(), *self._on_stacks(), *self._of_values())

    # What goroutines may call yet

    def _of_goroutines(self) -> Iterator[Unlocker]:
        stacks = Stacks(self._graph.world)
        for number, g in enumerate(self._running):
            if number >= _MOST_WALKED:
                yield Unlocker("goroutines that were not looked at: there are too many", -1, _TOLD)
                return
            for frame in stacks.of_goroutine(g).frames:
                places = self._code.may_give_yet(frame)
                if not places:
                    continue
                what = f"goroutine {g.id}, in {frame.function}"
                yield Unlocker(what, -1, places)
                if places & _TOLD:
                    yield from (Unlocker(what, node, _TOLD) for node in self._led_to(g))

    def _led_to(self, g: Goroutine) -> Iterable[int]:
        """The objects that a goroutine's stack leads to."""
        row = self._leaks.rows.get(g.id)
        if row is not None:
            return {int(node) for node in self._leaks.stacks.own(row)}
        words = self._stack(g)
        nodes, _ = self._graph.resolve(words)
        return {int(node) for node in nodes[nodes >= 0]}

    def _stack(self, g: Goroutine) -> Words:
        low = Stacks(self._graph.world).stack_pointer(g) & -_WORD
        if not g.low <= low < g.high:
            low = g.low
        return self._words(low, min(g.high - low, _MOST_STACK))

    def _words(self, low: int, size: int) -> Words:
        raw = read_available(self._graph.world.memory, low, size)
        return np.frombuffer(raw, np.uint64, len(raw) // _WORD)

    # Values

    def _of_values(self) -> Iterator[Unlocker]:
        for words, addresses in self._stretches():
            if not len(words):
                continue
            low, high = self._image
            near = np.flatnonzero((words >= low) & (words < high))
            if not len(near):
                continue
            values, which = np.unique(words[near], return_inverse=True)
            known = [self._value(value) for value in values.tolist()]
            unlocks = np.array([made is not None for made in known], np.bool_)
            for at in near[unlocks[which]].tolist():
                behind = int(words[at + 1]) if at + 1 < len(words) else 0
                yield from self._by_value(int(words[at]), int(addresses(at)), behind)

    def _by_value(self, value: int, place: int, behind: int) -> Iterator[Unlocker]:
        made = self._value(value)
        if made is None or self._is_condition(place):
            return
        node = self._graph.node_at(place)
        if node >= 0 and (self._live[node] == UNREACHED or node in self._goroutines):
            return
        if self._code.is_entry(value) and (node < 0 or self._graph.address(node) != place):
            return  # no closure, which begins with its code
        if not made.told:
            yield Unlocker(made.name, node, made.places)
        elif behind:
            yield self._told(made, behind)

    @cached_property
    def _goroutines(self) -> frozenset[int]:
        """The gs, which keep what they began with."""
        addresses = [g.address for g in self._graph.world.goroutines.known]
        nodes, _ = self._graph.resolve(np.array(addresses, np.uint64))
        return frozenset(nodes[nodes >= 0].tolist())

    def _told(self, made: Value, given: int) -> Unlocker:
        """It leads on from what it is called for, where that is more than a lock."""
        node = -1 if made.name.startswith(_OF_LOCKS) else self._graph.node_at(given)
        return Unlocker(made.name, node, made.places, given)

    def _is_condition(self, place: int) -> bool:
        """Whether that is the lock of a sync.Cond, which lets go of it only for who has it."""
        node = self._graph.node_at(place)
        debug = self._graph.world.program.debug
        if node < 0 or not debug.present:
            return False
        _, go_type, at = self._names.value_at(node, place)
        return go_type is not None and value_around(debug.types, go_type, at)[1] == CONDITION

    def _stretches(self) -> Iterator[tuple[Words, Callable[[int], int]]]:
        """All words that may be such values, with where each lies."""
        graph, heap = self._graph, self._graph.snapshot.words
        for part in heap.parts():
            words = heap.words[part.low : part.high]
            yield words, _InHeap(graph, part.low)
        for module in graph.world.modules:
            for section in ("data", "bss", "noptrdata", "noptrbss"):
                low, high = module.span(section)
                yield self._words(low, max(high - low, 0)), _Behind(low)

    def _on_stacks(self) -> Iterator[Unlocker]:
        """Interfaces there; function values are objects, or what the frame's code calls."""
        low, high = self._image
        for g in self._running:
            words = self._stack(g)
            for at in np.flatnonzero((words[:-1] >= low) & (words[:-1] < high)).tolist():
                made = self._value(int(words[at]))
                if made is not None and made.told and not self._code.is_entry(int(words[at])):
                    yield self._told(made, int(words[at + 1]))

    @cached_property
    def _image(self) -> tuple[int, int]:
        """[low, high) of the program's own code and data."""
        low = [m.span(section)[0] for m in self._graph.world.modules for section in _SECTIONS]
        high = [m.span(section)[1] for m in self._graph.world.modules for section in _SECTIONS]
        return min(filter(None, low), default=0), max(high, default=0)

    def _read_value(self, value: int) -> Value | None:
        """Of a word that may be the code of a closure, lead to a function value that is static, or
        to an itab; None where it is neither, or does not unlock what it has not locked."""
        code = self._code
        if self._value.cache_info().currsize > _MOST_VALUES:
            return None
        if value % _WORD and not code.is_entry(value):
            return None
        if code.is_entry(value):
            return self._function(value, told=code.is_method_value(value))
        head = self._words(value, _METHODS + _MOST_METHODS * _WORD)
        if not len(head):
            return None
        if code.is_entry(int(head[0])):
            return self._function(int(head[0]), told=False)
        low, high = self._image
        if len(head) <= 3 or not all(low <= int(word) < high for word in head[:2]):
            return None
        methods = takewhile(code.is_entry, head[3:].tolist())
        return next(filter(None, (self._function(m, told=True) for m in methods)), None)

    def _function(self, entry: int, *, told: bool) -> Value | None:
        places = self._code.given_places(entry)
        return Value(self._code.name(entry), places, told) if places else None


def _may_have(unlocker: Unlocker, address: int, *, static: bool) -> bool:
    """Whether it names a lock itself, or may be told of one that is no object of the heap."""
    if address in unlocker.places:
        return True
    if unlocker.what.startswith(_OF_LOCKS) and unlocker.given:
        return address == unlocker.given
    near = not unlocker.given or 0 <= address - unlocker.given < _WITHIN
    return static and bool(unlocker.places & _TOLD) and near


_TOLD = frozenset({ANY, CAPTURED})
_SECTIONS = ("text", "rodata", "data", "bss", "noptrdata", "noptrbss")


class _Behind:
    def __init__(self, low: int) -> None:
        self._low = low

    def __call__(self, at: int) -> int:
        return self._low + at * _WORD


class _InHeap:
    def __init__(self, graph: HeapGraph, low: int) -> None:
        self._graph, self._low = graph, low

    def __call__(self, at: int) -> int:
        words, number = self._graph.snapshot.words, self._low + at
        row = int(words.owner[number // words.page_words])
        base = int(self._graph.snapshot.spans.base[row])
        return base + (number - int(words.start[row])) * _WORD
