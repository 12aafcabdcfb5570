"""The frames of goroutines that stand alike, with which of their variables differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import UNSET
from msgspec.structs import replace

from goprobe.model.attached import CallSite, Differing, GoroutineState
from goprobe.model.value import Variable

_MOST_VALUES = 8


def shared_frames(members: Sequence[GoroutineState]) -> tuple[CallSite, ...]:
    """Those of the first one, of whom variables are told where they are of any, and what differs
    in the others."""
    every = [m.frames for m in members if m.frames is not UNSET]
    once = {id(frames): frames for frames in every}  # most stand alike, and share their frames
    having = {at for at, frames in once.items() if _has_variables(frames)}
    if not having:
        return every[0] if every else ()
    told = [frames for frames in every if id(frames) in having]
    differing = [_differing(same) for same in zip(*told, strict=True)]
    return tuple(
        replace(frame, differing=some) if some else frame
        for frame, some in zip(told[0], differing, strict=True)
    )


def _has_variables(frames: Iterable[CallSite]) -> bool:
    return any(frame.variables is not UNSET for frame in frames)


_Which = tuple[str, object, int]
"""A variable of a frame: its name, where it is declared, and which of several like that it is."""


def _differing(frames: Sequence[CallSite]) -> tuple[Differing, ...]:
    values: dict[_Which, Counter[str]] = defaultdict(Counter)
    for frame in frames:
        for which, variable in _variables(frame):
            values[which][_text(variable)] += 1
    differing = []
    for index, (which, variable) in enumerate(_variables(frames[0])):
        counts = values[which]
        if len(counts) > 1:
            shown, more = tuple(counts.most_common(_MOST_VALUES)), len(counts) - _MOST_VALUES
            differing.append(Differing(variable.name, shown, max(more, 0), index))
    return tuple(differing)


def _variables(frame: CallSite) -> Iterator[tuple[_Which, Variable]]:
    seen: Counter[tuple[str, object]] = Counter()
    for variable in frame.variables if frame.variables is not UNSET else ():
        place = variable.name, variable.line
        yield (*place, seen[place]), variable
        seen[place] += 1


def _text(variable: Variable) -> str:
    """What is told of a value: of what is behind a pointer, too."""
    value = variable.value.text if variable.value is not UNSET else f"{variable.state}"
    if variable.data is UNSET or variable.data.text in value:
        return value
    return f"{value} {variable.data.text}"
