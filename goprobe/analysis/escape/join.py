"""Joins what the compiler said with the code that it made: one plan for each site.

The compiler's positions have columns, the code's have not. So what stands on one line is matched
by what kind of call can make it, by the type that the call names, by the functions inlined there,
and in the end by order; where that leaves a choice, the plan says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from msgspec.structs import replace

from goprobe.analysis.escape.allocationcall import AllocationCall
from goprobe.analysis.escape.boxes import Boxes
from goprobe.analysis.escape.calltypes import BY_ORDER, CallTypes
from goprobe.analysis.escape.codeplaces import LineFacts
from goprobe.analysis.escape.expressions import CLOSURE
from goprobe.analysis.escape.linecode import LineCode, relevant
from goprobe.analysis.escape.literalcode import literals_on
from goprobe.analysis.escape.predictions import Predicted, Predictions, inlined_by, is_formal
from goprobe.analysis.escape.score import (
    HINT,
    STRONG,
    cannot_be,
    converts_another,
    last_part,
    may_stand_in,
    parts_score,
    prediction_score,
    same_function,
)
from goprobe.analysis.escape.siteplan import FileLine, SitePlan
from goprobe.analysis.escape.unpredicted import Anchored, TypeName, Unpredicted
from goprobe.model.escape import Prediction
from goprobe.runtime.allocatorcalls import Family


class Joiner:
    """`facts` have canonical file names, which `canonical` gives for those of the binary; `own`
    says which of them are looked at; `type_name` names a type descriptor; `source` has the text of
    a file's line, "" where it is not at hand; `symbol_prefix` what stands before the names of a
    file's functions; `boxes` which calls may box an expression in a function."""

    def __init__(
        self,
        predictions: Predictions,
        facts: Mapping[FileLine, Sequence[LineFacts]],
        canonical: Callable[[str], str],
        own: Callable[[str], bool],
        type_name: TypeName,
        source: Callable[[str, int], str],
        symbol_prefix: Callable[[str], str],
        boxes: Boxes,
    ) -> None:
        self._predictions = predictions
        self._facts = facts
        self._canonical = canonical
        self._own = own
        self._source = source
        self._symbol_prefix = symbol_prefix
        self._boxes, self._types = boxes, CallTypes(type_name, boxes)
        self._surplus = Unpredicted(canonical, own, type_name)
        self._functions = dict.fromkeys(f.function for on_line in facts.values() for f in on_line)
        self._like: dict[str, list[str]] = {}
        for function in self._functions:
            self._like.setdefault(last_part(function), []).append(function)
        # Asked for each site whose line has no code.
        self._compiled = lru_cache(maxsize=None)(self._machine_function)

    def plans(self, calls: Iterable[AllocationCall]) -> list[SitePlan]:
        """All sites of own files, those that only the code knows included, by position."""
        plans = [
            self._plan(predicted)
            for predicted in self._predictions.sites
            if self._own(predicted.file)
        ]
        _tell_formals(plans)
        by_line: dict[FileLine, list[SitePlan]] = {}
        for plan in plans:
            if not plan.predicted.parameter:
                by_line.setdefault((plan.predicted.file, plan.predicted.line), []).append(plan)
        anchored: dict[FileLine, list[Anchored]] = {}
        for call in calls:
            if site := self._surplus.anchor(call):
                anchored.setdefault(site.place, []).append(site)
        left, doubtful = list[Anchored](), list[Anchored]()
        # First what line and type agree on; then by type alone, for the parts of a literal are made
        # on lines of their own; then what has a rule of its own; the rest was not predicted.
        for place, group in anchored.items():
            on_line = by_line.get(place, [])
            sure = [a for a in group if self._names_a_type_of(a, on_line)]
            left += self._assign(on_line, sure)
            doubtful += [a for a in group if a not in sure]
        for anchor in self._assign_by_type(plans, doubtful):
            left += self._assign(by_line.get(anchor.place, []), [anchor])
        left = self._assign_by_type(plans, self._assign_parameters(plans, left))
        self._attach_shared_blocks(plans, [a for group in anchored.values() for a in group])
        plans += self._surplus.plans(self._attach_moves(plans, left))
        for plan in plans:
            self._name_by_code(plan)
        code = LineCode(self._facts, self._boxes)
        for place, on_line in by_line.items():
            for plan in on_line:
                self._types.tell_doubt(plan, on_line)
            code.complete(place, on_line, by_line)
        plans.sort(key=lambda p: (p.predicted.file, p.predicted.line, p.predicted.col))
        return plans

    def _plan(self, predicted: Predicted) -> SitePlan:
        facts = self._facts.get((predicted.file, predicted.line), ())
        plan = SitePlan(predicted=predicted, function=self._function_name(predicted, facts))
        plan.code = any(relevant(fact, plan) for fact in facts)
        plan.alive = plan.code or plan.function in self._functions
        return plan

    def _function_name(self, predicted: Predicted, facts: Sequence[LineFacts]) -> str:
        """The machine function where there is one, else as the compiler names the last function
        declared above."""
        name = predicted.function
        of_it = [f for f in facts if not name or same_function(f.function, name)]
        if of_it:
            return of_it[0].function
        above = [
            declared
            for line, last, declared in self._predictions.declared.get(predicted.file, ())
            # A closure declared on the line is the thing itself, not the function around it.
            if line < predicted.line <= last or (line == predicted.line and ".func" not in declared)
        ]
        name = name or (above[-1] if above else "")
        prefix = self._symbol_prefix(predicted.file)
        if predicted.global_:
            return f"{prefix}init" if prefix else ""
        if not name:
            return ""
        return self._compiled(name) or f"{prefix}{name}"

    def _name_by_code(self, plan: SitePlan) -> None:
        """Up to Go 1.24 the compiler names no function: that of the code is the site's, where there
        is one; a literal's is not the one declared above."""
        if plan.predicted.function or plan.predicted.parameter:
            return
        anchored = (self._surplus.anchor(call) for call in plan.calls)
        functions = {a.function for a in anchored if a}
        if len(functions) == 1:
            (plan.function,) = functions

    def _machine_function(self, name: str) -> str:
        """The first that the compiler calls so, "" where there is none."""
        like = self._functions if "[" in name else self._like.get(last_part(name), ())
        return next((f for f in like if name and same_function(f, name)), "")

    # Calls to sites

    def _assign(self, plans: Sequence[SitePlan], group: Sequence[Anchored]) -> list[Anchored]:
        """Gives each call to the site that fits best; returns those that fit none."""
        left = []
        ended = sorted(plans, key=lambda p: (p.predicted.ends, p.predicted.col))
        for anchored in group:
            best, best_score = None, _REFUSED
            # What becomes an interface's value does so once all of it is there.
            for plan in ended if anchored.call.allocator.family is Family.CONVERT else plans:
                score = self._score(anchored, plan)
                # In one machine function a site is one CALL as a rule: a second is another's.
                same = [c for c in plan.calls if _is_another(c, anchored.call, plan)]
                score -= _ONCE * min(len(same), 1)
                # That its type fits both speaks for none.
                score -= max(self._types.box_score(anchored, plan.predicted), 0) * min(len(same), 1)
                score -= STRONG * any(converts_another(c, anchored.call) for c in same)
                if score > best_score:
                    best, best_score = plan, score
            if best is None:
                left.append(anchored)
            else:
                self._give(anchored, best, plans)
        return left

    def _give(self, anchored: Anchored, best: SitePlan, plans: Sequence[SitePlan]) -> None:
        """Gives a call to the best site. Where that has one in the same function already, and there
        is a variable of an inlined signature, of a type that nobody tells, which no call makes yet,
        both are made by one, as they stand."""
        call = anchored.call
        known = [c for c in best.calls if c.entry == call.entry]
        for plan in plans if known and not anchored.inlined else ():
            predicted = plan.predicted
            formal = predicted.moved and inlined_by(predicted.messages) and not predicted.shape.type
            other = formal and plan is not best and not plan.calls
            if other and self._may_be(call, predicted):
                plan.ambiguous = best.ambiguous = BY_ORDER.format(2)
                plan.calls.append(call)
                if predicted.col < best.predicted.col:
                    best.calls[best.calls.index(known[-1])], plan.calls[0] = call, known[-1]
                return
        best.calls.append(call)

    def _may_be(self, call: AllocationCall, predicted: Predicted) -> bool:
        shape, family = predicted.shape, call.allocator.family
        if family not in shape.families or shape.constant or cannot_be(call, predicted):
            return False
        sure = family is Family.ASSIGN or shape.type == CLOSURE
        return not sure or self._types.score(call, shape) >= 0

    def _score(self, anchored: Anchored, plan: SitePlan) -> int:
        call, predicted = anchored.call, plan.predicted
        if not self._may_be(call, predicted):
            return _REFUSED
        score = self._inlining_score(anchored, predicted)
        score += self._types.score(call, predicted.shape)
        score += self._types.box_score(anchored, predicted) or parts_score(call, predicted.shape)
        score += self._types.conversion_score(anchored, predicted)
        score += prediction_score(call, predicted.prediction)
        text = self._source(self._canonical(call.frames[0].file), call.frames[0].line)
        score -= 0 if may_stand_in(text, predicted) else STRONG
        score -= HINT if predicted.shape.boxed and call.allocator.family is Family.CONVERT else 0
        if predicted.function:
            # The compiler tells it of what escapes only: no reason to prefer that.
            same = same_function(anchored.function, predicted.function)
            boxes = call.allocator.family is Family.CONVERT
            score -= 0 if same else 3 * STRONG if boxes else 2 * HINT
        score -= STRONG + HINT if self._is_in_another_body(anchored, predicted) else 0
        # Generic code is compiled once for each shape of its types, and -m names the shape.
        shapes = [part for part in predicted.expression.split("go.shape.")[1:] if part]
        if shapes:
            word = shapes[0].split(",")[0].split("]")[0].split(" ")[0].split("{")[0].rstrip(")")
            score += HINT if f"go.shape.{word}" in anchored.function else -HINT
        return max(score, _REFUSED + 1)  # however unlikely, it is not impossible

    def _is_in_another_body(self, anchored: Anchored, predicted: Predicted) -> bool:
        """Whether a call stands in a function literal of its line and a site beside it, or the
        other way round."""
        facts = self._facts.get(anchored.place, ())
        literals = literals_on(facts)
        if not literals or any(f.wrapper and f.entry == anchored.call.entry for f in facts):
            return False
        frames = anchored.call.frames[: anchored.at + 1]
        return any(frame.function in literals for frame in frames) is not predicted.in_literal

    def _inlining_score(self, anchored: Anchored, predicted: Predicted) -> int:
        """What lies in an inlined body is reported at the column of the call inlined; so are the
        arguments of that call, which its caller makes."""
        if predicted.expression == "... argument":
            return 0
        inlined = self._predictions.inlined.get(anchored.place, [])
        if anchored.inlined:
            columns = {col for col, name in inlined if same_function(anchored.inlined, name)}
            return STRONG if predicted.col in columns else -STRONG
        if predicted.col not in {col for col, _ in inlined}:
            return STRONG
        # A variable of the inlined body is moved where the body begins, which is the call's line,
        # one of its signature before it; a result of it becomes an interface there, in the code of
        # the caller as all that does.
        if predicted.moved and predicted.shape.type:
            return STRONG
        if anchored.call.allocator.family is Family.CONVERT:
            return STRONG if is_formal(predicted) else -STRONG
        return 0 if predicted.moved or is_formal(predicted) else -STRONG

    def _assign_parameters(
        self, plans: Sequence[SitePlan], left: Sequence[Anchored]
    ) -> list[Anchored]:
        """A parameter is moved on its function's first line, wherever in the list it stands."""
        moved: dict[tuple[str, str], list[SitePlan]] = {}
        for plan in plans:
            if plan.predicted.moved and plan.predicted.in_signature and not plan.calls:
                moved.setdefault((plan.predicted.file, plan.function), []).append(plan)
        rest = []
        for anchored in left:
            below = [
                p
                for p in moved.get((anchored.place[0], anchored.function), ())
                if p.predicted.line > anchored.place[1]
            ]
            here = anchored.at == len(anchored.call.frames) - 1
            rest += self._assign(below if here else (), [anchored])
        return rest

    def _names_a_type_of(self, anchored: Anchored, on_line: Sequence[SitePlan]) -> bool:
        """Whether a site of the line may be what a call makes, by the type that the call names."""
        scores = [
            self._types.score(anchored.call, plan.predicted.shape)
            for plan in on_line
            if self._may_be(anchored.call, plan.predicted)
        ]
        return not scores or max(scores) >= 0

    def _assign_by_type(
        self, plans: Sequence[SitePlan], left: Sequence[Anchored]
    ) -> list[Anchored]:
        """What stands inside a literal of several lines is made on another line of it."""
        waiting: dict[tuple[str, str], list[SitePlan]] = {}
        for plan in plans:
            escapes = plan.predicted.prediction is Prediction.HEAP and plan.predicted.shape.type
            if escapes and not plan.calls and not plan.predicted.moved:
                waiting.setdefault((plan.predicted.file, plan.function), []).append(plan)
        rest = []
        for anchored in left:
            candidates = [
                plan
                for plan in waiting.get((anchored.place[0], anchored.function), ())
                if not plan.calls
                and self._may_be(anchored.call, plan.predicted)
                and self._types.score(anchored.call, plan.predicted.shape) > 0
            ]
            near = sorted(candidates, key=lambda p: abs(p.predicted.line - anchored.place[1]))
            rest += self._assign(near[:1], [anchored])
        return rest

    def _attach_shared_blocks(
        self, plans: Sequence[SitePlan], anchored: Sequence[Anchored]
    ) -> None:
        """Variables moved to the heap of which the compiler makes one object with others.

        Since Go 1.25 it does so for small ones without pointers that a function makes one after
        the other (newHeapaddr in src/cmd/compile/internal/ssagen/ssa.go); the call stands where
        the first of them is declared.
        """
        blocks = [a for a in anchored if a.call.several]
        if not blocks:
            return
        for plan in plans:
            if plan.predicted.moved and not plan.calls:
                plan.together = self._blocks_before(plan, blocks)

    def _blocks_before(self, plan: SitePlan, blocks: Sequence[Anchored]) -> list[AllocationCall]:
        """In each machine function of a site the last block before it."""
        file, line = plan.predicted.file, plan.predicted.line
        facts = [f for f in self._facts.get((file, line), ()) if relevant(f, plan)]
        entries = {f.entry for f in facts}
        last: dict[int, Anchored] = {}
        for block in blocks:
            here = block.call.entry in entries or (not facts and block.function == plan.function)
            if not here or block.place[0] != file or block.place[1] > line:
                continue
            known = last.get(block.call.entry)
            if known is None or block.place[1] >= known.place[1]:
                last[block.call.entry] = block
        return [block.call for block in last.values()]

    def _attach_moves(self, plans: Sequence[SitePlan], left: Sequence[Anchored]) -> list[Anchored]:
        """A slice that moves out of the frame at its end belongs to the append that built it."""
        rest = []
        for anchored in left:
            if anchored.call.allocator.family is not Family.MOVE:
                rest.append(anchored)
                continue
            growers = [
                plan
                for plan in plans
                if any(
                    c.entry == anchored.call.entry and c.allocator.family is Family.GROW
                    for c in plan.calls
                )
            ]
            # The move stands where the append's function was inlined, else where it returns.
            makers = [
                plan
                for plan in growers
                if (plan.predicted.file, plan.predicted.line) == anchored.place
                and all(len(c.frames) > anchored.at + 1 for c in plan.calls)
            ] or [p for p in growers if p.predicted.prediction is Prediction.HEAP]
            if not makers:
                rest.append(anchored)
                continue
            same = [p for p in makers if self._same_element(p, anchored.call)] or makers
            same[0].calls.append(anchored.call)
            if len(same) > 1:
                same[0].ambiguous = f"{len(same)} {_BUILT_IT}"
        return rest

    def _same_element(self, plan: SitePlan, move: AllocationCall) -> bool:
        return bool(move.type) and any(c.type == move.type for c in plan.calls)


