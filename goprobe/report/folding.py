"""What stands in a row again and again: the frames of functions that call themselves."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from goprobe.model.attached import CallSite
from goprobe.model.trace import Frame

_LONGEST = 8  # calls of one round: a parser's expression, term, factor, ...
_LEAST = 3  # times
_FIRST = 2  # times, of a recursion whose middle is left out


class Round(msgspec.Struct, frozen=True):
    """So many frames from `start` on, which stand there so many times, one behind the other."""

    start: int
    length: int
    times: int


def rounds(frames: Sequence[Frame | CallSite]) -> list[Round]:
    """All frames in their order, by where each stands; what is not repeated is a round of one."""
    places = [(frame.function, frame.pc, frame.line) for frame in frames]
    told: list[Round] = []
    at = 0
    while at < len(places):
        told.append(_round_at(places, at))
        at += told[-1].length * told[-1].times
    return told


def middles(frames: Sequence[Frame | CallSite]) -> dict[int, range]:
    """The frames between a recursion's first rounds and its last, by the first of them."""
    inner: dict[int, range] = {}
    for each in rounds(frames):
        low = each.start + _FIRST * each.length
        high = each.start + (each.times - 1) * each.length
        if high - low > 1:
            inner[low] = range(low, high)
    return inner


def _round_at(places: Sequence[tuple[str, int, int]], at: int) -> Round:
    """The shortest that begins there and is repeated often enough."""
    for length in range(1, _LONGEST + 1):
        end = at + length
        while end < len(places) and places[end] == places[end - length]:
            end += 1
        times = (end - at) // length
        if times >= _LEAST:
            return Round(at, length, times)
    return Round(at, 1, 1)
