"""The sites of a binary as they are told: each plan with what the run showed, judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from goprobe.analysis.escape.allocationcall import AllocationCall
from goprobe.analysis.escape.codecopies import Copies
from goprobe.analysis.escape.codeplaces import StackWitness
from goprobe.analysis.escape.evidence import Evidence
from goprobe.analysis.escape.observe import Observed
from goprobe.analysis.escape.request import EscapeRequest
from goprobe.analysis.escape.siteplan import SitePlan
from goprobe.analysis.escape.sourcefiles import SourceNames
from goprobe.analysis.escape.staticstudy import StaticStudy
from goprobe.analysis.escape.verdict import judge
from goprobe.model.address import Address
from goprobe.model.escape import Call, Outcome, Prediction, Site, SourceLine, Verdict


class Sites:
    """Makes the sites of plans. `somewhere` is a file for what has no place of its own."""

    def __init__(
        self,
        static: StaticStudy,
        names: SourceNames,
        copies: Copies,
        observed: Observed,
        request: EscapeRequest,
        somewhere: str,
    ) -> None:
        self._static = static
        self._names, self._copies, self._observed = names, copies, observed
        self._request, self._somewhere = request, somewhere
        self._ran_at = observed.places_that_ran().__contains__

    def of(self, plans: Iterable[SitePlan]) -> tuple[Site, ...]:
        return (*self._told(plans), *self._alarms())

    def _told(self, plans: Iterable[SitePlan]) -> Iterator[Site]:
        for plan in plans:
            evidence = self._evidence(plan)
            if self._worth_telling(plan, evidence):
                yield self._site(plan, evidence)

    def _alarms(self) -> Iterator[Site]:
        """A site for each pointer into a stack: which prediction it breaks is not known."""
        for pointer in self._observed.dangling:
            where = f", the frame of {pointer.function}" if pointer.function else ""
            yield Site(
                file=self._names.canonical(pointer.file) if pointer.file else self._somewhere,
                line=pointer.line,
                col=0,
                function=pointer.function,
                expression=pointer.source,
                prediction=Prediction.NONE,
                messages=(),
                calls=(),
                hits=0,
                counted=False,
                outcomes=(),
                verdict=Verdict.CONTRADICTED,
                reason=f"{pointer.when} it points into a stack{where}: {pointer.target}",
            )

    def _worth_telling(self, plan: SitePlan, evidence: Evidence) -> bool:
        """Not what other packages never did."""
        return evidence.hits > 0 or not self._request.deep or self._names.own(plan.predicted.file)

    def _unwrapped(self, plan: SitePlan) -> Sequence[StackWitness]:
        """What is looked at of a site: not once more what the closure that the compiler makes of a
        deferred call does with its arguments; but only that, where it alone takes an address."""
        own = [w for w in plan.witnesses if w.entry not in self._static.wrappers]
        taken = [w for w in plan.witnesses if w.taken]
        if taken and not any(w.taken for w in own):
            return taken
        return own or plan.witnesses

    def _evidence(self, plan: SitePlan) -> Evidence:
        predicted, seen = plan.predicted, self._observed
        elsewhere = () if plan.alive else self._elsewhere(plan.function)
        line_ran = self._copies.ran(self._copies.starts_of(plan), self._ran_at)
        looked_at = self._unwrapped(plan)
        return Evidence(
            prediction=predicted.prediction,
            families=predicted.shape.families,
            calls=tuple(seen.evidence(call) for call in plan.calls),
            together=tuple(seen.evidence(call) for call in plan.together),
            statics=tuple(plan.statics),
            ran=seen.ran,
            code=plan.code,
            alive=plan.alive,
            parameter=predicted.parameter,
            leaks=predicted.prediction is Prediction.NONE,
            global_=predicted.global_,
            zero_copy=predicted.zero_copy,
            temporary=predicted.shape.temporary,
            wrapper=plan.wrapper,
            foreign=self._request.deep and not self._names.own(predicted.file),
            witness=bool(plan.witnesses),
            witnessed=_in_frames(plan, looked_at, seen.witnessed)[1],
            executed=_in_frames(plan, looked_at, seen.executed)[1],
            least=_in_frames(plan, looked_at, seen.executed)[0],
            taken=any(w.taken for w in plan.witnesses),
            saved=all(w.saved for w in plan.witnesses),
            in_part=_in_part(plan, seen.executed),
            sharing=max(plan.sharing, *map(len, plan.either), 1),
            below=plan.witness_line if plan.witness_line != predicted.line else 0,
            line_ran=bool(line_ran),
            line_shown=line_ran is not None and self._copies.shown(plan),
            elsewhere=tuple(sorted(elsewhere)),
            unseen=seen.partial,
            looked=self._request.hits,
            limits=_limits(predicted.flow),
            boxed=plan.boxed,
            alike=plan.bereft or bool(plan.calls and plan.ambiguous),
        )

    def _elsewhere(self, function: str) -> Sequence[str]:
        for name, places in self._static.inlined_at.items():
            if name == function or name.endswith(f".{function}"):
                return places
        return ()

    def _site(self, plan: SitePlan, evidence: Evidence) -> Site:
        predicted = plan.predicted
        verdict, reason = judge(evidence)
        called = bool(plan.calls or plan.together)
        hits = evidence.hits if called else evidence.least
        looked = sum(c.inspected for c in evidence.main_calls)
        looked = looked if called else min(evidence.witnessed, hits)
        return Site(
            file=predicted.file,
            line=predicted.line,
            col=predicted.col,
            function=plan.function,
            expression=predicted.expression,
            prediction=predicted.prediction,
            messages=tuple(predicted.messages),
            calls=tuple(self._call(call) for call in plan.calls),
            hits=hits,
            counted=called or _counted(self._unwrapped(plan), evidence, self._observed.executed),
            outcomes=_merged(evidence.outcomes),
            verdict=verdict,
            reason=reason,
            inspected=looked,
            flow=predicted.flow,
            ambiguous=plan.ambiguous,
            parameter=predicted.parameter,
            allocations=sum(c.made for c in evidence.calls) if evidence.ran else -1,
            bytes=sum(c.bytes for c in evidence.calls) if evidence.ran else -1,
        )

    def _call(self, call: AllocationCall) -> Call:
        (inner, *others), seen = call.standing, self._observed
        canonical = self._names.canonical
        outer = [f"{canonical(f.file)}:{f.line} ({f.function})" for f in others]
        return Call(
            pc=Address(call.pc),
            callee=call.allocator.symbol,
            inlined_at=tuple(outer),
            file=canonical(inner.file),
            line=inner.line,
            function=inner.function,
            hits=seen.hits(call),
            allocations=seen.allocations(call),
            blocks=seen.blocks(call),
            bytes=seen.bytes(call),
            on_scheduler=seen.on_scheduler(call),
            frames=tuple(SourceLine(f.function, canonical(f.file), f.line) for f in call.frames),
            ran=any(map(self._ran_at, (call.pc, *self._copies.starts_of_line(call)))),
        )


def _merged(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Outcomes of several calls of one site that lay alike, added up."""
    merged: dict[tuple[str, str], Outcome] = {}
    for o in outcomes:
        key = o.kind, o.type
        known = merged.get(key)
        merged[key] = (
            o
            if known is None
            else Outcome(
                kind=o.kind,
                count=known.count + o.count,
                bytes=known.bytes + o.bytes,
                type=o.type,
                address=known.address,
                name=known.name,
                opened=known.opened + o.opened,
            )
        )
    return tuple(merged.values())


