"""What blocked goroutines wait on, and whether each is in its queue still.

The rules are those of the collector's own detector of leaks (src/runtime/mgc.go, isMaybeRunnable,
and mgcmark.go, internalBlocked, Go 1.26 and 1.27): who waits for the network, a timer, the
collector or another thread may go on, and so may who waits for what is no object of the heap. The
detector runs while the world stands at safe points; goprobe stops it anywhere, so that one who has
been taken out of its queue, and is about to be woken, has to be told from one who waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

import msgspec
import numpy as np

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.stackedges import StackEdges
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import u64
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.goroutines.waiting import PARKED, Sudog, sudogs_at
from goprobe.runtime.heap.objects import MANUAL_SPAN, NOT_HEAP, Ids
from goprobe.runtime.layout.record import Record, read_records

NEVER = frozenset(
    {"chan receive (nil chan)", "chan send (nil chan)", "select (no cases)"}
)  # fmt: skip
CHANNELS = frozenset({"chan receive", "chan send", "select"})
COND = "sync.Cond.Wait"
GROUP = "sync.WaitGroup.Wait"
SYNC = frozenset({COND, "sync.Mutex.Lock", "sync.RWMutex.RLock", "sync.RWMutex.Lock", GROUP})
SEMAPHORE = "semacquire"
"""What a wait for a sync.WaitGroup is called up to Go 1.23, and others too."""

WOKEN = "it is being woken"
_DURABLE = " (durable)"
"""Ends what the runtime calls waits in a synctest bubble, since Go 1.25."""
_LIST_HEAD = 16
"""Where a notifyList has its first sudog: behind wait, notify and lock (sema.go, 1.21 to 1.27)."""
_OUTSIDE = -1


class Wait(msgspec.Struct, frozen=True):
    """What a goroutine waits on: `address` is a channel's, a semaphore's, or that of a condition's
    list (0 where that is not noted); `node` the object that has to be reached for it."""

    sudog: Sudog
    address: int
    node: int


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A goroutine that may be lost. `awake` says why it can run whatever leads to what it waits on,
    `unsure` why that cannot be told; "" else."""

    g: Goroutine
    reason: str
    waits: tuple[Wait, ...] = ()
    awake: str = ""
    unsure: str = ""


def reason_of(graph: HeapGraph, g: Goroutine) -> str:
    reasons = graph.world.goroutines.wait_reasons
    return reasons[g.wait_reason] if g.wait_reason < len(reasons) else ""


def hanging(graph: HeapGraph) -> tuple[Goroutine, ...]:
    """Those that wait for others on channels and locks, or for ever."""
    kinds = NEVER | CHANNELS | SYNC | {SEMAPHORE}
    return tuple(
        g
        for g in graph.world.goroutines.known
        if g.status in PARKED and plain(reason_of(graph, g)) in kinds
    )


def only_by_others(graph: HeapGraph, g: Goroutine, on_group: Callable[[Goroutine], bool]) -> bool:
    """Whether only other goroutines can wake one that hangs in something: the runtime itself waits
    for semaphores, and runs what is in a synctest bubble. `on_group` says of one in a semaphore
    whether it waits for a sync.WaitGroup."""
    reason = reason_of(graph, g)
    if reason == SEMAPHORE:
        return GROUP not in graph.world.goroutines.wait_reasons and on_group(g)
    return reason in NEVER or reason in CHANNELS or reason in SYNC


def plain(reason: str) -> str:
    """The same wait outside of a synctest bubble."""
    return reason.removesuffix(_DURABLE)


