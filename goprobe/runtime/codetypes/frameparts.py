"""What a word means that is part of a variable of a frame which others get the address of."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from goprobe.arch.code import ObjectUses
from goprobe.runtime.types.shape import WORD, Meaning, Rule
from goprobe.runtime.types.shapes import Shapes

_TELLING = frozenset(
    {*(Rule.ONE, Rule.ARRAY, Rule.ANY, Rule.SLICE, Rule.TEXT), Rule.CHAN, Rule.FUNC, Rule.DIRECTORY}
)
Taken = Callable[[int, int, str], Meaning | None]
"""What the function at an address takes in a register, called at a pc."""


def part_of_variable(
    shapes: Shapes,
    variable: ObjectUses,
    place: int,
    taken: Taken,
    agreed: Callable[[Iterable[Meaning | None]], Meaning | None],
) -> Meaning | None:
    """At a place of the frame, from its CFA; None where one of those who get the variable's address
    does not say what it takes."""
    whole = agreed(
        None if use.into else taken(use.pc, use.target, use.register) for use in variable.uses
    )
    if whole is None or whole[0] not in (Rule.ONE, Rule.SLICE, Rule.ARRAY):
        return None
    shape, size = shapes[whole[1]], variable.high - variable.low
    if not shape.size or size % shape.size or (whole[0] is Rule.ONE and shape.size != size):
        return None
    into, (rules, told) = (place - variable.low) % shape.size, shape.rules
    if into % WORD or into // WORD >= len(rules):
        return None
    rule = Rule(int(rules[into // WORD]))
    return (rule, int(told[into // WORD])) if rule in _TELLING else None
