"""The page of `goprobe escape`: the source, with what -m said and what happened at each line."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec
from msgspec import UNSET

from goprobe.model.escape import Assertion, EscapeReport, Outcome, Prediction, Site, Verdict
from goprobe.report import words
from goprobe.report.html import shell
from goprobe.report.html.source import SourceExcerpts
from goprobe.report.options import RenderOptions
from goprobe.report.verdicts import (
    LOUDNESS,
    MEANINGS,
    Loudness,
    passed_over,
    words as verdict_words,
)

_WHOLE = 1500  # a file of so many lines is shown whole
_MARGIN = 3
_BLOCK = 60  # lines that the browser lays out together, or not at all
_MOST_CALLS = 6
_MOST_STEPS = 10
_TONES = {
    Loudness.QUIET: ("quiet", "·"),
    Loudness.FINE: ("fine", "✓"),
    Loudness.NOTE: ("note", "●"),
    Loudness.WARNING: ("warning", "▲"),
    Loudness.ALARM: ("alarm", "✗"),
}
_SAID = {
    Prediction.HEAP: "heap",
    Prediction.STACK: "stack",
    Prediction.NONE: "nothing",
}


class SiteView(msgspec.Struct, frozen=True, kw_only=True):
    site: Site
    said: str
    words: str
    tone: str
    sign: str
    calls: tuple[str, ...]
    outcomes: tuple[str, ...]
    flow: tuple[str, ...]
    left_out: int


class SourceRow(msgspec.Struct, frozen=True):
    """A line of source; `text` is None where the file could not be read."""

    number: int
    text: str | None
    gap: bool
    sites: tuple[SiteView, ...]
    promises: tuple[Assertion, ...]


class FileView(msgspec.Struct, frozen=True):
    name: str
    count: int
    read: bool
    blocks: tuple[tuple[SourceRow, ...], ...]


def render(report: EscapeReport, options: RenderOptions) -> bytes:
    """The page, files in the order of their names."""
    return shell.page(
        "escape.html",
        _title(report),
        report,
        options,
        files=_files(report),
        summary=_summary(report),
        alarms=[_site(s) for s in report.sites if s.verdict is Verdict.CONTRADICTED],
        dangling=report.dangling,
        broken=[a for a in report.assertions if not a.held],
        promises=len(report.assertions),
        passed_over=passed_over(report.passed_over),
        partial=report.partial,
        ran=report.ran,
        total=len(report.sites),
        warnings=report.warnings,
        facts=[
            f"Go {report.go.version.removeprefix('go')}. {_ended(report)}",
            report.build.go_line,
        ],
    )


def _title(report: EscapeReport) -> str:
    return "What -m said, and what happened" if report.ran else "What -m said, and what is built"


def _ended(report: EscapeReport) -> str:
    if not report.ran or report.exit is UNSET:
        return "The program was not run."
    if report.exit.signal is not UNSET:
        return f"The program was ended by {report.exit.signal}."
    if report.exit.code is not UNSET:
        return f"The program ended with code {report.exit.code}."
    return "The program was ended here."


def _summary(report: EscapeReport) -> list[tuple[str, str, str, str, str, int]]:
    """Value, words, tone, sign, meaning and count of each verdict met, the loudest first."""
    met = [(v, report.summary[v.value]) for v in Verdict if report.summary.get(v.value)]
    met.sort(key=lambda pair: (-LOUDNESS[pair[0]], -pair[1]))
    return [(v.value, verdict_words(v), *_TONES[LOUDNESS[v]], MEANINGS[v], n) for v, n in met]


def _files(report: EscapeReport) -> list[FileView]:
    sources = SourceExcerpts()
    sites = sorted(report.sites, key=lambda s: (s.file, s.line, s.col))
    promises: dict[str, list[Assertion]] = {}
    for assertion in report.assertions:
        promises.setdefault(assertion.file, []).append(assertion)
    grouped = {file: list(group) for file, group in groupby(sites, key=lambda s: s.file)}
    names = sorted({*grouped, *promises})
    return [_file(n, grouped.get(n, []), promises.get(n, []), sources) for n in names]


def _file(
    name: str, sites: Sequence[Site], promises: Sequence[Assertion], sources: SourceExcerpts
) -> FileView:
    at: dict[int, list[SiteView]] = {}
    for site in sites:
        at.setdefault(site.line, []).append(_site(site))
    told: dict[int, list[Assertion]] = {}
    for promise in promises:
        told.setdefault(promise.line, []).append(promise)
    lines = sources.lines(name)
    marked = sorted({*at, *told})
    if lines and len(lines) <= _WHOLE:
        shown = [(n, text, False) for n, text in enumerate(lines, 1)]
    else:
        shown = [(x.number, x.text, x.gap) for x in sources.around(name, marked, _MARGIN)]
    have = {number for number, _, _ in shown}
    bare: list[tuple[int, str | None, bool]] = [(n, None, False) for n in marked if n not in have]
    every = sorted([*shown, *bare], key=lambda line: line[0])
    rows = [
        SourceRow(n, text, gap, tuple(at.get(n, ())), tuple(told.get(n, ())))
        for n, text, gap in every
    ]
    blocks = tuple(tuple(rows[i : i + _BLOCK]) for i in range(0, len(rows), _BLOCK))
    return FileView(name, len(sites), bool(lines), blocks)


def _site(site: Site) -> SiteView:
    tone, sign = _TONES[LOUDNESS[site.verdict]]
    return SiteView(
        site=site,
        said=_SAID[site.prediction],
        words=verdict_words(site.verdict),
        tone=tone,
        sign=sign,
        calls=tuple(_calls(site)),
        flow=site.flow[:_MOST_STEPS],
        outcomes=tuple(_outcome(o) for o in site.outcomes[:_MOST_CALLS]),
        left_out=max(len(site.calls) - _MOST_CALLS, 0),
    )


def _calls(site: Site) -> list[str]:
    told = []
    for call in site.calls[:_MOST_CALLS]:
        via = f", inlined at {words.listed(list(call.inlined_at))}" if call.inlined_at else ""
        told.append(f"{call.pc} calls {call.callee}{via}: {words.counted(call.hits, 'hit')}")
    return told


def _outcome(outcome: Outcome) -> str:
    what = f" of {outcome.type}" if outcome.type else ""
    lay = f"{words.number(outcome.count)} lay {outcome.name or outcome.kind}{what}"
    return f"{lay}, {words.size(outcome.bytes)} in all, the first at {outcome.address}"
