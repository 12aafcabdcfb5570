"""A traced program run under goprobe, and what it says at each stop held against the witness."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import UNSET

import goprobe
from goprobe.model.attached import CallSite
from goprobe.model.trace import Frame
from goprobe.model.value import Variable
from scripts.truths.answer import Answer, not_told, right, wrong
from scripts.truths.kind import UNOPTIMIZED, Case
from scripts.truths.variables.places import Place, Places
from scripts.truths.variables.scope import Var
from scripts.truths.variables.told import Node, UntoldError, differences, same_type, type_name
from scripts.truths.variables.visits import (
    Expected,
    Level,
    Visit,
    aligned,
    expected,
    twins_of,
    witnessed,
)

_SECONDS = 60.0
_MOST_STOPS = 120


def visits_of(case: Case) -> list[Visit]:
    """The stops that goprobe came to, as `ask` notes them."""
    visits = case.program.notes["visits"]
    assert isinstance(visits, list)
    return visits


def ask(case: Case) -> Iterator[Answer]:
    stops = expected(witnessed(case), lines=case.build.name != "stripped")[:_MOST_STOPS]
    breaks = tuple(dict.fromkeys(stop.where for stop in stops))
    if not breaks:
        return
    visits_of(case).clear()
    said = case.directory / "said"
    with said.open("wb") as output, said.open("rb") as read:
        coming, places = iter(stops), Places(read, case.binary)
        # A stack that shrinks moves between the line that prints an address and the stop.
        still = {"GODEBUG": "gcshrinkstackoff=1"} if case.build is UNOPTIMIZED else {}
        program = goprobe.launch(
            str(case.binary), timeout=_SECONDS, stdout=output.fileno(), env=still
        )
        with program:
            for stop in program.run(breaks):
                wanted = next(coming, None)
                if wanted is None and len(stops) == _MOST_STOPS:
                    break
                if wanted is None or stop.where != wanted.where:
                    told = f"{stop.where} at {stop.function} line {stop.line}"
                    truth = f"{wanted.where} line {wanted.levels[0].site.line}" if wanted else "end"
                    yield wrong("the next stop", truth=truth, told=told)
                    return
                visits_of(case).append(
                    Visit(int(stop.pc) - places.bias(program.pid), wanted.levels)
                )
                yield from _at_stop(case, stop, wanted, places)
        missed = next(coming, None)
        if missed is not None:
            yield wrong("the next stop", truth=missed.where, told="the program's end")


def _at_stop(case: Case, stop: goprobe.Stop, wanted: Expected, places: Places) -> Iterator[Answer]:
    here = f"{wanted.where}, site {wanted.levels[0].site.number}"
    chosen = yield from _chosen(case, here, stop.frames, wanted.levels)
    if chosen is None or case.build.name == "stripped":
        return
    yield from _of_frames(here, stop.frames, stop.variables, chosen, wanted.levels)
    level, index = wanted.levels[0], chosen[0]
    asked, mine = _in_frame(here, stop.frames, stop.variables, index, level)
    printed = places.newest(level.site.number)
    yield from _of_places(asked, mine, level, printed, places, stop)


def held_against(
    case: Case,
    here: str,
    frames: Sequence[Frame | CallSite],
    variables: Sequence[Variable],
    levels: tuple[Level, ...],
) -> Iterator[Answer]:
    """Frames and their variables, as they were told, against the witness's."""
    chosen = yield from _chosen(case, here, frames, levels)
    if chosen is not None and case.build.name != "stripped":
        yield from _of_frames(here, frames, variables, chosen, levels)


def _chosen(
    case: Case, here: str, frames: Sequence[Frame | CallSite], levels: tuple[Level, ...]
) -> Generator[Answer, None, list[int] | None]:
    """Which of the frames are the witness's; None where they are others."""
    own = [(i, f) for i, f in enumerate(frames) if Path(f.file).name == "main.go"]
    ends = {-1, len(frames) - 1}
    ends |= {i - 1 for i, f in enumerate(frames) if f.function.startswith("runtime.")}
    by_runtime = frozenset(n for n, (i, _) in enumerate(own) if i in ends)
    returning = frozenset(n for n, (i, _) in enumerate(own) if _is_returning(frames, i))
    wrapped = twins_of(case).wrapped
    chosen = aligned([f.line for _, f in own], levels, wrapped, by_runtime, returning)
    if chosen is None:
        truth = f"lines {[level.site.line for level in levels]}"
        told = f"lines {[f.line for _, f in own]}: {[f.function for f in frames]}"
        yield wrong(f"{here}: frames", truth=truth, told=told)
        return None
    yield right(f"{here}: frames")
    return [own[i][0] for i in chosen]


def _of_frames(
    here: str,
    frames: Sequence[Frame | CallSite],
    variables: Sequence[Variable],
    chosen: Sequence[int],
    levels: tuple[Level, ...],
) -> Iterator[Answer]:
    for index, level in zip(chosen, levels, strict=True):
        site = level.site
        if _is_returning(frames, index) and frames[index].line not in (site.line, site.also):
            continue  # other variables are in scope there than where the twin stands
        asked, mine = _in_frame(here, frames, variables, index, level)
        yield from _of_frame(asked, mine, level)


