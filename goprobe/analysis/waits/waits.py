"""`goprobe goroutines --waits` and `--leaked`: what goroutines wait on and who else has it, who
waits for whom, who can never run again, and what those keep.

The story: the heap is taken as a snapshot of one moment, as `heap --types` does, and its pointers
are followed; the goroutines' stacks are walked in the same snapshot. In that graph `lost` has
`analysis/heap/leaks.py` find who is lost, and `elsewhere` look whether memory that is not Go's
knows of what they wait on. `whatfor` says what each one waits on, `holders` who has that, and
`described` puts it into the report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.audit import finished
from goprobe.analysis.goroutines.audit import audit_goroutines
from goprobe.analysis.goroutines.chosen import EVERY, Chosen
from goprobe.analysis.goroutines.filled import Moment, choice, filled, notes
from goprobe.analysis.goroutines.goroutines import group
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.leaks import Kept, Leaks
from goprobe.analysis.heap.snapshot import HeapSnapshot, Manner, asked_of
from goprobe.analysis.waits.audit import LeakFacts, audit_leaks
from goprobe.analysis.waits.described import Described
from goprobe.analysis.waits.lost import Lost
from goprobe.model.attached import GoroutineGroup, GoroutinesReport, GoroutineState
from goprobe.process.proc.sockets import Descriptor, Descriptors
from goprobe.runtime.world import World
from goprobe.target.live import PATIENCE, AnyTarget

More = Callable[[World, Sequence[GoroutineState]], tuple[GoroutineState, ...]]

_MOST_GROUPS = 20


def leaked(
    target: AnyTarget,
    *,
    stacks: bool = False,
    timeout: float = PATIENCE,
    progress: Callable[[str], None] = lambda message: None,
) -> GoroutinesReport:
    """Goroutines that can never run again, and those of which that cannot be told; with `stacks`
    each with its frames, too.

    Raises CannotWorkError, TargetGoneError, TargetTimeoutError, NotPermittedError.
    """
    return in_graph(
        target, stacks=stacks, only_leaked=True, deadlocks=False, timeout=timeout, progress=progress
    )


def in_graph(
    target: AnyTarget,
    *,
    stacks: bool = False,
    each: bool = False,
    only_leaked: bool = False,
    deadlocks: bool = True,
    chosen: Chosen = EVERY,
    more: More | None = None,
    timeout: float = PATIENCE,
    progress: Callable[[str], None] = lambda message: None,
) -> GoroutinesReport:
    """What every goroutine waits on, who else has it, and who waits for each other; of those
    that are leaked, or may be, alone with `only_leaked` (`deadlocks` are told of all even then).
    With `stacks` each with its frames, grouped unless `each` is wanted; `more` adds what else is
    told of them in that moment. Raises what `leaked` raises, and CannotWorkError where `more` is
    asked and no copy can be made."""
    manner = Manner(timeout=timeout, how="fork" if more and not target.is_core else "")

    def question(snapshot: HeapSnapshot) -> GoroutinesReport:
        every = deadlocks or not only_leaked
        asked = _Asked(target, snapshot, progress, chosen, more, every=every)
        return asked.leaked(stacks=stacks) if only_leaked else asked.all(stacks=stacks, each=each)

    return asked_of(target, manner, progress, question)


class _Asked:
    """The goroutines of one snapshot, and who of them is lost."""

    def __init__(
        self,
        target: AnyTarget,
        snapshot: HeapSnapshot,
        progress: Callable[[str], None],
        chosen: Chosen,
        more: More | None,
        *,
        every: bool,
    ) -> None:
        """Of `every` goroutine, or of those alone that are lost or may be."""
        self._target, self._now, self._chosen = target, snapshot.at, chosen
        self._more = more
        self._graph = graph = HeapGraph(snapshot, progress)
        progress("walking the goroutines' stacks")
        self._lost = Lost(target, graph)
        search = self._search = self._lost.search
        self._numbers = frozenset({*(c.g.id for c in search.lost), *search.unsure})
        self._all = every
        told = self._lost.surveyed if every else self._lost.told(self._numbers)
        self._every, dead, unreadable = told
        self._moment = Moment(
            pause_us=snapshot.pause_us, snapshot=snapshot.how, dead=dead, unreadable=unreadable
        )
        self._by_id = {state.id: state for state in self._every}

    def leaked(self, *, stacks: bool) -> GoroutinesReport:
        search = self._search
        alive = self._graph.world.goroutines.alive
        numbers = sorted(number for number in self._by_id if number in self._numbers)
        described = self._described(self._by_id if self._all else numbers)
        states = self._told(described, [self._by_id[number] for number in numbers])
        report = filled(
            self._target,
            self._moment,
            states,
            self._chosen.sorted(_groups(self._graph, search, described, states)),
            stacks=stacks,
            leaks=self._lost.summary(frozenset(state.id for state in states)),
            deadlocks=described.deadlocks() if self._all else UNSET,
            notes=(*described.notes, *self._noted()),
            **choice(self._chosen, alive),
        )
        unsure = sum(state.id in search.unsure for state in states)
        facts = LeakFacts(report, alive, frozenset(numbers), unsure)
        audit = audit_leaks(facts)
        return finished(report, audit, self._target.doubts)

    def all(self, *, stacks: bool, each: bool) -> GoroutinesReport:
        described = self._described(self._by_id)
        states = self._told(described, self._every)
        groups = () if each else tuple(map(described.group, group(states)))
        report = filled(
            self._target,
            self._moment,
            states,
            self._chosen.sorted(groups),
            stacks=stacks,
            deadlocks=described.deadlocks(),
            notes=(*described.notes, *self._noted()),
            **choice(self._chosen, self._every),
        )
        return finished(report, audit_goroutines(report), self._target.doubts)

    def _noted(self) -> tuple[str, ...]:
        return notes(self._chosen, self._every, self._now)

    def _told(
        self, described: Described, states: Sequence[GoroutineState]
    ) -> tuple[GoroutineState, ...]:
        """Those of them that were asked for, with what they wait on."""
        lost = {c.g.id for c in self._search.lost}
        known = [replace(s, leaked=True) if s.id in lost else s for s in states]
        wanted = tuple(described.state(state) for state in self._chosen.of(known))
        return self._more(self._graph.world, wanted) if self._more else wanted

    def _described(self, numbers: Iterable[int]) -> Described:
        describes = _describing(self._target)
        return Described(self._graph, self._search, numbers, self._now, describes, self._every)


def _describing(target: AnyTarget) -> Callable[[int], Descriptor | None]:
    """What the kernel says of a descriptor; nothing of those of a core."""
    return (lambda number: None) if target.is_core else Descriptors(target.pid).of


def _groups(
    graph: HeapGraph, search: Leaks, described: Described, states: tuple[GoroutineState, ...]
) -> tuple[GoroutineGroup, ...]:
    """As `goprobe goroutines` groups them, those that are leaked first; with why, and with what
    the largest ones keep."""
    kept = Kept(graph, search)
    lost = group([s for s in states if s.leaked])
    largest = [
        replace(described.group(g), retained_bytes=kept.bytes(kept.by(g.ids)))
        for g in lost[:_MOST_GROUPS]
    ]
    rest = [described.group(g) for g in lost[_MOST_GROUPS:]]
    unsure = [described.group(g) for g in group([s for s in states if not s.leaked])]
    return (*largest, *rest, *unsure)
