"""Silent nonsense: an answer from something damaged that is not the honest one, and says nothing.

An answer may differ where it says that something is wrong (a warning, a check of its own that
fails, something unreadable), may leave out what it cannot tell, or may be refused. What is compared
is what goprobe can know better, as it stands in more than one place:

- of damaged memory: the sums that the runtime keeps in more than one place, of the heap's census
  and of the list of goroutines. Where the memory of stacks is summed a stripped binary does not
  say, so that of one the states of such spans stand in one place only;
- of a damaged binary or core, whose process's memory is whole: also what each goroutine does, what
  kind of memory each address asked about is in, and what the map is made of; and the names of
  functions, where the binary has them twice (its line table and its symbols).

A byte of a string that goprobe shows, or of a type's name, stands nowhere else: nobody can know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from goprobe.model.attached import GoroutinesReport, MapsReport, WhereReport
from goprobe.model.heap import HeapReport
from goprobe.model.report import Report

_SHOWN = 4

Facts = Mapping[str, Mapping[object, object]]
"""By the kind of fact and what it is about; what a report does not tell is left out."""


class SilentError(Exception):
    """What differs, and that nothing was said. `names` are those of the kinds of facts."""

    def __init__(self, wrong: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {how}" for name, how in wrong.items()))
        self.names = ", ".join(wrong)


@dataclass(frozen=True, slots=True)
class Said:
    """What a report tells that can be held against another's, and how much it doubts itself."""

    facts: Facts
    doubts: int


def compare(honest: Said, found: Said) -> None:
    """Raises SilentError."""
    if found.doubts > honest.doubts:
        return
    wrong = {}
    for name, facts in found.facts.items():
        expected = honest.facts.get(name, {})
        differ = [
            f"{about}: {fact} in place of {expected.get(about)}"
            for about, fact in facts.items()
            if fact != expected.get(about) and not _may_be(name, fact, expected.get(about))
        ]
        if differ:
            wrong[name] = ", ".join(differ[:_SHOWN]) + (" …" if len(differ) > _SHOWN else "")
    if wrong:
        raise SilentError(wrong)


def _may_be(name: str, fact: object, expected: object) -> bool:
    """The state of a span that is taken changes before anything else does (mheap.allocSpan): one
    more that is empty may be right."""
    return (
        name == "spans"
        and isinstance(fact, int)
        and isinstance(expected, int)
        and (fact > expected)
    )


def said_of_memory(report: object, *, symbols: bool) -> Said:
    """What can be known of damaged memory; `symbols`: the binary has some."""
    return Said(_sums(report, manual=symbols), _doubts(report))


def said_of_files(report: object, *, symbols: bool) -> Said:
    """What can be known where a binary or a core is damaged; `symbols`: it has names twice."""
    facts = {**_sums(report, manual=True), **_states(report)}
    if symbols:
        facts |= _functions(report)
    return Said(facts, _doubts(report))


Teller = Callable[[object], Said]


def _sums(report: object, *, manual: bool) -> dict[str, Mapping[object, object]]:
    if isinstance(report, HeapReport):
        census = report.census
        sums: dict[object, object] = {
            "objects": census.objects,
            "bytes": census.bytes,
        }
        spans: dict[object, object] = {
            "free bytes": census.free_bytes,
            "span bytes": census.span_bytes,
            "in use": census.spans.in_use,
        }
        of_manual: dict[object, object] = {
            "manual bytes": census.manual_bytes,
            "manual spans": census.spans.manual,
        }
        return {"census": sums | of_manual if manual else sums, "spans": spans}
    if isinstance(report, GoroutinesReport) and report.leaks is UNSET:  # else not all are in it
        # Whether one of them is dead stands nowhere else than in its status.
        return {"goroutines": {"dead or not": len(report.goroutines) + report.dead}}
    return {}


def _states(report: object) -> dict[str, Mapping[object, object]]:
    match report:
        case GoroutinesReport():
            return {
                "states": _told({g.id: g.status for g in report.goroutines}),
                "waits": _alike({g.id: g.wait_reason for g in report.goroutines}),
            }
        case WhereReport():
            return {"kinds of memory": {p.address: p.kind.value for p in report.locations}}
        case MapsReport():
            sizes: Counter[object] = Counter()
            for region in report.map:
                sizes[region.kind.value] += region.size
            return {"map": sizes}
    return {}


def _alike(reasons: Mapping[int, str]) -> Mapping[object, object]:
    """Which goroutines wait for the same reason: its words stand nowhere else."""
    members: dict[str, list[int]] = {}
    for about, reason in _told(reasons).items():
        members.setdefault(str(reason), []).append(int(str(about)))
    return {about: f"as {ids[0]} does" for ids in members.values() for about in ids}


def _functions(report: object) -> dict[str, Mapping[object, object]]:
    match report:
        case GoroutinesReport():
            return {"functions": _told({g.id: g.function for g in report.goroutines})}
        case WhereReport():
            places = {p.address: p.detail.get("function") for p in report.locations}
            return {"functions": _told(places)}
    return {}


def _told(facts: Mapping[Any, object]) -> Mapping[object, object]:
    """What is not told is not wrong."""
    return {about: fact for about, fact in facts.items() if fact}


def _doubts(report: object) -> int:
    """How much a report says against itself."""
    found = len(report.contradictions) + len(report.doubts) if isinstance(report, Report) else 0
    if isinstance(report, HeapReport):
        check = report.self_check
        found += check.popcount_mismatches + check.unreadable_spans + len(report.warnings)
    if isinstance(report, GoroutinesReport):
        # Where a stack ends too early its innermost function is told, whichever that is.
        found += report.unreadable + sum(g.count for g in report.groups if g.frames_end)
    return found
