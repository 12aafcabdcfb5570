"""What only saved reports have, as lists of rows: what memory is for, verdicts of escape analysis,
the stops of a trace."""

from __future__ import annotations

from functools import partial
from itertools import groupby

from msgspec import UNSET

from goprobe.explore.entries import Entry, plain
from goprobe.model.escape import EscapeReport, Site, Verdict
from goprobe.model.memory import MemoryPart, MemoryReport
from goprobe.model.trace import StopReport, TraceReport
from goprobe.model.value import Variable
from goprobe.report import words
from goprobe.report.nested import inside_of, lines
from goprobe.report.selection import value_and_data
from goprobe.report.verdicts import LOUDNESS, MEANINGS, words as verdict_words

_PARTS = 24  # of a variable


def parts(report: MemoryReport | None) -> list[Entry]:
    """What is resident, by what it is for."""
    if report is None:
        return []
    groups = groupby(report.parts, key=lambda part: part.of)
    return [_use(of, list(members), report.verdict) for of, members in groups]


def _use(of: str, members: list[MemoryPart], verdict: str) -> Entry:
    def below() -> list[Entry]:
        return [
            Entry(
                key=f"{of}/{p.name}",
                name=plain(p.name),
                amount=p.bytes,
                count=1,
                counts="parts",
                tell=lambda p=p: plain(f"{p.name}, of {of}: {words.size(p.bytes)}\n\n{verdict}"),  # type: ignore[misc]
            )
            for p in members
        ]

    return Entry(
        key=f"for {of}",
        name=plain(f"for {of}"),
        amount=sum(p.bytes for p in members),
        count=len(members),
        counts="parts",
        below=below,
    )


def judged(report: EscapeReport) -> list[Entry]:
    """The sites of each verdict, those first that matter most."""
    by_verdict: dict[Verdict, list[Site]] = {}
    for site in report.sites:
        by_verdict.setdefault(site.verdict, []).append(site)
    ordered = sorted(by_verdict.items(), key=lambda item: -LOUDNESS[item[0]])
    return [_verdict(verdict, sites) for verdict, sites in ordered]


def _verdict(verdict: Verdict, sites: list[Site]) -> Entry:
    return Entry(
        key=verdict,
        name=f"{verdict_words(verdict)}: {MEANINGS[verdict]}",
        amount=len(sites),
        count=len(sites),
        unit="",
        below=lambda: [_judged_site(site) for site in sites],
    )


def _judged_site(site: Site) -> Entry:
    hits = max(site.hits, 0)
    return Entry(
        key=f"{site.file}:{site.line}:{site.col} {site.expression} {site.function}",
        name=plain(f"{site.file}:{site.line}:{site.col}  {site.expression}"),
        amount=hits,
        count=hits,
        unit="hits",
        tell=partial(_told_of_site, site),
    )


def _told_of_site(site: Site) -> str:
    told = [
        f"{site.file}:{site.line}:{site.col}  {site.function}",
        site.expression,
        "",
        f"said by the compiler: {site.prediction}",
        *(f"  {message}" for message in site.messages),
        *(f"  {step}" for step in site.flow),
        f"what happened: {verdict_words(site.verdict)}, {site.reason}",
        f"hits: {words.number(site.hits)}" if site.counted else "hits: nobody counts",
    ]
    for outcome in site.outcomes:
        size = f", {words.size(outcome.bytes)}" if outcome.bytes else ""
        told.append(f"  {outcome.count} × {outcome.kind}{size} {outcome.type}".rstrip())
    told += [f"calls {call.callee}  {words.source(call.file, call.line)}" for call in site.calls]
    return plain("\n".join(told))


def stops(report: TraceReport) -> list[Entry]:
    """The stops, each with the variables in its frames below."""
    return [_stop(number, stop) for number, stop in enumerate(report.stops, 1)]


def _stop(number: int, stop: StopReport) -> Entry:
    def below() -> list[Entry]:
        return [_variable(stop, v) for v in stop.variables]

    place = words.source(stop.file, stop.line, stop.function)
    told = [f"{stop.reason}, goroutine {stop.goroutine}", ""]
    told += [f"{f.function}  {words.source(f.file, f.line, f.function)}" for f in stop.frames]
    return Entry(
        key=f"stop {number}",
        name=plain(f"stop {number}: {stop.function}  {place}"),
        amount=len(stop.variables),
        count=len(stop.variables),
        unit="variables",
        below=below if stop.variables else None,
        tell=lambda: plain("\n".join(told)),
    )


def _variable(stop: StopReport, v: Variable) -> Entry:
    size = 0 if v.size is UNSET else v.size
    value = v.why if v.value is UNSET else value_and_data(v)
    return Entry(
        key=f"{stop.pc} {v.frame} {v.function} {v.name} {v.line}",
        name=plain(f"{v.name} {v.type}  {value}"),
        amount=size,
        count=1,
        counts="variables",
        tell=partial(_told_of_variable, v),
    )


def _told_of_variable(v: Variable) -> str:
    told = [f"{v.name} {v.type}, of {v.function}", str(v.state.replace("_", " "))]
    told += [v.why] if v.why else []
    told += [value_and_data(v)] if v.value is not UNSET else []
    if v.value is not UNSET:
        inside = inside_of(v.value, v.data, v.elements)
        for depth, pieces in lines(inside, _PARTS):
            said = "".join(p if isinstance(p, str) else p[0] for p in pieces)
            told.append(f"{'  ' * (depth + 1)}{said}")
    for place in (v.location, UNSET if v.data is UNSET else v.data.location):
        if place is not UNSET:
            told += [f"{place.address}  {place.name}", *(f"  {fact}" for fact in place.evidence)]
    return plain("\n".join(told))
