"""In words: which part of a process's memory is larger than it needs to be, and what would change
that. What those parts are is worked out in `surprises` and `outside`."""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.analysis.memory import parts as names
from goprobe.analysis.memory.facts import Facts
from goprobe.analysis.memory.outside import outside
from goprobe.analysis.memory.surprises import of_go
from goprobe.model.memory import KernelMemory, MemoryPart, Surprise

_WORTH_TELLING = 0.05  # of all that is resident
_LEAST = 1 << 20


def surprises(facts: Facts) -> tuple[Surprise, ...]:
    """The largest first."""
    least = max(int(facts.kernel.rss * _WORTH_TELLING), _LEAST)
    every = [each for each in (*of_go(facts), *outside(facts)) if each.bytes >= least]
    return tuple(sorted(every, key=lambda each: -each.bytes))


def verdict(
    parts: Sequence[MemoryPart], kernel: KernelMemory, surprising: Sequence[Surprise]
) -> str:
    """In words, of the largest surprise; of the largest part where there is none."""
    if surprising:
        return f"{surprising[0].says}: {surprising[0].change}"
    if not parts:
        return "nothing of it is in memory"
    largest = max(parts, key=lambda part: part.bytes)
    share = 100 * largest.bytes / max(kernel.rss, 1)
    more = ": goprobe heap PID --types --retained says of what, and who holds them"
    return (
        f"nothing is out of proportion; the largest part, {share:.0f} %, is {largest.name}"
        f"{more if largest.of == names.GO_HEAP else ''}"
    )
