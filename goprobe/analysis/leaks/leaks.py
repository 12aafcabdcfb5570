"""`goprobe goroutines --leaked`: goroutines that can never run again, and what they keep.

The story: the heap is taken as a snapshot of one moment, as `heap --types` does, and its pointers
are followed. In that graph `analysis/heap/leaks.py` finds who is lost; `elsewhere` looks whether
memory that is not Go's knows of what they wait on; `described` says what they wait on and why
nobody can wake them. The goroutines' stacks are walked in the same snapshot.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np
from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.audit import finished
from goprobe.analysis.goroutines.goroutines import group, known_modules, without_frames
from goprobe.analysis.goroutines.survey import survey
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.leaks import Kept, Leaks, find_leaks
from goprobe.analysis.heap.snapshot import HeapSnapshot, Manner, asked_of
from goprobe.analysis.leaks.audit import LeakFacts, audit_leaks
from goprobe.analysis.leaks.described import Described
from goprobe.analysis.leaks.elsewhere import Elsewhere
from goprobe.model.attached import GoroutineGroup, GoroutinesReport, GoroutineState, LeakSummary
from goprobe.model.report import Tool
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.target.live import PATIENCE, AnyTarget, StoppedChild, StoppedCore

_ON_GROUP = "sync.(*WaitGroup).Wait"
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
    now = time.monotonic_ns()

    def question(snapshot: HeapSnapshot) -> GoroutinesReport:
        report = _report(target, snapshot, progress, now)
        return report if stacks else without_frames(report)

    return asked_of(target, Manner(timeout=timeout), progress, question)


def _report(
    target: AnyTarget, snapshot: HeapSnapshot, progress: Callable[[str], None], now: int
) -> GoroutinesReport:
    graph = HeapGraph(snapshot, progress)
    progress("walking the goroutines' stacks")
    every, dead, unreadable = survey(_standing(target, snapshot), known_modules(target), now, None)
    by_id = {state.id: state for state in every}
    search = find_leaks(graph, _on_group(by_id), Elsewhere(graph))
    described = Described(graph, search)
    states = tuple(described.state(by_id[number]) for number in described.ids if number in by_id)
    report = GoroutinesReport(
        pid=target.pid,
        go=Tool(target.program.go.version),
        program=target.program.elf.shown_as,
        beside=tuple(image.path for image in target.beside),
        pause_us=snapshot.pause_us,
        goroutines=states,
        groups=_groups(graph, search, described, states),
        dead=dead,
        unreadable=unreadable,
        snapshot=snapshot.how,
        leaks=_summary(graph, search, states),
    )
    audit = audit_leaks(LeakFacts(report, every, len(search.unsure)))
    return finished(report, audit, target.doubts)


def _standing(target: AnyTarget, snapshot: HeapSnapshot) -> StoppedChild | StoppedCore:
    """The snapshot as something that stands still."""
    if target.is_core:
        return StoppedCore(target)
    world = snapshot.world
    return StoppedChild(target, world, world.memory, snapshot.pause_us)


def _on_group(by_id: Mapping[int, GoroutineState]) -> Callable[[Goroutine], bool]:
    def on_group(g: Goroutine) -> bool:
        state = by_id.get(g.id)
        if state is None or state.frames is UNSET:
            return False
        return any(frame.function == _ON_GROUP for frame in state.frames)

    return on_group


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


def _summary(graph: HeapGraph, search: Leaks, states: tuple[GoroutineState, ...]) -> LeakSummary:
    lost = [s for s in states if s.leaked]
    kept = Kept(graph, search)
    held = kept.by([s.id for s in lost]) if lost else np.zeros(len(graph.objects), np.bool_)
    return LeakSummary(
        blocked=search.blocked,
        leaked=len(lost),
        undecided=len(states) - len(lost),
        retained_objects=int(held.sum()),
        retained_bytes=kept.bytes(held),
        stack_bytes=sum(s.stack.high - s.stack.low for s in lost),
        types=kept.types(held),
    )