class Waits:
    """What each of some blocked goroutines waits on."""

    def __init__(
        self, graph: HeapGraph, goroutines: Sequence[Goroutine], stacks: StackEdges
    ) -> None:
        self._graph, self._goroutines, self._stacks = graph, goroutines, stacks
        world = graph.world
        self._memory, self._layout = world.memory, world.layout
        every = world.waiting
        self._lists = {g.address: every[g.address] for g in goroutines if g.address in every}
        # Since Go 1.26 a semaphore's and a condition's sudog hangs at g.waiting, too.
        self._noted = self._layout.struct("sudog").fields["elem"].size > 8
        self._reasons = {g.address: plain(reason_of(graph, g)) for g in goroutines}
        self._hanging = {} if self._noted else self._on_stacks()
        self._known = {
            sudog.address: sudog
            for sudogs in (*self._lists.values(), *self._hanging.values())
            for sudog in sudogs
        }
        self._nodes = self._resolved(self._addresses())
        self._channels = self._read_channels()
        self._sources = self._referrers()
        self._heads = self._list_heads()

    def candidates(self) -> list[Candidate]:
        return [self._candidate(g, self._reasons[g.address]) for g in self._goroutines]

    def sudogs(self) -> Ids:
        """The objects that they hang in."""
        nodes = [self._node(address) for address in self._known]
        return np.array([node for node in nodes if node >= 0], np.int32)

    def hidden(self) -> tuple[Ids, Ids]:
        """The pointers by which sudogs lead to what is waited on, as objects and words in them:
        that someone waits for it keeps nobody alive who could end the wait."""
        sudog = self._layout.struct("sudog")
        words = {name: sudog.offset(name) // 8 for name in ("c", "elem")}
        pairs = [
            (self._node(s.address), words["c" if reason in CHANNELS else "elem"])
            for g, reason in self._reasons.items()
            for s in self._of(g, reason)
        ]
        pairs = [(node, word) for node, word in pairs if node >= 0]
        columns = np.array(pairs, np.int32).reshape(-1, 2)
        return columns[:, 0], columns[:, 1]

    def senders(self) -> set[int]:
        """The sudogs that hang in a channel's queue of senders."""
        sending: set[int] = set()
        for channel in self._channels.values():
            at = self._known.get(channel["sendq.first"])
            while at is not None and at.address not in sending:
                sending.add(at.address)
                at = self._known.get(at.next)
        return sending

    def address(self, wait: Wait) -> int:
        """Where that is, of a list where it is not noted, too; 0 where that is not known."""
        return wait.address or self._lists_around.get(wait.sudog.address, 0)

    @cached_property
    def _lists_around(self) -> dict[int, int]:
        """Of each sudog of a condition, where the list is that it hangs in."""
        if self._noted:
            return {s.address: s.elem for s in self._heads_of_conditions() if s.elem}
        nodes = self._graph.nodes
        heads = {self._node(head.address): head for head in self._heads.values()}
        wanted = np.zeros(len(nodes), np.bool_)
        wanted[[node for node in heads if node >= 0]] = True
        lists: dict[int, int] = {}
        for edge in np.flatnonzero(wanted[nodes.target]).tolist():
            source = nodes.source_of(edge)
            place, head = nodes.place(source, edge), heads[int(nodes.target[edge])]
            if self._is_list(place - _LIST_HEAD, head):
                lists[head.address] = place - _LIST_HEAD
        return {s: lists[head.address] for s, head in self._heads.items() if head.address in lists}

    def _heads_of_conditions(self) -> Iterable[Sudog]:
        return (self._known[address] for address in self._heads)

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

    def _of(self, g: int, reason: str) -> tuple[Sudog, ...]:
        if reason in CHANNELS or self._noted:
            return self._lists.get(g, ())
        return self._hanging.get(g, ())

    # What is read

    def _on_stacks(self) -> dict[int, tuple[Sudog, ...]]:
        """Up to Go 1.25 nothing but its own frames leads from one who waits for a semaphore or a
        condition to its sudog (semacquire1, notifyListWait: sema.go)."""
        wanted = [
            i
            for i, g in enumerate(self._goroutines)
            if self._reasons[g.address] not in CHANNELS | NEVER
        ]
        stacks, objects = self._stacks, self._graph.objects
        mine = np.isin(stacks.owners(), np.array(wanted, np.int64))
        into = self._graph.nodes.into[stacks.edges[mine]]
        nodes = np.unique(stacks.targets[mine][into == 0])
        least = self._layout.struct("sudog").size
        sizes = objects.size_of(nodes)
        nodes = nodes[(sizes >= least) & (sizes < 2 * least)]
        waiting = {self._goroutines[i].address for i in wanted}
        of_goroutine: dict[int, list[Sudog]] = {}
        sudogs = sudogs_at(self._memory, self._layout, objects.base[nodes].tolist())
        for sudog in sudogs.values():
            if sudog.g in waiting:
                of_goroutine.setdefault(sudog.g, []).append(sudog)
        return {g: tuple(sudogs) for g, sudogs in of_goroutine.items()}

    def _addresses(self) -> Iterable[int]:
        for sudog in self._known.values():
            yield from (sudog.address, sudog.elem, sudog.channel)

    def _resolved(self, addresses: Iterable[int]) -> dict[int, int]:
        places = sorted(set(addresses) - {0})
        nodes, _ = self._graph.resolve(np.array(places, np.uint64))
        return dict(zip(places, nodes.tolist(), strict=True))

    def _node(self, address: int) -> int:
        return self._nodes.get(address, NOT_HEAP)

    def _read_channels(self) -> Mapping[int, Record]:
        places = {sudog.channel for sudog in self._known.values()} - {0}
        hchan = self._layout.struct("hchan")
        return {r.address: r for r in read_records(self._memory, hchan, sorted(places))}

    def _referrers(self) -> dict[int, set[int]]:
        """What points at the sudogs of semaphores and conditions: objects, _OUTSIDE for roots that
        lie on none of these stacks; the gs themselves left out."""
        graph, nodes = self._graph, self._graph.nodes
        ours = {
            self._node(s.address)
            for g, reason in self._reasons.items()
            if reason not in CHANNELS | NEVER
            for s in self._of(g, reason)
        } - {NOT_HEAP}
        wanted = np.zeros(len(nodes), np.bool_)
        wanted[[node for node in ours if node >= 0]] = True
        edges = np.flatnonzero(wanted[nodes.target[: nodes.heap_edges]])
        source = nodes.sources_of(edges)
        every = graph.world.goroutines.known
        gs, _ = graph.resolve(np.array([g.address for g in every], np.uint64))
        kept = ~np.isin(source, gs)
        referrers: dict[int, set[int]] = {}
        pairs = zip(nodes.target[edges[kept]].tolist(), source[kept].tolist(), strict=True)
        for node, by in pairs:
            referrers.setdefault(node, set()).add(by)
        for node in self._stacks.others[wanted[self._stacks.others]].tolist():
            referrers.setdefault(node, set()).add(_OUTSIDE)
        return referrers

    def _list_heads(self) -> dict[int, Sudog]:
        """Of each sudog in a condition's list the first one of that list."""
        conds = {
            s.address: s
            for g, reason in self._reasons.items()
            if reason == COND
            for s in self._of(g, reason)
        }
        followed = {s.next for s in conds.values()}
        heads: dict[int, Sudog] = {}
        for head in (s for s in conds.values() if s.address not in followed):
            at: Sudog | None = head
            while at is not None and at.address not in heads:
                heads[at.address] = head
                at = conds.get(at.next)
        return heads

    # What it means

    def _candidate(self, g: Goroutine, reason: str) -> Candidate:
        if reason in NEVER:
            return Candidate(g=g, reason=reason)
        if reason in CHANNELS:
            return self._on_channels(g, reason)
        return self._on_semaphore(g, GROUP if reason == SEMAPHORE else reason)

    def _on_channels(self, g: Goroutine, reason: str) -> Candidate:
        sudogs = self._lists.get(g.address)
        if sudogs is None or (not sudogs and reason != "select"):
            return Candidate(g=g, reason=reason, unsure="what it waits in cannot be read")
        if sudogs and sudogs[-1].waitlink:
            return Candidate(g=g, reason=reason, unsure="the list of what it waits in is corrupt")
        waits = tuple(Wait(s, s.channel, self._node(s.channel)) for s in sudogs)
        awake = unsure = ""
        for wait in waits:
            unsure = unsure or self._astray(wait.node, "channel")
            if wait.node in (NOT_HEAP, MANUAL_SPAN):
                awake = awake or "its channel is no object of the heap"
            elif not self._queued(wait.sudog):
                awake = awake or WOKEN
        return Candidate(g=g, reason=reason, waits=waits, awake=awake, unsure=unsure)

    def _queued(self, sudog: Sudog) -> bool:
        """Whether it is in a queue of its channel: who wakes takes it out (waitq, chan.go)."""
        if sudog.prev:
            before = self._known.get(sudog.prev)
            return before is not None and before.next == sudog.address
        channel = self._channels.get(sudog.channel)
        firsts = (channel["recvq.first"], channel["sendq.first"]) if channel else ()
        return sudog.address in firsts

    def _on_semaphore(self, g: Goroutine, reason: str) -> Candidate:
        sudogs = self._of(g.address, self._reasons[g.address])
        if self._noted and self._lists.get(g.address) == ():
            return Candidate(g=g, reason=reason, awake=WOKEN)
        if not sudogs or (len(sudogs) > 1 and not self._noted):
            return Candidate(g=g, reason=reason, unsure="what it waits in cannot be found")
        sudog = sudogs[0]
        own = self._node(sudog.address)
        if reason == COND:
            return self._on_condition(g, sudog, own)
        node = self._node(sudog.elem)
        wait = (Wait(sudog, sudog.elem, node),)
        awake = unsure = ""
        if not sudog.elem or not self._sources.get(own):
            awake = WOKEN
        elif node in (NOT_HEAP, MANUAL_SPAN):
            awake = "its semaphore is no object of the heap"
        else:
            unsure = self._astray(node, "semaphore")
        return Candidate(g=g, reason=reason, waits=wait, awake=awake, unsure=unsure)

    def _on_condition(self, g: Goroutine, sudog: Sudog, own: int) -> Candidate:
        head = self._heads.get(sudog.address)
        sources = self._sources.get(self._node(head.address), set()) if head else set()
        if head is None:
            return Candidate(g=g, reason=COND, unsure="the list that it waits in is corrupt")
        if not self._noted:
            # The list leads to the sudog, and only it does: who reaches that may wake it.
            nodes = {self._node(s.address) for s in self._known.values()}
            awake = "" if sources - nodes else WOKEN
            return Candidate(g=g, reason=COND, waits=(Wait(sudog, 0, own),), awake=awake)
        node = self._node(sudog.elem)
        wait = (Wait(sudog, sudog.elem, node),)
        unsure = awake = ""
        if node in (NOT_HEAP, MANUAL_SPAN):
            awake = "its condition is no object of the heap"
        elif node not in sources:
            awake = WOKEN
        else:
            unsure = self._astray(node, "condition")
        return Candidate(g=g, reason=COND, waits=wait, awake=awake, unsure=unsure)

    @staticmethod
    def _astray(node: int, what: str) -> str:
        lost = node < 0 and node not in (NOT_HEAP, MANUAL_SPAN)
        return f"its {what} lies in memory that is free" if lost else ""
