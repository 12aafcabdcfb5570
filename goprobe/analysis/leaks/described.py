"""What lost goroutines wait on, by which name they know it, and why nobody can wake them."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property

import numpy as np
from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.heap.globalnames import root_name
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.leaks import Leaks
from goprobe.analysis.heap.names import Names
from goprobe.analysis.heap.reach import START, UNREACHED, reach
from goprobe.analysis.heap.waits import CHANNELS, COND, GROUP, NEVER, Candidate, Wait
from goprobe.errors import UnreadableError
from goprobe.model.address import Address
from goprobe.model.attached import GoroutineGroup, GoroutineState, WaitsOn
from goprobe.runtime.heap.objects import Ids
from goprobe.runtime.layout.record import read_record
from goprobe.runtime.roots.groups import RootGroup

_MOST_HOLDERS = 8
_WAITING = ("runtime.", "internal/", "sync.")
_NOBODY = "nothing that can still run leads to the {} that it waits on"
_NEVER = {
    "chan receive (nil chan)": "a nil channel never has a value to receive",
    "chan send (nil chan)": "a nil channel never takes a value",
    "select (no cases)": "a select without cases never ends",
}
_NO_READY = "none of the select's cases has a channel"
_KINDS = {COND: "condition", GROUP: "wait group"}


class Described:
    """Says it of goroutines and of groups of them."""

    def __init__(self, graph: HeapGraph, leaks: Leaks) -> None:
        self._graph, self._leaks = graph, leaks
        self._names = Names(graph)
        self._lost = {c.g.id: c for c in leaks.lost}
        self._holders = self._who_holds()
        self.ids = sorted({*self._lost, *leaks.unsure})

    def state(self, state: GoroutineState) -> GoroutineState:
        candidate = self._lost.get(state.id)
        if candidate is None:
            return replace(state, why_undecided=self._leaks.unsure[state.id])
        waits = tuple(self._waits(candidate, wait) for wait in candidate.waits)
        return replace(state, leaked=True, why_leaked=_why(candidate), waits_on=waits)

    def group(self, group: GoroutineGroup) -> GoroutineGroup:
        first = self._lost.get(group.ids[0])
        if first is None:
            return replace(group, why=self._leaks.unsure[group.ids[0]])
        waits = tuple(
            replace(self._waits(first, wait), name=self._name(first, wait)) for wait in first.waits
        )
        return replace(group, leaked=True, why=_why(first), waits_on=waits)

    def _waits(self, candidate: Candidate, wait: Wait) -> WaitsOn:
        made = WaitsOn(
            kind=_kind(candidate.reason),
            address=Address(wait.address) if wait.address else UNSET,
            held_by=tuple(self._holders.get(wait.node, ())),
        )
        if candidate.reason in CHANNELS:
            return self._channel(made, wait)
        of = self._graph.type_name(wait.node) if wait.address else ""
        return replace(made, type=f"in a {of}" if of else "")

    def _channel(self, made: WaitsOn, wait: Wait) -> WaitsOn:
        world = self._graph.world
        try:
            channel = read_record(world.memory, world.layout.struct("hchan"), wait.address)
        except UnreadableError:
            return made
        elem = world.typedata.name(channel["elemtype"])
        return replace(
            made,
            type=f"chan {elem}" if elem else "",
            length=channel["qcount"],
            capacity=channel["dataqsiz"],
        )

    def _who_holds(self) -> dict[int, list[str]]:
        """The variables on lost goroutines' stacks that point at what is waited on, by its node."""
        nodes, stacks = self._graph.nodes, self._leaks.stacks
        wanted = np.zeros(len(nodes), np.bool_)
        wanted[[w.node for c in self._lost.values() for w in c.waits if w.node >= 0]] = True
        edges = stacks.edges[wanted[stacks.targets]]
        holders: dict[int, list[str]] = defaultdict(list)
        sources = np.searchsorted(nodes.first, edges, "right") - 1
        for node, source in zip(nodes.target[edges].tolist(), sources.tolist(), strict=True):
            known, holder = holders[node], nodes.group(source)
            name = root_name(holder)
            if _telling(holder) and len(known) < _MOST_HOLDERS and name not in known:
                known.append(name)
        return holders

    @cached_property
    def _without_sudogs(self) -> Ids:
        """Where pointers lead, those to sudogs to their own objects: that somebody waits is no
        way by which anybody could get there."""
        nodes = self._graph.nodes
        target = nodes.target.copy()
        waited = np.zeros(len(nodes), np.bool_)
        waited[self._leaks.sudogs] = True
        edges = np.flatnonzero(waited[target])
        target[edges] = np.searchsorted(nodes.first, edges, "right") - 1
        return target

    def _name(self, candidate: Candidate, wait: Wait) -> str:
        """The shortest way from a goroutine's own variables to what it waits on."""
        nodes, n = self._graph.nodes, len(self._graph.objects)
        groups = enumerate(nodes.groups)
        own = [n + i for i, g in groups if g.goroutine == candidate.g.id and _telling(g)]
        if not own or wait.node < 0:
            return ""
        via = reach(nodes.first, self._without_sudogs, np.array(own, np.int32)).via
        way: list[tuple[int, int]] = []
        node = wait.node
        while (edge := int(via[node])) not in (START, UNREACHED):
            way.append((node, edge))
            node = int(np.searchsorted(nodes.first, edge, "right")) - 1
        if not way:
            return ""
        return self._names.path_text([(node, -1), *reversed(way)])


def _telling(group: RootGroup) -> bool:
    """Whether it is a variable of the program's own: not of how the runtime waits."""
    own = not group.function.startswith(_WAITING) and not group.name.startswith("*")
    return own and group.type is not None


def _kind(reason: str) -> str:
    if reason in NEVER:
        return "nothing"
    return "channel" if reason in CHANNELS else _KINDS.get(reason, "mutex")


def _why(candidate: Candidate) -> str:
    if candidate.reason in NEVER:
        return _NEVER[candidate.reason]
    if not candidate.waits:
        return _NO_READY
    kind = _kind(candidate.reason)
    several = len({wait.address for wait in candidate.waits}) > 1
    return _NOBODY.format("channels" if several else kind)
