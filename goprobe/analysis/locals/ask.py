"""All that is asked of goroutines: which of the questions below answers it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from goprobe.analysis.goroutines.chosen import EVERY, Chosen
from goprobe.analysis.goroutines.goroutines import goroutines
from goprobe.model.attached import GoroutinesReport, GoroutineState
from goprobe.runtime.world import World
from goprobe.target.live import PATIENCE, AnyTarget


class GoroutineQuestions(msgspec.Struct, frozen=True, kw_only=True):
    """What of the options of `goprobe goroutines` is wanted."""

    stacks: bool = False
    each: bool = False
    locals: bool = False
    waits: bool = False
    leaked: bool = False
    chosen: Chosen = EVERY


def goroutines_of(
    target: AnyTarget,
    asked: GoroutineQuestions,
    *,
    timeout: float = PATIENCE,
    progress: Callable[[str], None] = lambda message: None,
) -> GoroutinesReport:
    """The answer, of one moment. Raises CannotWorkError, TargetGoneError, TargetTimeoutError,
    NotPermittedError; UsageError where none is chosen, and none could be: the name is misspelt."""
    report = _answer(target, asked, timeout, progress)
    if not report.goroutines and (asked.chosen.within or asked.chosen.state):
        from goprobe.analysis.locals.misspelt import refuse_misspelt  # for mistakes only

        refuse_misspelt(target, asked.chosen)
    return report


def _answer(
    target: AnyTarget,
    asked: GoroutineQuestions,
    timeout: float,
    progress: Callable[[str], None],
) -> GoroutinesReport:
    if not asked.waits and not asked.leaked and not asked.locals:
        return goroutines(target, stacks=asked.stacks, each=asked.each, chosen=asked.chosen)
    if not asked.waits and not asked.leaked:
        from goprobe.analysis.locals.locals import with_locals

        return with_locals(
            target,
            stacks=asked.stacks,
            each=asked.each,
            chosen=asked.chosen,
            timeout=timeout,
            progress=progress,
        )
    from goprobe.analysis.waits.waits import in_graph

    return in_graph(
        target,
        stacks=asked.stacks,
        each=asked.each,
        only_leaked=asked.leaked,
        deadlocks=asked.waits,
        chosen=asked.chosen,
        more=_variables if asked.locals else None,
        timeout=timeout,
        progress=progress,
    )


def _variables(world: World, states: Sequence[GoroutineState]) -> tuple[GoroutineState, ...]:
    from goprobe.analysis.locals.locals import Locals  # brings all of trace's values along

    return Locals(world).of(states)
