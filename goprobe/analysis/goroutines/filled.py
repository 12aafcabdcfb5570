"""The report of `goprobe goroutines`, whatever of it is asked: the one place that fills it in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType, structs

from goprobe.analysis.goroutines.chosen import Chosen
from goprobe.analysis.goroutines.crash import crash_of
from goprobe.counts import counted
from goprobe.model.attached import CallSite, GoroutineGroup, GoroutinesReport, GoroutineState
from goprobe.runtime.goroutines.goroutines import PARKED
from goprobe.target.core import CoreTarget
from goprobe.target.live import AnyTarget, runtime_clock

_BLOCKED = (*PARKED, "syscall")
_RUNS_FINALIZERS, _NONE_TO_RUN = "runtime.createfing", "finalizer wait"


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """When and how the goroutines were looked at. `snapshot` is as the report has it."""

    pause_us: int
    snapshot: str
    dead: int
    unreadable: int


def clock(target: AnyTarget) -> int:
    """The runtime's clock now, in nanoseconds; 0 where it is that of another moment: of a core."""
    return 0 if target.is_core else runtime_clock()


def choice(chosen: Chosen, states: Sequence[object]) -> dict[str, Any]:
    """What the report says of a choice among these goroutines; nothing where all are told."""
    return {"chosen": chosen.words, "every": len(states)} if chosen.words else {}


def notes(chosen: Chosen, states: Sequence[GoroutineState], now: int) -> tuple[str, ...]:
    """What is to be noted beside the goroutines that are told."""
    return (*_untold_ages(chosen, states, now), *(() if chosen.words else _late(states)))


def _late(states: Iterable[GoroutineState]) -> Iterator[str]:
    """Where no finalizer runs, for the one that does waits: one goroutine runs them all, one after
    the other (createfing, src/runtime/mfinal.go, Go 1.21 to 1.27)."""
    for state in states:
        waits = state.status == "waiting" and state.wait_reason != _NONE_TO_RUN
        if state.created_by == _RUNS_FINALIZERS and waits:
            long = "" if state.waiting_us is UNSET else f", for {state.waiting_us / 1e6:.1f} s"
            yield (
                f"no finalizer runs: goroutine {state.id}, which runs one after the other, waits "
                f"in {state.function} ({state.wait_reason}{long})"
            )


def _untold_ages(chosen: Chosen, states: Iterable[GoroutineState], now: int) -> tuple[str, ...]:
    """What is to be noted where some are left out of which it is not known how old they are."""
    if not chosen.older_us:
        return ()
    otherwise = structs.replace(chosen, older_us=0)
    count = sum(
        s.waiting_us is UNSET and s.status in _BLOCKED and otherwise.takes(s) for s in states
    )
    why = "the runtime notes it only as it collects garbage" if now else "a core has no clock"
    return (f"left out: {counted(count, 'goroutine')} whose age is not known ({why})",) * bool(
        count
    )


def _without_stacks(states: Sequence[GoroutineState]) -> Iterator[GoroutineState]:
    """Goroutines with those frames alone that have variables."""
    once = {id(s.frames): s.frames for s in states}  # most stand alike, and share their frames
    left = {at: _with_variables(frames) for at, frames in once.items()}
    for state in states:
        frames = left[id(state.frames)]
        yield state if frames is state.frames else structs.replace(state, frames=frames)


def _with_variables(
    frames: tuple[CallSite, ...] | UnsetType,
) -> tuple[CallSite, ...] | UnsetType:
    every = frames if frames is not UNSET else ()
    return tuple(f for f in every if f.variables is not UNSET) or UNSET


def filled(
    target: AnyTarget,
    moment: Moment,
    states: tuple[GoroutineState, ...],
    groups: tuple[GoroutineGroup, ...],
    *,
    stacks: bool,
    **answers: Any,
) -> GoroutinesReport:
    """`answers` are those fields of the report that only some questions have; without `stacks` the
    frames are the groups' alone, but for those with variables."""
    if not stacks:
        states = tuple(_without_stacks(states))
    return GoroutinesReport(
        **target.process.head,
        pause_us=moment.pause_us,
        goroutines=states,
        groups=groups,
        dead=moment.dead,
        unreadable=moment.unreadable,
        snapshot=moment.snapshot,
        crash=crash_of(target) if isinstance(target, CoreTarget) else UNSET,
        **answers,
    )
