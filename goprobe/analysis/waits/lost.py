"""Which goroutines of one snapshot can never run again, and what they alone keep on the heap: for
`goroutines --waits` and `--leaked`, and for `heap`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set as AbstractSet
from functools import cached_property

import numpy as np
from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.audit import audited, check
from goprobe.analysis.goroutines.goroutines import known_modules
from goprobe.analysis.goroutines.survey import survey
from goprobe.analysis.heap.blocked import hanging, only_by_others
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.leaks import Kept, Leaks, find_leaks
from goprobe.analysis.heap.snapshot import HeapSnapshot
from goprobe.analysis.waits.elsewhere import Elsewhere
from goprobe.counts import counted
from goprobe.model.attached import GoroutineState, LeakSummary
from goprobe.model.heap import HeapReport
from goprobe.process.memory.copies import Words
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.target.live import AnyTarget, StoppedChild, StoppedCore

_ON_GROUP = "sync.(*WaitGroup).Wait"


class Lost:
    """The goroutines of a snapshot, and who of them is lost. Where only that is asked stacks are
    walked where the runtime's word for a wait does not tell what it is for: up to Go 1.23."""

    def __init__(self, target: AnyTarget, graph: HeapGraph) -> None:
        self._target, self._graph = target, graph

    @cached_property
    def search(self) -> Leaks:
        return find_leaks(self._graph, self._on_group, self._elsewhere)

    @property
    def _elsewhere(self) -> Elsewhere:
        return Elsewhere(self._graph, live=not self._target.is_core)

    @cached_property
    def surveyed(self) -> tuple[tuple[GoroutineState, ...], int, int]:
        """As `survey` has it."""
        return self._survey(None)

    def told(self, numbers: AbstractSet[int]) -> tuple[tuple[GoroutineState, ...], int, int]:
        """The same of these goroutines alone, which of very many is much less work."""
        if "surveyed" in self.__dict__:
            states, dead, unreadable = self.surveyed
            return tuple(s for s in states if s.id in numbers), dead, unreadable
        known = self._graph.world.goroutines
        gs = [g.address for g in known.known if g.id in numbers]
        told, _, _ = self._survey(np.array(gs, np.uint64))
        dead = len(known.known) - len(known.alive)
        return told, dead, len(known.pointers()) - len(known.known)

    def _survey(self, only: Words | None) -> tuple[tuple[GoroutineState, ...], int, int]:
        standing = _standing_as(self._target, self._graph.snapshot)
        return survey(standing, known_modules(self._target), standing.at, None, only)

    @cached_property
    def by_id(self) -> dict[int, GoroutineState]:
        return {state.id: state for state in self.surveyed[0]}

    def summary(self, told: frozenset[int] | None = None) -> LeakSummary:
        """Of all, or of those that are `told` of."""
        graph = self._graph
        known = "search" in self.__dict__
        if not known and not only_by_others(graph, hanging(graph), self._on_group).any():
            return LeakSummary(0, 0, 0, 0, 0, 0)  # there is nothing to look for
        search = self.search
        lost = [c.g for c in search.lost if told is None or c.g.id in told]
        unsure = [number for number in search.unsure if told is None or number in told]
        kept = Kept(graph, search)
        held = kept.by([g.id for g in lost]) if lost else np.zeros(len(graph.objects), np.bool_)
        return LeakSummary(
            blocked=search.blocked,
            leaked=len(lost),
            undecided=len(unsure),
            retained_objects=int(held.sum()),
            retained_bytes=kept.bytes(held),
            stack_bytes=sum(g.high - g.low for g in lost),
            types=kept.types(held),
            main_waits=search.main,
        )

    def _on_group(self, g: Goroutine) -> bool:
        state = self.by_id.get(g.id)
        if state is None or state.frames is UNSET:
            return False
        return any(frame.function == _ON_GROUP for frame in state.frames)


def _standing_as(target: AnyTarget, snapshot: HeapSnapshot) -> StoppedChild | StoppedCore:
    """The snapshot as something that stands still."""
    if target.is_core:
        return StoppedCore(target)
    world = snapshot.world
    return StoppedChild(target, world, world.memory, snapshot.pause_us, snapshot.at)


def with_leaks(
    target: AnyTarget, progress: Callable[[str], None], graph: HeapGraph, report: HeapReport
) -> HeapReport:
    """The heap's report with what leaked goroutines alone keep of it."""
    progress("looking for goroutines that can never run again")
    told = replace(report, leaks=Lost(target, graph).summary())
    return replace(told, audit=(*report.audit, *audited((leaks_fit,), told)))


@check("what leaked goroutines keep is a part of what can be reached, and adds up by type")
def leaks_fit(report: HeapReport) -> Iterator[str]:
    leaks, graph = report.leaks, report.graph
    if leaks is UNSET or graph is UNSET:
        return
    if leaks.retained_bytes > graph.reachable_bytes:
        yield f"they keep {counted(leaks.retained_bytes, 'byte')} of {graph.reachable_bytes:,}"
    if (total := sum(row.bytes for row in leaks.types)) != leaks.retained_bytes:
        yield f"their types have {counted(total, 'byte')}, they keep {leaks.retained_bytes:,}"
    if leaks.leaked + leaks.undecided > leaks.blocked:
        yield f"{leaks.leaked} are leaked and {leaks.undecided} undecided, of {leaks.blocked}"
