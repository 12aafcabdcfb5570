"""What the types of calls say of the sites that they may be for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from goprobe.analysis.escape.allocationcall import AllocationCall
from goprobe.analysis.escape.boxes import Boxes, fits
from goprobe.analysis.escape.expressions import ExpressionShape, same_type
from goprobe.analysis.escape.predictions import Predicted
from goprobe.analysis.escape.score import HINT, STRONG, cannot_be
from goprobe.analysis.escape.siteplan import SitePlan
from goprobe.analysis.escape.unpredicted import Anchored, TypeName
from goprobe.model.escape import Prediction
from goprobe.runtime.allocatorcalls import Family

_OBJECT = Family.OBJECT
_PARTS = re.compile(r"map|go\.shape")
_CONVERSIONS = frozenset((Family.TO_STRING, Family.TO_BYTES))
_BOX = frozenset((Family.CONVERT,))
_MAKES = frozenset((Family.SLICE, Family.OBJECT))
_AS_A_CALL = _CONVERSIONS | _BOX
BY_ORDER = "{} alike on this line: which call is whose is told by order"


class CallTypes:
    """`type_name` names a type descriptor, `boxes` tell which calls may box an expression in a
    function."""

    def __init__(self, type_name: TypeName, boxes: Boxes) -> None:
        self._type_name, self._boxes = type_name, boxes

    def score(self, call: AllocationCall, shape: ExpressionShape) -> int:
        """By the type that a call names and the one that stands in the expression."""
        name = self._name(call)
        if not name or not shape.type:
            return 0
        made = shape.families - _BOX == _MAKES and not shape.type.startswith("]")
        if made and call.allocator.family is _OBJECT:
            # Memory of no type is a make's at most (walkMakeSliceCopy, cmd/compile/internal/walk/
            # builtin.go, Go 1.21 to 1.27), or an array: one element alone is something else.
            return STRONG if same_type(f"]{shape.type}", name, exact=False) else -2 * STRONG
        if same_type(shape.type, name, shape.exact):
            return STRONG
        # Of objects the whole name is there, but for a map's parts and what a shape stands for.
        sure = call.allocator.family is _OBJECT and shape.exact and not _PARTS.search(name)
        return -2 * STRONG if sure and "[go.shape" not in shape.type else -STRONG

    def conversion_score(self, anchored: Anchored, predicted: Predicted) -> int:
        """What is written as a call may convert, where it is one of a type; no function does."""
        family = anchored.call.allocator.family
        if family not in _CONVERSIONS or predicted.shape.families | _BOX != _AS_A_CALL:
            return 0
        kinds = self._boxes.converts(predicted, anchored.function)
        if kinds is None:
            return -HINT
        return 0 if family in kinds else -4 * STRONG

    def box_score(self, anchored: Anchored, predicted: Predicted) -> int:
        """By the type of what becomes an interface's value."""
        if anchored.call.allocator.family is not Family.CONVERT:
            value = not predicted.moved and self._boxes.is_value(predicted, anchored.function)
            return -4 * STRONG if value else 0
        fitting = self._boxes_it(anchored.call, anchored.function, predicted)
        if fitting is None:
            return 0
        return STRONG if fitting else -4 * STRONG

    def tell_doubt(self, plan: SitePlan, on_line: Sequence[SitePlan]) -> None:
        """Whether what boxes a site may as well be for another of its line, and the other way
        round: then their order alone told which is which."""
        boxes = _boxes_of(plan)
        if not boxes:
            known = self._boxes.of(plan.predicted, plan.function)
            boxed = plan.predicted.shape.families <= {Family.CONVERT, Family.OBJECT}
            plan.told_apart = boxed and not plan.calls and known is not None and not known
            return
        # Those of several machine functions need not be one site's at all.
        several = len({box.entry for box in boxes}) > 1
        sure = all(self._boxes_it(box, box.outer.function, plan.predicted) for box in boxes)
        rivals = [
            other
            for other in on_line
            if other is not plan
            # What is known to need a box has its own: what is not known to has another, or none.
            and (other.calls or not sure or self._is_known(other))
            and any(self._may_box(box, other, plan) for box in boxes)
            and (
                several or any(self._may_box(box, plan, other) for box in _boxes_of(other) or boxes)
            )
        ]
        plan.told_apart = not rivals
        without = [rival for rival in rivals if not rival.calls]
        for rival in without:
            rival.bereft = True
        for each in [plan, *without] if rivals else ():
            each.ambiguous = each.ambiguous or BY_ORDER.format(len(rivals) + 1)

    def _may_box(self, box: AllocationCall, plan: SitePlan, other: SitePlan) -> bool:
        predicted = plan.predicted
        if (
            plan.function != other.function
            or predicted.in_literal is not other.predicted.in_literal
            or predicted.parameter
            or predicted.prediction is not Prediction.HEAP
            or predicted.shape.constant
            or cannot_be(box, predicted)
            or Family.CONVERT not in predicted.shape.families
        ):
            return False
        fitting = self._boxes_it(box, box.outer.function, predicted)
        return self.score(box, predicted.shape) >= 0 if fitting is None else fitting

    def _boxes_it(self, call: AllocationCall, function: str, predicted: Predicted) -> bool | None:
        """Whether a call may make an interface's value of an expression, None where that is not
        known, or it makes something else."""
        if call.allocator.family is not Family.CONVERT:
            return None
        return fits(self._boxes.of(predicted, function), call.allocator.symbol, self._name(call))

    def _is_known(self, plan: SitePlan) -> bool:
        return self._boxes.of(plan.predicted, plan.function) is not None

    def _name(self, call: AllocationCall) -> str:
        return self._type_name(call.type) if call.type else ""


def _boxes_of(plan: SitePlan) -> list[AllocationCall]:
    return [call for call in plan.calls if call.allocator.family is Family.CONVERT]
