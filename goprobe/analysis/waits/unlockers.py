"""Who else may unlock what goroutines wait for, though another has locked it: any goroutine may
unlock what another has locked (sync.Mutex), and what it calls for that may be a value. So may any
call Done for a wait group.

Looked at is what may run: its function values (a method value `mu.Unlock`, a closure that a timer,
a context, a finalizer or a variable has), its interfaces (a sync.Locker), and what goroutines that
can go on may call or make yet. Of each that unlocks what it has not locked it is asked whether it
leads to the lock. That is more than will ever happen: what is meant here is that nobody knows.

Source: src/runtime/runtime2.go (funcval, itab), Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set as AbstractSet
from functools import cached_property

import msgspec
import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.leaks import Leaks
from goprobe.analysis.heap.names import Names
from goprobe.analysis.heap.reach import START, UNREACHED, reach
from goprobe.analysis.waits.locks import CONDITION, value_around
from goprobe.analysis.waits.unlockcode import ANY, TOLD, UnlockCode, Value
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import read_available
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.heap.edges import leading_to
from goprobe.runtime.heap.grouping import distinct
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.roots.groups import RootKind
from goprobe.runtime.stacks.stacks import Stacks

_WORD = 8
_MOST_STACK = 1 << 20  # bytes
_CHUNK = 1 << 24
_MOST_WALKED = 5000
_OF_LOCKS = ("sync.(*Mutex).", "sync.(*RWMutex).", "sync.(*rlocker).", "sync.(*WaitGroup).")
_WITHIN = 1 << 16  # bytes that a variable may go on behind where a pointer leads to it


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
        if node < 0:
            return ""
        if self._live[node] != UNREACHED:  # any may be given it, by whom it has it
            by_any = (u.what for u in self._found if ANY in u.places and not u.given)
            if who := next(by_any, ""):
                return who
        if self._led[node] == UNREACHED:
            return ""
        at = node
        while (edge := int(self._led[at])) != START:
            at = self._graph.nodes.source_of(edge)
        return next((u.what for u in self._found if u.node == at and u.places & TOLD), "")

    @cached_property
    def _led(self) -> Ints:
        """By which way nodes are reached from those that unlock what they are told of."""
        nodes = self._graph.nodes
        starts = {u.node for u in self._found if u.node >= 0 and u.places & TOLD}
        return reach(nodes.first, self._target, np.array(sorted(starts), np.int32)).via

    @cached_property
    def _target(self) -> Ids:
        """Where pointers lead to, but for those to goroutines, and to what leads from any timer to
        all others (time.go, timers.heap)."""
        known = [g.address for g in self._graph.world.goroutines.alive]
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
        known = {g.id: g.address for g in self._graph.world.goroutines.alive}
        target = self._without(at for number, at in known.items() if number in self._stuck)
        starts = [leaks.stacks.others]
        rows = [row for number, row in leaks.candidates.rows.items() if number not in self._stuck]
        starts += [leaks.stacks.own(row) for row in rows]
        return reach(first, target, np.concatenate(starts).astype(np.int32)).via

    @cached_property
    def _running(self) -> tuple[Goroutine, ...]:
        every = self._graph.world.goroutines.alive
        return tuple(g for g in every if g.high > g.low and g.id not in self._stuck)

    @cached_property
    def _found(self) -> tuple[Unlocker, ...]:
        self._graph.progress("looking for who else may unlock what goroutines wait for")
        values = (*self._of_values(), *self._of_finalizers())
        return (*self._of_goroutines(), *self._on_stacks(), *values)

    # What goroutines may call yet

    def _of_goroutines(self) -> Iterator[Unlocker]:
        stacks = Stacks(self._graph.world)
        for number, g in enumerate(self._running):
            if number >= _MOST_WALKED:
                yield Unlocker("goroutines that were not looked at: there are too many", -1, TOLD)
                return
            for frame in stacks.of_goroutine(g).frames:
                places = self._code.may_give_yet(frame)
                if not places:
                    continue
                what = f"goroutine {g.id}, in {frame.function}"
                yield Unlocker(what, -1, places)
                if places & TOLD:
                    yield from (Unlocker(what, node, TOLD) for node in self._led_to(g))

    def _led_to(self, g: Goroutine) -> Iterable[int]:
        """The objects that a goroutine's stack leads to."""
        row = self._leaks.candidates.rows.get(g.id)
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
            low, high = self._code.image
            near = np.flatnonzero((words >= low) & (words < high))
            if not len(near):
                continue
            values, which = np.unique(words[near], return_inverse=True)
            known = [self._code.value(value) for value in values.tolist()]
            unlocks = np.array([made is not None for made in known], np.bool_)
            for at in near[unlocks[which]].tolist():
                behind = int(words[at + 1]) if at + 1 < len(words) else 0
                yield from self._by_value(int(words[at]), int(addresses(at)), behind)

    def _by_value(self, value: int, place: int, behind: int) -> Iterator[Unlocker]:
        made = self._code.value(value)
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
            for section in ("data", "bss"):  # in noptrdata and noptrbss there are no pointers
                low, high = module.span(section)
                for at in range(low, high, _CHUNK):
                    # One word more: what stands behind the last is of the next part.
                    yield self._words(at, min(_CHUNK + _WORD, high - at)), _Behind(at)

    def _of_finalizers(self) -> Iterator[Unlocker]:
        """Function values that are static, of finalizers and cleanups; others are objects."""
        roots = self._graph.snapshot.noted()
        kinds = [group.kind in (RootKind.FINALIZER, RootKind.CLEANUP) for group in roots.groups]
        for part in roots.parts():
            chosen = part.values[np.array(kinds, np.bool_)[part.owners]]
            for value in distinct(chosen).tolist():
                made = self._code.value(value)
                if made is not None and not self._code.is_entry(value):
                    yield Unlocker(made.name, -1, made.places)

    def _on_stacks(self) -> Iterator[Unlocker]:
        """Interfaces there; function values are objects, or what the frame's code calls."""
        low, high = self._code.image
        for g in self._running:
            words = self._stack(g)
            for at in np.flatnonzero((words[:-1] >= low) & (words[:-1] < high)).tolist():
                made = self._code.value(int(words[at]))
                if made is not None and made.told and not self._code.is_entry(int(words[at])):
                    yield self._told(made, int(words[at + 1]))


def _may_have(unlocker: Unlocker, address: int, *, static: bool) -> bool:
    """Whether it names a lock itself, or may be told of one that is no object of the heap."""
    if address in unlocker.places:
        return True
    if unlocker.what.startswith(_OF_LOCKS) and unlocker.given:
        return address == unlocker.given
    near = not unlocker.given or 0 <= address - unlocker.given < _WITHIN
    return static and bool(unlocker.places & TOLD) and near


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