def _in_frames(
    plan: SitePlan, witnesses: Sequence[StackWitness], counts: Mapping[int, int]
) -> tuple[int, int]:
    """How often memory of the site's functions was used, at least and at most: of each where it was
    used most; where others of its line use some, which is whose is not known."""
    uses: dict[object, list[int]] = {}
    for w in witnesses:
        uses.setdefault(w.entry, []).append(counts.get(w.pc, 0))
    told = {
        entry: (min(of_it) if plan.sharing > 1 else max(of_it), max(of_it))
        for entry, of_it in uses.items()
    }
    for group in plan.either:
        ranges = [told.pop(entry) for entry in group if entry in told]
        if ranges:
            told[group] = min(least for least, _ in ranges), max(most for _, most in ranges)
    return sum(least for least, _ in told.values()), sum(most for _, most in told.values())


def _counted(
    witnesses: Sequence[StackWitness], evidence: Evidence, counts: Mapping[int, int]
) -> bool:
    """Whether what was seen of a site without calls is all. Of a function's places only the first
    is looked at more than once (observe)."""
    for _, group in groupby(witnesses, lambda w: w.entry):
        first, *others = (counts.get(w.pc, 0) for w in group)
        most = max(first, *others, 0)
        if most >= max(evidence.looked, 1) or (most == 1 and first != 1):
            return False
    if any(w.saved or w.moved for w in witnesses) or evidence.least != evidence.executed:
        return False
    never = not evidence.line_ran and evidence.line_shown
    return bool(witnesses) and (evidence.executed > 0 or never)


def _in_part(plan: SitePlan, counts: Mapping[int, int]) -> bool:
    """Whether in a function of which some part of the frame was used others never were; where it
    is not known what is whose, other code that uses it."""
    ran = [bool(counts.get(w.pc)) for w in plan.witnesses]
    if plan.either and any(ran) and not all(ran):
        return True
    if plan.sharing > 1:
        came_to = {w.entry for w, did in zip(plan.witnesses, ran, strict=True) if did}
        return any(w.entry in came_to and not counts.get(w.pc) for w in plan.witnesses)
    parts = {w.part for w in plan.witnesses}
    used = {w.part for w in plan.witnesses if counts.get(w.pc)}
    entered = {entry for entry, _ in used}
    return any(entry in entered for entry, _ in parts - used)


def _limits(flow: Sequence[str]) -> tuple[str, ...]:
    """The compiler's own words for what does not fit in a frame."""
    words = ("too large for stack", "non-constant size", "zero-sized element")
    text = "\n".join(flow)
    return tuple(word for word in words if f"({word})" in text)
