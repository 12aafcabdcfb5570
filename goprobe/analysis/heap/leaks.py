"""Goroutines that can never run again: nothing that may run leads to what they wait on.

As the collector's own detector of leaks defines it (findGoroutineLeaks, src/runtime/mgc.go, Go 1.26
and 1.27): all is marked that globals, finalizers and the stacks of goroutines lead to which may
run; a blocked goroutine that waits on something marked may run, too, and so what its stack leads
to is marked; until no more are found. Here a blocked goroutine is a node of the graph behind what
it waits on, so that one search finds all of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set as AbstractSet
from functools import cached_property
from types import MappingProxyType

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.analysis.heap.blocked import Candidate, hanging, only_by_others
from goprobe.analysis.heap.candidates import Candidates
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.inhand import in_hand
from goprobe.analysis.heap.leakloops import ENDS, HIDES, WAITED_FOR, mark
from goprobe.analysis.heap.nodes import Nodes
from goprobe.analysis.heap.reach import START, UNREACHED, onward
from goprobe.analysis.heap.stackedges import StackEdges
from goprobe.analysis.heap.waits import Waits
from goprobe.model.attached import TypeHeld
from goprobe.process.memory.copies import Words
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.heap.edges import leading_to, ranges
from goprobe.runtime.heap.grouping import distinct
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.roots.groups import RootKind
from goprobe.runtime.roots.roots import joined

_MAIN = 1
_BITS = 32  # into an object
_WEAKLY = "what can run has a weak pointer by which it may come to what it waits on"

Doubt = Callable[[Sequence[Candidate]], Mapping[int, str]]
"""Of some lost goroutines, by their ids, why they may be reached by what is not looked at."""


class Leaks(msgspec.Struct, frozen=True, kw_only=True):
    """`lost` can never run again; of `unsure` that cannot be told, by their ids with the reason.
    `live` says of each object whether what may run leads to it, and not by way of the lost ones'
    `own` objects: their gs and what they hang in. `blocked` were looked at. `main`: the main
    goroutine can never run again, either, and is not among them."""

    blocked: int
    lost: tuple[Candidate, ...]
    main: bool
    unsure: Mapping[int, str]
    live: NDArray[np.bool_]
    own: Mapping[int, tuple[int, ...]]
    stacks: StackEdges
    waits: Waits
    candidates: Candidates
    """Those lost, and all others that hang in anything, in the rows of `stacks`."""


def find_leaks(
    graph: HeapGraph, on_group: Callable[[Goroutine], bool], doubt: Doubt = lambda lost: {}
) -> Leaks:
    """Which goroutines are lost. `on_group` says of one that waits for a semaphore whether that is
    a sync.WaitGroup's."""
    goroutines = hanging(graph)
    stacks = StackEdges(graph.nodes, goroutines)
    waits = Waits(graph, goroutines, stacks)
    by_others = only_by_others(graph, goroutines, on_group)
    candidates = Candidates(graph, goroutines, waits, by_others)
    unsure = candidates.unsure()
    hand = in_hand(graph.world)
    web = _Web(graph, candidates, waits.pairs(), waits.hidden(), stacks)
    while True:
        marked = web.search(unsure, hand.words)
        lost = [candidates.at(row) for row in np.flatnonzero(~marked[web.n :]).tolist()]
        more = {**web.weakly(marked, lost, unsure, hand.words), **doubt(lost)} if lost else {}
        if not more:
            break
        unsure |= more
    if why := _why_nothing_is_sure(graph) or hand.missing:
        unsure |= {c.g.id: why for c in lost if _told(c)}
        lost = []
    own = _own_nodes(graph, lost)
    live = web.search(unsure, hand.words, own) if lost else marked
    return Leaks(
        blocked=int(by_others.sum()),
        lost=tuple(c for c in lost if _told(c)),
        main=not all(map(_told, lost)),
        unsure=unsure,
        live=live[: web.n],
        own=own,
        stacks=stacks,
        waits=waits,
        candidates=candidates,
    )


