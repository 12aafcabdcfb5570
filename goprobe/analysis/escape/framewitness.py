"""Which instructions show that what a line makes lies in the frame: those that use parts of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goprobe.analysis.escape.codeplaces import LineFacts, StackWitness

_PARTS, _USES = 6, 3


def uses_of_the_frame(fact: LineFacts) -> list[StackWitness]:
    """Where a line takes the addresses of parts of its frame, a few of each; if it takes none,
    where it first uses one; one that may be a register's only if there is no other."""
    taken = [w for w in fact.stack if w.taken]
    if not taken:
        return sorted(fact.stack, key=lambda w: (w.saved, w.moved))[:1]
    uses: dict[tuple[int, int], list[StackWitness]] = {}
    for witness in taken:
        uses.setdefault(witness.part, []).append(witness)
    return [w for of_part in list(uses.values())[:_PARTS] for w in of_part[:_USES]]


def used_below(
    below: Mapping[int, Sequence[LineFacts]], function: str
) -> tuple[int, StackWitness] | None:
    """The address of what a line makes is often taken only where it is used: the first line `below`
    that takes one. Not where bodies are inlined, which have addresses of their own to take."""
    for line, facts in below.items():
        for fact in facts:
            taken = [w for w in fact.stack if w.taken]
            if fact.function == function and taken and not fact.inlined:
                return line, taken[0]
    return None
