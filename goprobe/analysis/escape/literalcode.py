"""Which machine function is whose, where function literals begin on one line.

The compiler counts the literals of a function in the order of their text, those of a literal anew
(closureName, cmd/compile/internal/ir/func.go, Go 1.21 to 1.27).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from goprobe.analysis.escape.codeplaces import LineFacts
from goprobe.analysis.escape.predictions import inlined_by
from goprobe.analysis.escape.score import same_function
from goprobe.analysis.escape.siteplan import SitePlan

_NUMBERED = re.compile(r"(.+\.func)(\d+(?:\.\d+)*)")
_INSIDE = re.compile(r"\.func|\.\d+(?=$|[.-])")

_Numbers = tuple[int, ...]
_Either = tuple[frozenset[int], ...]


def literals_on(facts: Iterable[LineFacts]) -> set[str]:
    """The function literals of a line that has the code around them, too."""
    names = {f.function for f in facts if not f.wrapper}
    return {n for n in names if any(_is_inside(n, outer) for outer in names)}


def _is_inside(name: str, outer: str) -> bool:
    return name.startswith(outer) and bool(_INSIDE.match(name, len(outer)))


def of_its_literal(plan: SitePlan, facts: Sequence[LineFacts]) -> tuple[list[LineFacts], _Either]:
    """Of several literals' code that of the one in which a site stands; where that is not known
    all of it may be, and the machine functions of which but one is."""
    predicted = plan.predicted
    if plan.calls or predicted.function or not predicted.in_literal:
        return list(facts), ()
    groups: dict[str, dict[_Numbers, LineFacts]] = {}
    for fact in facts:
        match = _NUMBERED.fullmatch(fact.function)
        if match and not fact.wrapper:
            numbers = tuple(map(int, match[2].split(".")))
            groups.setdefault(match[1], {})[numbers] = fact
    others: set[int] = set()
    either: list[frozenset[int]] = []
    for group in groups.values():
        own = _own(plan, group)
        others |= {f.entry for f in group.values()} - {f.entry for f in own}
        if len(own) > 1:
            either.append(frozenset(f.entry for f in own))
    return [f for f in facts if f.entry not in others], tuple(either)


def _own(plan: SitePlan, group: dict[_Numbers, LineFacts]) -> list[LineFacts]:
    predicted, numbers = plan.predicted, sorted(group)
    if len(numbers) == predicted.literals and all(_follows(a, b) for a, b in pairwise(numbers)):
        return [group[numbers[predicted.literal - 1]]]
    callees = inlined_by(predicted.messages)
    holding = [
        fact
        for fact in group.values()
        if any(same_function(name, callee) for name in fact.inlined for callee in callees)
    ]
    return holding or list(group.values())


def _follows(one: _Numbers, other: _Numbers) -> bool:
    """Whether no literal can stand between two in the text: the first inside, or the next."""
    depth = len(other) - 1
    if one[:depth] != other[:depth]:
        return False
    return other[depth] == (one[depth] + 1 if len(one) > depth else 1)