def _is_returning(frames: Sequence[Frame | CallSite], index: int) -> bool:
    """Whether a frame's function runs what it deferred, at its end."""
    return index > 0 and frames[index - 1].function == "runtime.deferreturn"


def _in_frame(
    here: str,
    frames: Sequence[Frame | CallSite],
    variables: Sequence[Variable],
    index: int,
    level: Level,
) -> tuple[str, list[Variable]]:
    """What is asked, and what was told of that frame."""
    frame = frames[index]
    mine = [v for v in variables if v.frame == index and v.function == frame.function]
    if level.site.kind == "entry":  # declarations without code lie before where it stopped
        mine = [v for v in mine if v.line is UNSET or not level.site.line < v.line < frame.line]
    return f"{here}, frame {index} {frame.function}", mine


def _of_places(
    asked: str,
    told: Sequence[Variable],
    level: Level,
    printed: Mapping[int, Place],
    places: Places,
    stop: goprobe.Stop,
) -> Iterator[Answer]:
    """Where the variables lie whose places the program printed."""
    for variable in level.values:
        same = [
            v
            for v in told
            if (v.name, v.line) == (variable.name, variable.line) and v.value is not UNSET
        ]
        if variable.number in printed and len(same) == 1:
            which = f"{asked}: {variable.name} (line {variable.line})"
            yield from places.judged(which, printed[variable.number], same[0], stop.report)


def _of_frame(where: str, told: list[Variable], level: Level) -> Iterator[Answer]:
    matched: set[int] = set()
    body = level.site.body
    own = {(v.name, v.line) for v in level.values if v.body is body}
    taken: set[str] = set()
    for variable, node in level.values.items():
        mine = variable.body is body
        captured = not mine and variable in body.captured
        if mine:
            same = [v for v in told if (v.name, v.line) == (variable.name, variable.line)]
        else:  # the compiler gives a captured variable its own line, or one of the closure's
            same = [
                v
                for v in told
                if v.name == variable.name
                and (v.name, v.line) not in own
                and v.line is not UNSET
                and v.name not in taken
            ]
            taken.add(variable.name)
        if not same and innermost(level, variable.name) is variable:
            # Found through a call's arguments: no line is known.
            same = [v for v in told if v.name == variable.name and v.line is UNSET]
        matched.update(map(id, same))
        if same or mine or captured:
            yield _of_variable(f"{where}: {variable.name} (line {variable.line})", same, node)
    for v in told:
        if id(v) not in matched and v.value is not UNSET:
            yield wrong(
                f"{where}: {v.name} (line {v.line})",
                truth="no such variable in scope",
                told=f"{v.value.text} ({v.state}: {v.why})",
            )
    yield from _in_force(where, told, level)


def innermost(level: Level, name: str) -> Var | None:
    """What a name means at a level's site."""
    return next((v for v in level.site.variables if v.name == name), None)


def _in_force(where: str, told: list[Variable], level: Level) -> Iterator[Answer]:
    """Of several variables of a name the first told is the one that the name means."""
    own = {(v.name, v.line): v for v in level.values if v.body is level.site.body}
    names: dict[str, list[Variable]] = {}
    for v in told:
        names.setdefault(v.name, []).append(v)
    for name, variants in names.items():
        meant = innermost(level, name)
        if meant is None or len(variants) < 2:
            continue
        found = [own.get((v.name, v.line or 0)) for v in variants]
        if meant.body is not level.site.body:
            meant = None
        if found[0] is not meant and meant in found:
            yield wrong(
                f"{where}: which {name}",
                truth=f"that of line {meant and meant.line}",
                told=f"in the order {[v.line for v in variants]}",
            )


def _of_variable(asked: str, told: list[Variable], node: Node) -> Answer:
    with_value = [v for v in told if v.value is not UNSET]
    if not told:
        return not_told(asked, "no entry")
    if not with_value:
        return not_told(asked, f"{told[0].state}: {_reason(told[0].why)}")
    if len(with_value) > 1:
        return wrong(asked, truth="one variable", told=f"{len(with_value)} of that name and line")
    variable = with_value[0]
    if not same_type(variable.type, type_name(node)):
        return wrong(asked, truth=f"type {type_name(node)}", told=variable.type)
    try:
        found = differences(node, variable)
    except UntoldError as error:
        return not_told(asked, f"a part: {_reason(str(error))}")
    if found:
        told_as = f"{variable.value.text!r} ({variable.state} {variable.why})"  # type: ignore[union-attr]
        return wrong(asked, truth="; ".join(found[:3]), told=told_as[:600])
    return right(asked)


def _reason(text: str) -> str:
    """Why, without what is of this place only."""
    words = ["N" if any(c.isdigit() for c in w) else w for w in text.split()]
    return " ".join(words)[:80]
