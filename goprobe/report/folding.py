"""What stands in a row again and again, told once: the frames of functions that call themselves."""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.model.attached import CallSite

_LONGEST = 8  # calls of one round: a parser's expression, term, factor, ...
_LEAST = 3  # rounds


def folded(sites: Sequence[CallSite]) -> list[tuple[Sequence[CallSite], int]]:
    """Frames in their order: rounds, each with how often it stands there, one behind the other."""
    told: list[tuple[Sequence[CallSite], int]] = []
    places = [(site.function, site.pc, site.line) for site in sites]
    at = 0
    while at < len(sites):
        length, times = _round_at(places, at)
        told.append((sites[at : at + length], times))
        at += length * times
    return told


def _round_at(places: Sequence[tuple[str, int, int]], at: int) -> tuple[int, int]:
    """The shortest round that begins there and is worth folding, else one frame, once."""
    for length in range(1, _LONGEST + 1):
        end = at + length
        while end < len(places) and places[end] == places[end - length]:
            end += 1
        times = (end - at) // length
        if times >= _LEAST:
            return length, times
    return 1, 1
