"""Allocation sites as a program's own runtime.MemProfile tells them, and as goprobe does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from goprobe.model.sites import Site

_MEMPROFILE_DEPTH = 32  # MemProfileRecord.Stack0 has room for so many

Stack = tuple[tuple[str, str, int], ...]
Counts = tuple[int, int, int, int]


def _stack(told: str) -> Stack:
    frames = (frame.partition("@") for frame in told.rstrip(";").split(";"))
    places = ((function, *place.rsplit(":", 1)) for function, _, place in frames)
    return tuple((function, file, int(line)) for function, file, line in places)


def told_sites(lines: Iterable[str]) -> dict[Stack, Counts]:
    """runtime.MemProfile's records by stack. The program's own of telling are left out."""
    sums: dict[Stack, Counter[int]] = {}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "memory" and "main.tell@" not in rest:
            *counts, stack = rest.split(" ", 4)
            sums.setdefault(_stack(stack), Counter()).update(dict(enumerate(map(int, counts))))
    return {stack: (each[0], each[1], each[2], each[3]) for stack, each in sums.items()}


def seen_sites(sites: Iterable[Site], depth: int = _MEMPROFILE_DEPTH) -> dict[Stack, Counts]:
    sums: dict[Stack, Counter[int]] = {}
    for s in sites:
        stack = tuple((f.function, f.file, f.line) for f in s.stack)[:depth]
        counts = (s.alloc_objects, s.alloc_bytes, s.inuse_objects, s.inuse_bytes)
        sums.setdefault(stack, Counter()).update(dict(enumerate(counts)))
    return {stack: (each[0], each[1], each[2], each[3]) for stack, each in sums.items()}