def stuck(
    graph: HeapGraph, leaks: Leaks, blockers: Mapping[int, AbstractSet[int]]
) -> frozenset[int]:
    """The goroutines that cannot go on, lost ones among them, where each of `blockers` can only
    after all of those have: whatever else leads to the lock that it waits for."""
    hand = in_hand(graph.world)
    if hand.missing or _why_nothing_is_sure(graph):
        return frozenset()
    index = leaks.candidates.rows
    waited, whose = leaks.waits.pairs()
    kept = ~np.isin(whose, leaks.candidates.numbered(blockers))
    pairs = waited[kept], whose[kept]
    web = _Web(graph, leaks.candidates, pairs, leaks.waits.hidden(), leaks.stacks, blockers)
    free: dict[int, str] = dict(leaks.unsure)
    while True:
        marked = web.search(free, hand.words)
        more = {
            number: ""
            for number, needed in blockers.items()
            if number not in free
            and all(b not in index or marked[web.n + index[b]] for b in needed)
        }
        if not more:
            return frozenset(number for number, i in index.items() if not marked[web.n + i])
        free |= more


def _own_nodes(graph: HeapGraph, lost: Sequence[Candidate]) -> dict[int, tuple[int, ...]]:
    """By goroutine the objects that are its own: the g, and the sudogs that it waits by."""
    every = [(c.g.id, at) for c in lost for at in (c.g.address, *(w.sudog for w in c.waits))]
    nodes, _ = graph.resolve(np.array([at for _, at in every], np.uint64))
    own: dict[int, tuple[int, ...]] = {c.g.id: () for c in lost}
    for (number, _), node in zip(every, nodes.tolist(), strict=True):
        if node >= 0:
            own[number] += (node,)
    return own


def _told(candidate: Candidate) -> bool:
    """With the main goroutine a program would end: where that waits for ever (in `select {}`, on a
    channel that nobody else has), it is how the program stays. What only it leads to is lost, it
    itself is not told. (Of `select {}` alone findGoroutineLeaks has it so, Go 1.27.)"""
    return candidate.g.id != _MAIN


def _why_nothing_is_sure(graph: HeapGraph) -> str:
    if lost := graph.roots.lost:
        return f"not all that keeps objects alive is known: {lost[0]}"
    if not graph.world.goroutines.wait_reasons:
        return "what goroutines wait for was not found in this program"
    return ""


class _Web:
    """The heap's graph with blocked goroutines in it: node n + i is the i-th candidate. What it
    waits on leads to it, and it to what its stack leads to."""

    def __init__(
        self,
        graph: HeapGraph,
        candidates: Candidates,
        pairs: tuple[Ids, Ids],
        hidden: tuple[Ids, Ids],
        stacks: StackEdges,
        asleep: Iterable[int] = (),
    ) -> None:
        """`pairs` are what is waited on, and by whom; those with numbers that are `asleep` nothing
        wakes."""
        self.n = n = len(graph.objects)
        self._graph, self._candidates, self._stacks = graph, candidates, stacks
        awake = candidates.awake.copy()
        awake[candidates.numbered(asleep)] = False
        self._awake = np.flatnonzero(awake)
        self._waited, self._whose = pairs
        self._hidden = _hidden(graph.nodes, hidden)
        self._about = np.zeros(n, np.uint8)
        self._about[self._waited] |= WAITED_FOR
        self._about[hidden[0]] |= HIDES
        self._queue = np.empty(n + len(candidates), np.int32)

    def search(
        self,
        unsure: Mapping[int, str],
        hand: Words,
        ends: Mapping[int, tuple[int, ...]] = MappingProxyType({}),
        also: Ids | None = None,
    ) -> NDArray[np.bool_]:
        """What may run leads to, and what threads have in `hand`: objects, and goroutines behind
        them; with what `also` objects lead to. The objects of `ends` lead no further."""
        nodes, stacks = self._graph.nodes, self._stacks
        awake = self._awake
        if unsure:
            awake = np.append(awake, self._candidates.numbered(unsure))
        held, _ = self._graph.resolve(hand)
        marked = np.zeros(len(self._queue), np.bool_)
        for start in (stacks.others, held[held >= 0], self.n + awake):
            marked[start] = True
        if also is not None:
            marked[also] = True
        begin = np.flatnonzero(marked)
        self._queue[: len(begin)] = begin
        about = self._about
        if ends:
            about = about.copy()
            about[[node for own in ends.values() for node in own]] |= ENDS
        mark(
            nodes.first, nodes.target, self.n, about, self._hidden, self._waited, self._whose,
            stacks.first, stacks.targets, marked, self._queue, len(begin),
        )  # fmt: skip
        return marked

    @cached_property
    def _weak(self) -> _Weak:
        return _Weak.of(self._graph)

    def weakly(
        self,
        marked: NDArray[np.bool_],
        lost: Sequence[Candidate],
        unsure: Mapping[int, str],
        hand: Words,
    ) -> dict[int, str]:
        """Which lost goroutines something that is `marked` may come to by a weak pointer: they
        themselves keep what that leads to. (The collector's detector calls them leaked.)"""
        weak = self._weak.where(~marked[self._weak.objects])
        had = weak.had(self._graph.nodes, marked, {c.g.id for c in lost})
        if not had.any():
            return {}
        again = self.search(unsure, hand, also=weak.objects[had])
        rows = self._candidates.rows
        return {c.g.id: _WEAKLY for c in lost if again[self.n + rows[c.g.id]]}


