"""`goprobe goroutines`: every goroutine of a running process, where it stands and why."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from msgspec import UNSET

from goprobe.analysis.audit import finished
from goprobe.analysis.goroutines.audit import audit_goroutines
from goprobe.analysis.goroutines.chosen import EVERY, Chosen
from goprobe.analysis.goroutines.differing import shared_frames
from goprobe.analysis.goroutines.filled import Moment, choice, clock, filled, notes
from goprobe.analysis.goroutines.traceback import Describer, traceback_of
from goprobe.errors import CannotWorkError, CopyLostError, UnreadableError
from goprobe.model.attached import (
    Creation,
    GoroutineGroup,
    GoroutinesReport,
    GoroutineState,
)
from goprobe.process.memory.memory import ProcessMemory
from goprobe.runtime.goroutines.labels import read_labels
from goprobe.runtime.image.modules import Modules, read_modules
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.world import World
from goprobe.target.live import AnyStopped, AnyTarget, StoppedChild

Surveyed = tuple[AnyStopped, tuple[GoroutineState, ...], int, int]


def goroutines(
    target: AnyTarget, *, stacks: bool = False, each: bool = False, chosen: Chosen = EVERY
) -> GoroutinesReport:
    """The goroutines of one stop; with `stacks` their frames, grouped unless `each` is wanted.

    Raises CannotWorkError where the runtime's list of goroutines cannot be read.
    """
    # Only this question needs numpy, which takes a moment to load.
    from goprobe.analysis.goroutines.survey import still, survey

    modules = known_modules(target)

    def surveyed(by_child: bool) -> Surveyed:
        with still(target, by_child=by_child) as (stopped, rehearsed):
            return stopped, *survey(stopped, modules, clock(target), rehearsed)

    try:
        try:
            stopped, states, dead, unreadable = surveyed(True)
        except CopyLostError:  # memory ran short, say: it is read while it stands
            stopped, states, dead, unreadable = surveyed(False)
    except UnreadableError as error:
        raise CannotWorkError(
            f"the goroutines of process {target.pid} cannot be read: {error.why}"
        ) from None
    how = "fork" if isinstance(stopped, StoppedChild) else "stop"
    moment = Moment(pause_us=stopped.pause_us, snapshot=how, dead=dead, unreadable=unreadable)
    wanted = chosen.of(states)
    groups = () if each else chosen.sorted(group(wanted))
    answers = {**choice(chosen, states), "notes": notes(chosen, states, clock(target))}
    report = filled(target, moment, wanted, groups, stacks=stacks, **answers)
    return finished(report, audit_goroutines(report), target.doubts)


def known_modules(target: AnyTarget) -> Modules:
    """The program's modules; they hardly ever change, so that this needs no stop."""
    memory = target.reader()
    try:
        return read_modules(memory, target.layout, target.root("firstmoduledata"))
    except (UnreadableError, KeyError) as error:
        return Modules((), f"the modules cannot be read: {error}")
    finally:
        if isinstance(memory, ProcessMemory):
            memory.close()


def goroutine_states(world: World, now: int) -> tuple[GoroutineState, ...]:
    """Every goroutine of a process that stands still, one by one, dead ones left out."""
    stacks = Stacks(world)
    known = world.goroutines
    tids = {t.address: t.tid for t in known.threads}
    labels = read_labels(world.memory, world.layout, (g.labels for g in known.all if not g.dead))
    describer = Describer(stacks, tids, known.wait_reasons, now, labels)
    states = []
    for g in known.all:
        if not g.dead:
            stands = traceback_of(stacks, g, describer.name_of(g.start))
            states.append(describer.describe(g, stacks.stack_pointer(g), stands))
    return tuple(states)


def group(states: Sequence[GoroutineState]) -> tuple[GoroutineGroup, ...]:
    """Goroutines with the same status, reason and stack together, largest group first."""
    alike: dict[tuple[object, ...], list[GoroutineState]] = defaultdict(list)
    stacks: dict[int, tuple[int, ...]] = {}  # by the frames themselves, which many share
    for s in states:
        frames = s.frames if s.frames is not UNSET else ()
        if id(frames) not in stacks:
            stacks[id(frames)] = tuple(f.pc for f in frames)
        alike[(s.status, s.wait_reason, stacks[id(frames)])].append(s)
    groups = [_group(members) for members in alike.values()]
    return tuple(sorted(groups, key=lambda g: (-g.count, g.ids[0])))


def _group(members: Sequence[GoroutineState]) -> GoroutineGroup:
    first = members[0]
    times = [s.waiting_us for s in members if s.waiting_us is not UNSET]
    return GoroutineGroup(
        count=len(members),
        status=first.status,
        wait_reason=first.wait_reason,
        ids=tuple(sorted(m.id for m in members)),
        frames=shared_frames(members),
        frames_end=first.frames_end,
        created=_created(members),
        least_waiting_us=min(times, default=UNSET),
        most_waiting_us=max(times, default=UNSET),
        stack_bytes=sum(m.stack.high - m.stack.low for m in members),
    )


def _created(members: Iterable[GoroutineState]) -> tuple[Creation, ...]:
    """Where they were made, the most frequent place first."""
    counts = Counter(
        (
            s.created_by,
            *(("", 0) if s.created_at is UNSET else (s.created_at.file, s.created_at.line)),
        )
        for s in members
        if s.created_by
    )
    return tuple(Creation(count, *place) for place, count in counts.most_common())
