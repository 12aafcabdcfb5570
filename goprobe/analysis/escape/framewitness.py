"""Which instructions show that what a line makes lies in the frame: those that use parts of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goprobe.analysis.escape.codeplaces import LineFacts, StackWitness
from goprobe.analysis.escape.predictions import inlined_by
from goprobe.analysis.escape.score import same_function
from goprobe.analysis.escape.siteplan import SitePlan

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


def share_out(plans: Sequence[SitePlan], others: Sequence[SitePlan]) -> None:
    """Leaves to each site of a line that lives in the frame what may be its own, by what is inlined
    where it stands, and tells for how many that may be meant, among them `others` that have calls
    as well."""
    callees = {id(plan): inlined_by(plan.predicted.messages) for plan in plans}
    claimed = [callee for of_plan in callees.values() for callee in of_plan]
    for plan in plans:
        own, argument = callees[id(plan)], plan.predicted.expression == "... argument"
        mine = [
            w for w in plan.witnesses
            if _is_of(w, own) or ((argument or not own) and not _is_of(w, claimed))
        ]  # fmt: skip
        plan.witnesses = mine or plan.witnesses
    for plan in plans:
        used = {w.pc for w in plan.witnesses}
        plan.sharing = sum(
            any(w.pc in used for w in other.witnesses) for other in (*plans, *others)
        )


def _is_of(witness: StackWitness, callees: Sequence[str]) -> bool:
    return bool(witness.inlined) and any(same_function(witness.inlined, c) for c in callees)
