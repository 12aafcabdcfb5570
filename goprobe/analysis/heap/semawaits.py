"""Which semaphores and conditions blocked goroutines wait for, and whether each is in its queue
still (src/runtime/sema.go, Go 1.21 to 1.27)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import msgspec
import numpy as np

from goprobe.analysis.heap.blocked import (
    COND,
    GROUP,
    OUTSIDE,
    SEMAPHORE,
    WOKEN,
    Candidate,
    Wait,
    astray,
)
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.stackedges import StackEdges
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import u64
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.goroutines.waiting import sudogs_at
from goprobe.runtime.heap.edges import leading_to, ranges
from goprobe.runtime.heap.grouping import distinct
from goprobe.runtime.heap.objects import NOT_HEAP, Ids
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.layout.columns import rows_of

_LIST_HEAD = 16
"""Where a notifyList has its first sudog: behind wait, notify and lock (sema.go, 1.21 to 1.27)."""
_ELSEWHERE = -1


class Sudog(msgspec.Struct, frozen=True, gc=False):
    """One of those in `runtime.goroutines.waiting.Sudogs`."""

    address: int
    g: int
    elem: int
    channel: int
    next: int
    prev: int
    waitlink: int


class SemaWaits:
    """Of goroutines that wait for semaphores and conditions, for these `reasons`. `rows` are where
    they are among those of `stacks`."""

    def __init__(
        self,
        graph: HeapGraph,
        goroutines: Sequence[Goroutine],
        reasons: Sequence[str],
        stacks: StackEdges,
        rows: Ints,
    ) -> None:
        self._graph, self._goroutines, self._stacks = graph, goroutines, stacks
        self._reasons = {g.address: r for g, r in zip(goroutines, reasons, strict=True)}
        world = graph.world
        self._memory, self._layout = world.memory, world.layout
        # Since Go 1.26 a semaphore's and a condition's sudog hangs at g.waiting, too.
        self._noted = self._layout.struct("sudog").fields["elem"].size > 8
        self._hanging = self._listed() if self._noted else self._on_stacks(rows)
        self._known = {s.address: s for sudogs in self._hanging.values() for s in sudogs}
        places = {a for s in self._known.values() for a in (s.address, s.elem)} - {0}
        nodes, _ = graph.resolve(np.array(sorted(places), np.uint64))
        self._nodes: dict[int, int] = dict(zip(sorted(places), nodes.tolist(), strict=True))
        self._sources = self._referrers()
        self._heads = self._list_heads()

    @cached_property
    def candidates(self) -> tuple[Candidate, ...]:
        """Each of the goroutines."""
        return tuple(map(self._candidate, self._goroutines))

    @cached_property
    def nodes(self) -> Ids:
        """The objects that the sudogs are."""
        return np.array([self._node(address) for address in self._known], np.int32)

    @cached_property
    def _queued_nodes(self) -> frozenset[int]:
        return frozenset(self.nodes.tolist())

    def address(self, wait: Wait) -> int:
        """Where that is, of a list where it is not noted, too; 0 where that is not known."""
        return wait.address or self._lists_around.get(wait.sudog, 0)

    @cached_property
    def _lists_around(self) -> dict[int, int]:
        """Of each sudog of a condition, where the list is that it hangs in."""
        if self._noted:
            return {s: self._known[s].elem for s in self._heads if self._known[s].elem}
        nodes = self._graph.nodes
        heads = {self._node(head.address): head for head in self._heads.values()}
        wanted = np.zeros(len(nodes), np.bool_)
        wanted[[node for node in heads if node >= 0]] = True
        lists: dict[int, int] = {}
        for edge in leading_to(nodes.target, wanted).tolist():
            source = nodes.source_of(edge)
            place, head = nodes.place(source, edge), heads[int(nodes.target[edge])]
            if self._is_list(place - _LIST_HEAD, head):
                lists[head.address] = place - _LIST_HEAD
        return {s: lists[head.address] for s, head in self._heads.items() if head.address in lists}

    def _is_list(self, place: int, head: Sudog) -> bool:
        """Whether a notifyList lies there: its first is that sudog, and its last ends it."""
        if place <= 0 or place % 8:
            return False
        try:
            first, last = (u64(self._memory, place + _LIST_HEAD + at) for at in (0, 8))
        except UnreadableError:
            return False
        end = self._known.get(last)
        return first == head.address and end is not None and not end.next

    # What is read

    def _listed(self) -> Mapping[int, tuple[Sudog, ...]]:
        """By the address of the g; nothing of those whose own list cannot be read."""
        lists = self._graph.world.waiting
        gs = np.array([g.address for g in self._goroutines], np.uint64)
        row = rows_of(gs, lists.gs)
        gs, row = gs[row >= 0], row[row >= 0]
        rows, _ = ranges(lists.first[row], lists.first[row + 1])
        sudogs: dict[int, list[Sudog]] = {g: [] for g in gs.tolist()}
        for numbers in zip(*(c.tolist() for c in lists.sudogs.take(rows).columns), strict=True):
            sudog = Sudog(*numbers)
            sudogs[sudog.g].append(sudog)
        return {g: tuple(some) for g, some in sudogs.items()}

    def _on_stacks(self, rows: Ints) -> Mapping[int, tuple[Sudog, ...]]:
        """Up to Go 1.25 nothing but its own frames leads from one who waits for a semaphore or a
        condition to its sudog (semacquire1, notifyListWait: sema.go)."""
        stacks, objects = self._stacks, self._graph.objects
        mine = np.isin(stacks.owners(), rows)
        into = self._graph.nodes.into[stacks.edges[mine]]
        nodes = distinct(stacks.targets[mine][into == 0])
        least = self._layout.struct("sudog").size
        sizes = objects.size_of(nodes)
        nodes = nodes[(sizes >= least) & (sizes < 2 * least)]
        of_goroutine: dict[int, list[Sudog]] = {}
        sudogs, _ = sudogs_at(self._memory, self._layout, objects.base[nodes])
        for numbers in zip(*(c.tolist() for c in sudogs.columns), strict=True):
            sudog = Sudog(*numbers)
            if sudog.g in self._reasons:
                of_goroutine.setdefault(sudog.g, []).append(sudog)
        return {g: tuple(some) for g, some in of_goroutine.items()}

    def _node(self, address: int) -> int:
        return self._nodes.get(address, NOT_HEAP)

    def _referrers(self) -> dict[int, set[int]]:
        """What points at the sudogs: objects, _ELSEWHERE for roots that lie on none of these
        stacks; the gs themselves left out."""
        graph, nodes = self._graph, self._graph.nodes
        ours = self.nodes[self.nodes >= 0]
        referrers: dict[int, set[int]] = {}
        if not len(ours):
            return referrers
        wanted = np.zeros(len(nodes), np.bool_)
        wanted[ours] = True
        edges = leading_to(nodes.target[: nodes.heap_edges], wanted)
        source = nodes.sources_of(edges)
        every = graph.world.goroutines.known
        gs, _ = graph.resolve(np.array([g.address for g in every], np.uint64))
        kept = ~np.isin(source, gs)
        pairs = zip(nodes.target[edges[kept]].tolist(), source[kept].tolist(), strict=True)
        for node, by in pairs:
            referrers.setdefault(node, set()).add(by)
        for node in self._stacks.others[wanted[self._stacks.others]].tolist():
            referrers.setdefault(node, set()).add(_ELSEWHERE)
        return referrers

    def _list_heads(self) -> dict[int, Sudog]:
        """Of each sudog in a condition's list the first one of that list."""
        conds = {s.address: s for s in self._known.values() if self._reasons[s.g] == COND}
        followed = {s.next for s in conds.values()}
        heads: dict[int, Sudog] = {}
        for head in (s for s in conds.values() if s.address not in followed):
            at: Sudog | None = head
            while at is not None and at.address not in heads:
                heads[at.address] = head
                at = conds.get(at.next)
        return heads

    # What it means

    def _candidate(self, g: Goroutine) -> Candidate:
        reason = self._reasons[g.address]
        reason = GROUP if reason == SEMAPHORE else reason
        sudogs = self._hanging.get(g.address, ())
        if self._noted and self._hanging.get(g.address) == ():
            return Candidate(g=g, reason=reason, awake=WOKEN)
        if not sudogs or (len(sudogs) > 1 and not self._noted):
            return Candidate(g=g, reason=reason, unsure="what it waits in cannot be found")
        sudog = sudogs[0]
        own = self._node(sudog.address)
        if reason == COND:
            return self._on_condition(g, sudog, own)
        node = self._node(sudog.elem)
        wait = (Wait(sudog.address, sudog.elem, node),)
        awake = unsure = ""
        if not sudog.elem or not self._sources.get(own):
            awake = WOKEN
        elif node in OUTSIDE:
            awake = "its semaphore is no object of the heap"
        else:
            unsure = astray(node, "semaphore")
        return Candidate(g=g, reason=reason, waits=wait, awake=awake, unsure=unsure)

    def _on_condition(self, g: Goroutine, sudog: Sudog, own: int) -> Candidate:
        head = self._heads.get(sudog.address)
        sources = self._sources.get(self._node(head.address), set()) if head else set()
        if head is None:
            return Candidate(g=g, reason=COND, unsure="the list that it waits in is corrupt")
        if not self._noted:
            # The list leads to the sudog, and only it does: who reaches that may wake it.
            awake = "" if sources - self._queued_nodes else WOKEN
            wait = (Wait(sudog.address, 0, own),)
            return Candidate(g=g, reason=COND, waits=wait, awake=awake)
        node = self._node(sudog.elem)
        wait = (Wait(sudog.address, sudog.elem, node),)
        unsure = awake = ""
        if node in OUTSIDE:
            awake = "its condition is no object of the heap"
        elif node not in sources:
            awake = WOKEN
        else:
            unsure = astray(node, "condition")
        return Candidate(g=g, reason=COND, waits=wait, awake=awake, unsure=unsure)
