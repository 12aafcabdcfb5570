"""`goprobe goroutines --locals`: the variables of every frame of the program's own code, as `trace`
tells them, of goroutines that wait and of those that run.

The process is copied by a fork, which is read at leisure; where none can be made it stands while it
is read. Goroutines with the same stack share its frames: of a group those variables are told apart
that differ.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.audit import finished
from goprobe.analysis.goroutines.audit import audit_goroutines
from goprobe.analysis.goroutines.chosen import EVERY, Chosen
from goprobe.analysis.goroutines.filled import Moment, choice, filled, notes
from goprobe.analysis.goroutines.goroutines import group, known_modules
from goprobe.analysis.goroutines.survey import survey
from goprobe.analysis.locals.goroutineview import GoroutineView, registers_of
from goprobe.analysis.locate.locator import Locator
from goprobe.analysis.trace.trust import Judged
from goprobe.errors import CannotWorkError, CopyLostError, UnreadableError
from goprobe.model.attached import CallSite, GoroutinesReport, GoroutineState
from goprobe.model.value import Variable
from goprobe.process.fork.plan import NoForkError
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.stacks.alike import Alike
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.world import World
from goprobe.target.live import (
    PATIENCE,
    AnyTarget,
    StoppedChild,
    StoppedCore,
    forked_child,
    runtime_clock,
    stopped_target,
)

_MOST_OF_A_GROUP = 100
_MOST = 2000
_STRIPPED = "the program has no debug information: its variables have no names"

Progress = Callable[[str], None]


def with_locals(
    target: AnyTarget,
    *,
    stacks: bool = False,
    each: bool = False,
    chosen: Chosen = EVERY,
    timeout: float = PATIENCE,
    progress: Progress = lambda message: None,
) -> GoroutinesReport:
    """All goroutines with their variables, grouped unless `each` is wanted.

    Raises CannotWorkError, TargetGoneError, TargetTimeoutError, NotPermittedError.
    """

    def asked(standing: StoppedChild | StoppedCore, how: str) -> GoroutinesReport:
        try:
            return _report(target, standing, how, chosen, stacks=stacks, each=each)
        except UnreadableError as error:
            why = f"the goroutines of process {target.pid} cannot be read: {error.why}"
            raise CannotWorkError(why) from None

    if target.is_core:
        return asked(StoppedCore(target), "stop")
    try:
        with forked_child(target, timeout=timeout) as child:
            progress("reading the goroutines' variables")
            return asked(child, "fork")
    except (NoForkError, CopyLostError):
        with stopped_target(target, timeout=timeout) as stopped:
            standing = StoppedChild(target, stopped.world, stopped.memory, 0, runtime_clock())
            report = asked(standing, "stop")
            stopped.release()
            return replace(report, pause_us=stopped.pause_us)


def _report(
    target: AnyTarget,
    standing: StoppedChild | StoppedCore,
    how: str,
    chosen: Chosen,
    *,
    stacks: bool,
    each: bool,
) -> GoroutinesReport:
    every, dead, unreadable = survey(standing, known_modules(target), standing.at, None)
    moment = Moment(pause_us=standing.pause_us, snapshot=how, dead=dead, unreadable=unreadable)
    states = Locals(standing.world).of(chosen.of(every))
    groups = () if each else chosen.sorted(group(states))
    answers = {**choice(chosen, every), "notes": notes(chosen, every, standing.at)}
    report = filled(target, moment, states, groups, stacks=stacks, **answers)
    return finished(report, audit_goroutines(report), target.doubts)


class Locals:
    """Finds the variables of goroutines in a world that stands still."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._locator = Locator(world)
        self._stacks = Stacks(world)
        self._judged: Judged = {}
        self._alike = Alike()
        self._by_id = {g.id: g for g in world.goroutines.known if not g.dead}

    def of(self, states: Sequence[GoroutineState]) -> tuple[GoroutineState, ...]:
        """The states with variables in their frames, of as many as that is told of."""
        chosen = _chosen(states)
        return tuple(self._told(s, chosen.get(s.id, "")) for s in states)

    def _told(self, state: GoroutineState, why_not: str) -> GoroutineState:
        frames = state.frames if state.frames is not UNSET else ()
        if not any(frame.own for frame in frames):
            return state
        g = self._by_id.get(state.id)
        if self._world.program.stripped:
            why_not = _STRIPPED
        if why_not or g is None:
            return replace(state, why_no_locals=why_not or "it is not there any more")
        return self._with_variables(state, g, frames)

    def _with_variables(
        self, state: GoroutineState, g: Goroutine, frames: Sequence[CallSite]
    ) -> GoroutineState:
        registers = registers_of(self._world, g)
        view = GoroutineView(
            self._world, g, self._stacks, self._locator, registers, self._judged, self._alike
        )
        if [f.pc for f in view.frames] != [f.pc for f in frames]:
            return replace(state, why_no_locals="its stack was read at two places")
        by_frame: dict[int, list[Variable]] = defaultdict(list)
        for variable in view.variables():
            by_frame[variable.frame].append(variable)
        told = tuple(
            replace(frame, variables=tuple(by_frame[i])) if frame.own else frame
            for i, frame in enumerate(frames)
        )
        return replace(state, frames=told, why_no_locals="; ".join(view.lost))


def _chosen(states: Iterable[GoroutineState]) -> dict[int, str]:
    """Of whom no variables are told, and why: of very many, and of very many alike, the first."""
    left: dict[int, str] = {}
    alike: Counter[object] = Counter()
    total = 0
    for state in states:
        frames = state.frames if state.frames is not UNSET else ()
        key = tuple(frame.pc for frame in frames)
        if not any(frame.own for frame in frames):
            continue
        if alike[key] >= _MOST_OF_A_GROUP:
            left[state.id] = f"{_MOST_OF_A_GROUP} others with the same stack are told"
        elif total >= _MOST:
            left[state.id] = f"{_MOST:,} others are told"
        else:
            alike[key] += 1
            total += 1
    return left
