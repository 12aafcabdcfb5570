"""What the code of a line says of its sites besides the calls that allocate: memory that is
there already, and memory of the frame that it uses."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from goprobe.analysis.escape.boxes import Boxes
from goprobe.analysis.escape.codeplaces import LineFacts, StaticKind
from goprobe.analysis.escape.framewitness import share_out, used_below, uses_of_the_frame
from goprobe.analysis.escape.literalcode import literals_on, of_its_literal
from goprobe.analysis.escape.predictions import inlined_by
from goprobe.analysis.escape.score import (
    same_function,
)
from goprobe.analysis.escape.siteplan import FileLine, SitePlan
from goprobe.model.escape import Prediction
from goprobe.runtime.allocatorcalls import Family


class LineCode:
    """`facts` have canonical file names; `boxes` tell what interfaces hold, by its type."""

    def __init__(self, facts: Mapping[FileLine, Sequence[LineFacts]], boxes: Boxes) -> None:
        self._facts, self._boxes = facts, boxes

    def complete(
        self, place: FileLine, plans: Sequence[SitePlan], sites: Collection[FileLine]
    ) -> None:
        on_line = self._facts.get(place, ())
        for plan in plans:
            facts = _of_its_function(plan, [f for f in on_line if relevant(f, plan)])
            facts, plan.either = of_its_literal(plan, facts)
            self._add_statics(plan, facts, plans)
            self._add_witnesses(plan, facts, sites)
        _share_out(plans, on_line)
        here = [p for p in plans if p.witnesses and p.witness_line == place[1]]
        share_out([p for p in here if p.in_frame], [p for p in here if not p.in_frame])
        for plan in plans:
            alike = [p for p in plans if _alike(p, plan) and not p.told_apart]
            doubt = any(p.calls for p in alike) and not (plan.ambiguous or plan.told_apart)
            if len(alike) > 1 and doubt:
                plan.ambiguous = (
                    f"{len(alike)} alike on this line: which call is whose is told by order"
                )

    def _add_statics(
        self, plan: SitePlan, facts: Sequence[LineFacts], on_line: Sequence[SitePlan]
    ) -> None:
        wanted = _STATICS.get(plan.predicted.expression, frozenset())
        for family in plan.families:
            wanted |= _STATICS_OF.get(family, frozenset())
        if any(_may_be_empty(p) for p in on_line) and not _may_be_empty(plan):
            wanted -= {StaticKind.ZEROBASE}
        if not self._is_constant(plan) and Family.CONVERT in plan.families:
            wanted -= {StaticKind.TEXT}
            if _constants(facts) <= sum(map(self._is_constant, on_line)):
                wanted -= {StaticKind.CONSTANT}
            if not _READY.isdisjoint(s.kind for f in facts for s in f.statics):
                wanted -= self._others(plan, on_line)
        if not plan.calls:
            plan.statics = [s for f in facts for s in f.statics if s.kind in wanted]

    def _is_constant(self, plan: SitePlan) -> bool:
        """Whether it is a literal, or one of a type of its own."""
        predicted = plan.predicted
        match = None if predicted.shape.constant else _OF_A_TYPE.fullmatch(predicted.expression)
        return predicted.shape.constant or bool(
            match and self._boxes.named(match[1], plan.function)
        )

    def _others(self, plan: SitePlan, on_line: Sequence[SitePlan]) -> frozenset[StaticKind]:
        """Which of the values that the runtime has ready are not what an interface holds here, by
        its type. Where that is not known, and another one may hold them as well, it is said."""
        own = self._ready(plan)
        if own is not None:
            return _READY - own
        boxed = (p for p in on_line if Family.CONVERT in p.families and not p.calls)
        kinds = [self._ready(p) for p in boxed if p is not plan and not self._is_constant(p)]
        mine = Family.CONVERT in plan.families and not plan.calls
        if mine and any(kind is None or kind for kind in kinds):
            plan.ambiguous = plan.ambiguous or _NOT_KNOWN
        return frozenset()

    def _ready(self, plan: SitePlan) -> frozenset[StaticKind] | None:
        """Which of the runtime's values it may be that becomes an interface's, by its type; None
        where that is not known, or it may be an empty slice's, too."""
        families = plan.families
        if self._is_constant(plan) or Family.CONVERT not in families or families & _SLICES:
            return None
        return self._boxes.ready(plan.predicted, plan.function)

    def _add_witnesses(
        self, plan: SitePlan, facts: Iterable[LineFacts], sites: Collection[FileLine]
    ) -> None:
        if plan.predicted.prediction is not Prediction.STACK and Family.GROW not in plan.families:
            return
        if not plan.statics and self._ready(plan):
            return
        for fact in facts:
            plan.witnesses += uses_of_the_frame(fact)
        plan.witness_line = plan.predicted.line
        if any(not w.saved for w in plan.witnesses) or plan.predicted.shape.temporary:
            return
        file = plan.predicted.file
        below = {
            n: self._facts.get((file, n), ())
            for n in plan.predicted.after
            if (file, n) not in sites
        }
        if witnesses := used_below(below, plan.function):
            plan.witness_line, witness = witnesses
            plan.witnesses = [witness]