class _Weak(msgspec.Struct, frozen=True):
    """What weak pointers have instead of `objects`: places in other objects, `into` these. (They
    are small, so that several may lie in one: weak.Make, Go 1.24 to 1.27.)"""

    handles: Ids
    into: Ints
    objects: Ids

    @classmethod
    def of(cls, graph: HeapGraph) -> _Weak:
        weak = [group for group in graph.nodes.groups if group.kind is RootKind.WEAK]
        handles, into = graph.resolve(joined(group.handles for group in weak))
        objects, _ = graph.resolve(joined(group.about for group in weak))
        return cls(handles, into.astype(np.int64), objects).where((handles >= 0) & (objects >= 0))

    def where(self, kept: NDArray[np.bool_]) -> _Weak:
        return _Weak(self.handles[kept], self.into[kept], self.objects[kept])

    def had(
        self, nodes: Nodes, marked: NDArray[np.bool_], lost: AbstractSet[int]
    ) -> NDArray[np.bool_]:
        """Whether something has each that may run, other than the runtime."""
        if not len(self.handles):
            return np.zeros(0, np.bool_)
        wanted, live = np.zeros(len(nodes), np.bool_), np.zeros(len(nodes), np.bool_)
        wanted[self.handles] = True
        edges, n = leading_to(nodes.target, wanted), len(nodes.objects)
        sources = nodes.sources_of(edges)
        live[:n] = marked[:n]
        for node in distinct(sources[sources >= n]).tolist():
            group = nodes.group(node)
            live[node] = group.kind is not RootKind.WEAK and group.goroutine not in lost
        edges = edges[live[sources]]
        places = nodes.target[edges].astype(np.int64) << _BITS | nodes.into[edges]
        return np.isin(self.handles.astype(np.int64) << _BITS | self.into, places)


def _hidden(nodes: Nodes, hidden: tuple[Ids, Ids]) -> Ints:
    """The pointers that stand at such words of such objects, ascending."""
    objects, words = hidden
    edges, which = ranges(nodes.first[objects], nodes.first[objects + 1])
    return distinct(edges[nodes.offset[edges] == words[which]])


class Kept:
    """What lost goroutines keep from being collected: what their stacks lead to, and nothing else
    that may run."""

    def __init__(self, graph: HeapGraph, leaks: Leaks) -> None:
        self._graph, self._nodes, self._leaks = graph, graph.nodes, leaks

    def by(self, ids: Sequence[int]) -> NDArray[np.bool_]:
        """Of each object, whether these goroutines keep it."""
        nodes, leaks = self._nodes, self._leaks
        via = np.full(len(nodes), UNREACHED, np.int64)
        via[: len(leaks.live)][leaks.live] = START
        starts = [leaks.stacks.own(leaks.candidates.rows[number]) for number in ids]
        own = [node for number in ids for node in leaks.own[number]]
        starts += [nodes.target[nodes.first[node] : nodes.first[node + 1]] for node in own]
        start = np.concatenate([np.zeros(0, np.int32), *starts])
        onward(nodes.first, nodes.target, via, start)
        return np.asarray(via[: len(leaks.live)] != UNREACHED, bool) & ~leaks.live

    def types(self, kept: NDArray[np.bool_]) -> tuple[TypeHeld, ...]:
        """The objects by type, most bytes first."""
        graph, rows = self._graph, np.flatnonzero(kept)
        if not len(rows):
            return ()
        shapes = graph.shown(rows)
        counts, sizes = np.bincount(shapes), np.bincount(shapes, graph.objects.size_of(rows))
        counted: dict[str, list[int]] = {}
        for number in np.flatnonzero(counts).tolist():
            row = counted.setdefault(graph.shown_name(number) if number else "?", [0, 0])
            row[0] += int(counts[number])
            row[1] += int(sizes[number])
        told = (TypeHeld(name, n, size) for name, (n, size) in counted.items())
        return tuple(sorted(told, key=lambda row: (-row.bytes, row.type)))

    def bytes(self, kept: NDArray[np.bool_]) -> int:
        return int(self._graph.objects.size_of(kept).sum())
