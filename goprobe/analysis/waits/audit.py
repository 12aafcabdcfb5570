"""What holds of `goprobe goroutines --leaked`: against the runtime's own word, and itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UNSET

from goprobe.analysis.audit import audited, check
from goprobe.counts import counted
from goprobe.model.attached import GoroutinesReport
from goprobe.model.report import Audited
from goprobe.runtime.goroutines.goroutines import Goroutine

_MAIN = 1


class LeakFacts(msgspec.Struct, frozen=True):
    """`every` goroutine of the same moment; `told` are lost, or not decided; `unsure` of those that
    are listed were not."""

    report: GoroutinesReport
    every: Sequence[Goroutine]
    told: frozenset[int]
    unsure: int


@check("goroutines that the runtime's own detector found to be leaked are told as such")
def runtime_agrees(facts: LeakFacts) -> Iterator[str]:
    # Old words in what runs may look as if they led there: then goprobe says less, rightly.
    if any(state.status == "running" for state in facts.every):
        return
    for state in facts.every:
        if state.status == "leaked" and state.id not in facts.told and state.id != _MAIN:
            yield f"the runtime says that goroutine {state.id} is leaked"


@check("a goroutine that is told as leaked waits, and for others")
def leaked_wait(facts: LeakFacts) -> Iterator[str]:
    for state in facts.report.goroutines:
        if state.leaked and state.status not in ("waiting", "leaked"):
            yield f"goroutine {state.id} is {state.status}"


@check("what is told of leaks adds up")
def leaks_add_up(facts: LeakFacts) -> Iterator[str]:
    leaks = facts.report.leaks
    if leaks is UNSET:
        return
    told = sum(state.leaked for state in facts.report.goroutines)
    if leaks.leaked != told:
        yield f"{leaks.leaked} goroutines are said to be leaked, {told} are listed"
    if leaks.undecided != facts.unsure:
        yield f"{facts.unsure} goroutines were not decided, {leaks.undecided} are listed"
    if leaks.leaked + leaks.undecided > leaks.blocked:
        yield f"of {leaks.blocked} that are blocked {leaks.leaked + leaks.undecided} are listed"
    grouped = sum(group.count for group in facts.report.groups)
    if grouped != len(facts.report.goroutines):
        yield f"the groups have {counted(grouped, 'goroutine')} of {len(facts.report.goroutines)}"


def audit_leaks(facts: LeakFacts) -> tuple[Audited, ...]:
    return audited((runtime_agrees, leaked_wait, leaks_add_up), facts)