_S = StaticKind
_VALUES = frozenset((_S.CONSTANT, _S.SMALL_VALUES, _S.ZERO_VALUE, _S.ZEROBASE, _S.TEXT))
_STATICS_OF = {
    Family.CONVERT: _VALUES,
    Family.OBJECT: frozenset((_S.ZEROBASE,)),
    Family.SLICE: frozenset((_S.ZEROBASE,)),
    Family.TO_BYTES: frozenset((_S.CONSTANT, _S.TEXT)),
}
_READY = frozenset((_S.SMALL_VALUES, _S.ZEROBASE))
_SLICES = frozenset((Family.SLICE, Family.MAP))
_OF_A_TYPE = re.compile(r"([\w.]+)\((?:-?\.?\d[\w.+]*|\"(?:[^\"\\]|\\.)*\"|'.+'|true|false)\)")
_NOT_KNOWN = "its type is not known: it may be another's of this line that lies there"
_STATICS = {"func literal": frozenset((_S.FUNCTION,))}


def relevant(fact: LineFacts, plan: SitePlan) -> bool:
    """Of several machine functions with code on a line (shapes, closures), those of the site."""
    if plan.calls:
        return any(fact.entry == c.entry for c in plan.calls)
    return not plan.predicted.function or same_function(fact.function, plan.predicted.function)


def _of_its_function(plan: SitePlan, facts: Sequence[LineFacts]) -> list[LineFacts]:
    """Where a function literal's code stands on the same line as the code around it: the one or
    the other, by whether the site lies in the literal's text. Wrappers are no literals, though up
    to Go 1.21 they are called so; what one does may be either's."""
    nested = literals_on(facts)
    if not nested:
        return list(facts)
    return [f for f in facts if f.wrapper or (f.function in nested) == plan.predicted.in_literal]


def _share_out(plans: Iterable[SitePlan], facts: Iterable[LineFacts]) -> None:
    """Of a line's function literals as many are static as there are functions on it whose address
    is taken (that of a literal which is inlined twice may be one): first those that escape and
    have no call which makes them."""
    literals: dict[str, list[SitePlan]] = {}
    for plan in plans:
        if plan.predicted.expression == "func literal" and plan.statics:
            literals.setdefault(_origin(plan), []).append(plan)
    ranked = sorted(literals.values(), key=lambda alike: _escapes(alike[0]), reverse=True)
    count = max((_functions(fact) for fact in facts), default=0)
    static, others = ranked[:count], ranked[count:]
    doubt = static and others and _escapes(static[-1][0]) == _escapes(others[0][0])
    for alike in others:
        for plan in alike:
            plan.statics = []
    for alike in ranked if doubt else ():
        for plan in alike:
            plan.ambiguous = plan.ambiguous or (
                f"{len(ranked)} function literals on this line: which is static is told by order"
            )


def _escapes(plan: SitePlan) -> bool:
    return plan.predicted.prediction is Prediction.HEAP


def _origin(plan: SitePlan) -> str:
    """The function that was inlined with a literal; of the others the column tells them apart."""
    inlined = inlined_by(plan.predicted.messages)
    return inlined[0] if inlined else str(plan.predicted.col)


def _functions(fact: LineFacts) -> int:
    return len({s.address for s in fact.statics if s.kind is StaticKind.FUNCTION})


def _may_be_empty(plan: SitePlan) -> bool:
    """Whether what a site makes may have no size, as far as its expression tells."""
    expression, shape = plan.predicted.expression, plan.predicted.shape
    if plan.predicted.parameter or plan.calls or shape.constant:
        return False
    filled = expression.endswith("{...}") and "struct {}" not in expression
    return not filled and expression not in _NEVER_EMPTY


_NEVER_EMPTY = ("... argument", "func literal", "append")


def _constants(facts: Iterable[LineFacts]) -> int:
    """How many constants the code of a line takes the address of."""
    kinds = StaticKind.CONSTANT
    return len({s.address for f in facts for s in f.statics if s.kind is kinds})


def _alike(one: SitePlan, other: SitePlan) -> bool:
    a, b = one.predicted, other.predicted
    return (a.shape, a.prediction, a.function) == (b.shape, b.prediction, b.function)