def _tell_formals(plans: Iterable[SitePlan]) -> None:
    """Gives variables of inlined signatures that are moved to the heap the types that they have
    where they are declared."""
    formals: dict[str, list[SitePlan]] = {}
    for plan in plans:
        if plan.predicted.moved and plan.predicted.in_signature and plan.predicted.shape.type:
            formals.setdefault(plan.predicted.expression, []).append(plan)
    for plan in plans:
        predicted = plan.predicted
        callees = inlined_by(predicted.messages) if predicted.moved else ()
        known = formals.get(predicted.expression.rpartition(".")[2], ()) if callees else ()
        own = [p for p in known if any(same_function(p.function, name) for name in callees)]
        types = {p.predicted.shape.type for p in own}
        if len(types) == 1:
            predicted.shape = replace(predicted.shape, type=types.pop())


def _is_another(known: AllocationCall, call: AllocationCall, plan: SitePlan) -> bool:
    """Whether a site that has one call is unlikely to make the other as well: its box it does."""
    box = known.allocator.family is Family.CONVERT, call.allocator.family is Family.CONVERT
    header = plan.predicted.shape.boxed or plan.predicted.shape.type.startswith("]")  # a slice's
    return known.entry == call.entry and not (header and box[0] is not box[1])


_BUILT_IT = "appends of this function may have built what is moved"
_REFUSED, _ONCE = -100, 3
