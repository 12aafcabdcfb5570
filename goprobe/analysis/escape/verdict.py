"""What came of a prediction: the verdict and its one sentence, from the evidence alone.

Pure: everything that was seen is in `Evidence`. The contract fixes the verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from goprobe.analysis.escape.evidence import CallEvidence, Evidence
from goprobe.counts import counted
from goprobe.model.escape import NOTHING, Outcome, Prediction, Verdict
from goprobe.model.location import Kind
from goprobe.runtime.allocatorcalls import Allocates, Family

_STATIC_KINDS = frozenset((Kind.RODATA, Kind.DATA, Kind.BSS))
NOT_IN_BINARY = "its function is not in the binary"
_CONVERSIONS = frozenset((Family.TO_STRING, Family.TO_BYTES))


Judged = tuple[Verdict, str]


def judge(site: Evidence) -> Judged:
    """The verdict, and the reason in one sentence without a full stop."""
    if site.dangling:
        return Verdict.CONTRADICTED, site.dangling[0]
    if site.parameter:
        return Verdict.ELIDED, _parameter(site)
    if not site.calls and site.together:
        return _made_together(site)
    if not site.calls:
        return _without_calls(site)
    if not site.ran:
        return Verdict.UNOBSERVED, f"not run: the code calls {_callees(site.calls)} here"
    if not site.hits:
        return _never_called(site)
    return _called(site)


def _parameter(site: Evidence) -> str:
    if site.leaks:
        return "a parameter: nothing is allocated for it here, but what it holds outlives the call"
    return "a parameter: nothing is allocated for it here, the caller may keep it in its frame"


# One call for several sites


def _made_together(site: Evidence) -> Judged:
    if not site.ran:
        return Verdict.UNOBSERVED, "not run: the code makes one object of it and of others"
    if not site.hits:
        return Verdict.NOT_REACHED, _unreached(site, "the call that makes it with others never ran")
    if not site.made:
        why = site.unseen or "no call returned while it was looked at"
        return (
            Verdict.UNOBSERVED,
            f"made with others {_times(site.hits)}, {why}",
        )
    return Verdict.SHARED, (
        f"it lies in an object with the variables before it, made {_times(site.hits)}: the "
        "compiler moves small ones to the heap together"
    )


# No call into the allocator in the code


def _without_calls(site: Evidence) -> Judged:
    if site.global_ and not site.code:
        return Verdict.STATIC, "the initial value of a package variable, laid out by the compiler"
    if not site.alive:
        return Verdict.DEAD, _dead(site)
    if site.zero_copy:
        return Verdict.NO_COPY, "the slice uses the string's own bytes, nothing is copied"
    borrowed = site.temporary or (site.families & _CONVERSIONS and not site.witness)
    if borrowed and site.prediction is Prediction.STACK:
        return Verdict.NO_COPY, "the converted value uses the very bytes of its operand"
    if site.alike and site.code and site.prediction is Prediction.HEAP:
        text = "no call is left for it: another's of its line may be its own, which is not known"
        return Verdict.UNOBSERVED, text
    if site.statics:
        return Verdict.STATIC, f"nothing is allocated: it lies in {site.statics[0].name}"
    if site.prediction is Prediction.HEAP:
        return Verdict.DEAD, _dropped(site)
    return _in_frame(site)


def _dead(site: Evidence) -> str:
    if site.elsewhere:
        shown = ", ".join(site.elsewhere[:3]) + (", …" if len(site.elsewhere) > 3 else "")
        return f"its function has no code of its own: it was inlined at {shown}"
    return f"{NOT_IN_BINARY}: nothing calls it, or every call was inlined"


def _dropped(site: Evidence) -> str:
    if site.code and Family.GROW in site.families:
        return "the compiler made no code that grows the slice: it has room, or is never needed"
    if site.code:
        return "the compiler made no code for it: here the value is never needed"
    return "the compiler made no code for this line"


def _in_frame(site: Evidence) -> Judged:
    # What a line below uses, though it never did, was not this one's.
    elsewhere = site.below and site.line_ran and not site.executed
    if not site.witness or elsewhere:
        return Verdict.ELIDED, (
            "it needs no memory: it is kept in registers, or made part of something else"
        )
    if not site.ran:
        return Verdict.UNOBSERVED, "not run: the code keeps it in the function's frame"
    if site.witnessed and site.saved:
        return Verdict.UNOBSERVED, (
            "what its line uses of the frame may be registers that are put by there: whether it "
            "needs memory is not known"
        )
    if site.witnessed and site.in_part and site.sharing > 1:
        return Verdict.UNOBSERVED, (
            f"of {site.sharing} things of its line that the frame keeps not all were seen there: "
            "which were is not known"
        )
    if site.witnessed:
        memory = f"the memory that line {site.below} uses of it" if site.below else "its memory"
        text = f"{memory} was seen in the goroutine's stack frame"
        if 0 <= site.least < site.executed:
            return Verdict.CONFIRMED_STACK, (
                f"{text}; which of {site.sharing} things of its line that the frame keeps was used "
                "how often is not known"
            )
        more = 0 < site.looked <= site.executed
        return (
            Verdict.CONFIRMED_STACK,
            f"{text} (looked at {counted(site.looked, 'time')})" if more else text,
        )
    if site.executed:
        return Verdict.UNOBSERVED, "its code ran, but its memory was in no goroutine's stack"
    if site.line_ran and not site.taken:
        return Verdict.UNOBSERVED, _unreached(
            site, "its line ran, but no code that is known to use its memory: it may need none"
        )
    if site.line_ran:
        text = "its line ran, but not the code in which its memory would be seen"
        return Verdict.NOT_REACHED, _unreached(site, text)
    if not site.line_shown:
        return Verdict.UNOBSERVED, _unreached(
            site, "the code that would use its memory never ran: whether its line did is not known"
        )
    return Verdict.NOT_REACHED, _unreached(site, "its code never ran")


# Calls that never ran


def _never_called(site: Evidence) -> Judged:
    if site.witnessed and not site.saved and site.prediction is Prediction.STACK:
        return Verdict.CONFIRMED_STACK, (
            f"it stayed in the goroutine's stack frame, {_callees(site.calls)} was never needed"
        )
    if site.families == {Family.GROW}:
        return Verdict.NOT_REACHED, _unreached(site, "no append here ever had to grow the slice")
    line = "its line ran, " if site.line_ran else ""
    text = f"{line}its call of {_callees(site.calls)} never {'did' if line else 'ran'}"
    return Verdict.NOT_REACHED, _unreached(site, text)


def _unreached(site: Evidence, text: str) -> str:
    return f"{text} ({site.unseen})" if site.unseen else text


# Calls that ran


class _Seen(msgspec.Struct, frozen=True):
    """Counts of inspected results by where they lay."""

    heap: int = 0
    stack: int = 0
    static: int = 0
    nothing: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        return self.heap + self.stack + self.static + self.nothing + self.other


def _seen(outcomes: Sequence[Outcome]) -> _Seen:
    counts = {"heap": 0, "stack": 0, "static": 0, "nothing": 0, "other": 0}
    for outcome in outcomes:
        counts[_class_of(outcome.kind)] += outcome.count
    return _Seen(**counts)


def _class_of(kind: str) -> str:
    if kind == Kind.HEAP:
        return "heap"
    if kind == Kind.GOROUTINE_STACK:
        return "stack"
    if kind == NOTHING:
        return "nothing"
    return "static" if kind in _STATIC_KINDS else "other"


def _called(site: Evidence) -> Judged:
    moves = [c for c in site.calls if c.allocator.family is Family.MOVE and c.hits]
    makers = [c for c in site.calls if c.allocator.family is not Family.MOVE]
    if sum(c.made for c in moves):
        return Verdict.DEFERRED_HEAP, _deferred(moves, makers)
    if _all(site, Family.ASSIGN):
        return _assigned(site)
    if _all(site, Family.GO):
        return _goroutine(site)
    if _all(site, Family.DEFER):
        return _defer_records(site)
    seen = _seen(site.outcomes)
    if site.made:
        return _on_heap(site, seen)
    if not seen.total:
        return _nothing_seen(site)
    return _by_place(site, seen)


def _goroutine(site: Evidence) -> Judged:
    made = sum(c.on_g0 for c in site.calls) + site.made
    text = f"a goroutine was started {_times(site.hits)}"
    if not made:
        return Verdict.ELIDED, f"{text}: in a descriptor and a stack that the runtime had left"
    return Verdict.UNPREDICTED, f"{text}: the runtime made {_objects(made)} to describe them"


def _defer_records(site: Evidence) -> Judged:
    if not site.made:
        return Verdict.ELIDED, (
            f"deferred {_times(site.hits)}: the records lie in objects that the runtime had left"
        )
    return Verdict.UNPREDICTED, (
        f"{_amount(site)}: a defer in a loop keeps its records on the heap, where the runtime "
        "reuses them"
    )


def _nothing_seen(site: Evidence) -> Judged:
    ran = f"{_callees(site.calls)} ran {_times(site.hits)}"
    if site.unseen or site.looked:
        why = site.unseen or "no call returned while it was looked at"
        return Verdict.UNOBSERVED, f"{ran}, {why}"
    return Verdict.UNOBSERVED, f"{ran} and allocated nothing; where its results lie was not asked"


def _all(site: Evidence, family: Family) -> bool:
    return all(c.allocator.family is family for c in site.calls)


def _by_place(site: Evidence, seen: _Seen) -> Judged:
    """Of calls that allocated nothing."""
    if seen.stack:
        if site.prediction is not Prediction.HEAP:
            text = _share(seen.stack, seen.total, "in the frame's buffer")
            return Verdict.CONFIRMED_STACK, text
        return _escaping_in_frame(site)
    if seen.static:
        where = next(o.name for o in site.outcomes if _class_of(o.kind) == "static")
        return Verdict.STATIC, f"nothing is allocated: the result lies in {where}"
    if seen.nothing:
        return (
            Verdict.NO_COPY,
            "the result is one of the operands, or empty: nothing was copied",
        )
    where = next(o.name or o.kind for o in site.outcomes)
    if seen.heap:
        return Verdict.SHARED, "the result lies in an object that was there already"
    return Verdict.UNOBSERVED, f"the result lies in memory that Go does not manage: {where}"


def _escaping_in_frame(site: Evidence) -> Judged:
    """What may outlive its function may be built in the frame, to be moved where it really leaves:
    that it did and was not moved nobody has seen."""
    if Family.GROW in {c.allocator.family for c in site.calls}:
        return Verdict.CONFIRMED_STACK, (
            "what was appended stayed in the frame's buffer: the slice was never handed on"
        )
    if any(c.allocator.buffer for c in site.calls):
        return Verdict.UNOBSERVED, (
            "it escapes, and the call found for it has a buffer in the frame: that is another's"
        )
    return Verdict.CONTRADICTED, "what escapes was made in a goroutine's stack frame"


def _on_heap(site: Evidence, seen: _Seen) -> Judged:
    if site.prediction is Prediction.STACK:
        if site.alike and not _limit(site):
            return Verdict.UNOBSERVED, f"{_amount(site)}, or what is alike on its line was"
        return Verdict.SPILLED_TO_HEAP, _spilled(site, seen)
    if site.prediction is Prediction.NONE:
        return Verdict.UNPREDICTED, _unpredicted(site)
    return Verdict.CONFIRMED_HEAP, _confirmed(site, seen)


def _confirmed(site: Evidence, seen: _Seen) -> str:
    rest = []
    if seen.static:
        rest.append(f"{seen.static} in static memory")
    if seen.nothing:
        rest.append(f"{seen.nothing} without new memory")
    if seen.stack:
        rest.append(f"{seen.stack} in the stack frame")
    if seen.other:
        rest.append(f"{seen.other} elsewhere")
    text = _amount(site)
    return f"{text}; of {seen.total:,} inspected {' and '.join(rest)}" if rest else text


def _amount(site: Evidence) -> str:
    """What was allocated in how many calls, as it was counted."""
    if any(c.made and c.allocator.allocates is Allocates.SEVERAL for c in site.all_calls):
        return f"ran {_times(site.hits)} and allocated {_objects(site.made)}"
    if site.made == site.hits:
        return f"allocated on the heap {_times(site.made)}"
    return f"ran {_times(site.hits)} and allocated {_times(site.made)}"


def _spilled(site: Evidence, seen: _Seen) -> str:
    reason = _limit(site) or "for a reason that goprobe does not know"
    return f"{_amount(site)} all the same: {reason}"


def _limit(site: Evidence) -> str:
    limits = (c.allocator.limit for c in site.calls if c.outcomes and c.allocator.limit)
    return next(iter(site.limits), next(limits, ""))


def _unpredicted(site: Evidence) -> str:
    limit = next((c.allocator.limit for c in site.calls if c.allocator.limit), "")
    why = _UNPREDICTED.get(site.calls[0].allocator.family, limit)
    if site.wrapper:
        why = "the call of a go or defer statement is kept in a closure"
    text = _amount(site)
    if site.foreign:
        return f"{text}, in a package whose predictions were not asked for"
    text += ", though the compiler says nothing of it"
    return f"{text}: {why}" if why else text


_UNPREDICTED = {
    Family.GROW: "append had to grow the slice",
    Family.CHANNEL: "a channel always lies there",
    Family.MOVE: "a slice built in the frame was moved when it left",
}


def _deferred(moves: Sequence[CallEvidence], makers: Sequence[CallEvidence]) -> str:
    moved, grown = sum(c.made for c in moves), sum(c.made for c in makers)
    text = f"built in the frame and moved to the heap {_times(moved)} when it left the function"
    return f"{text}; it outgrew the frame {_times(grown)}" if grown else text


def _assigned(site: Evidence) -> Judged:
    seen = _seen(site.outcomes)
    if site.made and site.boxed:
        return Verdict.UNPREDICTED, (
            f"{_amount(site)}: its {site.boxed} are larger than 128 bytes, each new one gets an "
            "object of its own; and the map grows"
        )
    if site.made:
        return Verdict.UNPREDICTED, (
            f"{_amount(site)}: the map had to grow for it; the value lies inside the map"
        )
    if seen.stack and not seen.heap:
        return Verdict.CONFIRMED_STACK, "the value lies inside a map that fits in the stack frame"
    if seen.total:
        return Verdict.SHARED, "the value lies inside the map's own memory"
    return _nothing_seen(site)


# Words


def _callees(calls: Sequence[CallEvidence]) -> str:
    names = list(dict.fromkeys(c.allocator.symbol for c in calls))
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, counted(count, "time"))


def _objects(count: int) -> str:
    return counted(count, "object")


def _of(part: int, total: int) -> str:
    return f"all {total:,}" if part == total and total > 1 else f"{part:,} of {total:,}"


def _share(part: int, total: int, where: str) -> str:
    return f"{_of(part, total)} inspected lay {where}"
