"""The report of `goprobe escape` in text: alarms first, then each file's sites line by line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from msgspec import UNSET
from rich.text import Text

from goprobe.model.escape import NOT_RUN, Assertion, EscapeReport, Prediction, Site, Verdict
from goprobe.report import words
from goprobe.report.options import RenderOptions
from goprobe.report.text.changes import changes
from goprobe.report.text.page import Column, Page, Span
from goprobe.report.verdicts import LOUDNESS, Loudness, passed_over, words as verdict_words

_INDENT = 2
_FEW_SITES = 40
_MOST_SITES = 400
_STYLES = {
    Loudness.QUIET: "bright_black",
    Loudness.FINE: "green",
    Loudness.NOTE: "yellow",
    Loudness.WARNING: "bright_yellow",
    Loudness.ALARM: "bold red",
}
_SAID = {Prediction.HEAP: "heap", Prediction.STACK: "stack", Prediction.NONE: "-"}
_COLUMNS = (
    Column(right=True),
    Column(elastic=True, cut=True, least=12),
    Column(),
    Column(),
    Column(right=True),
)


def render(report: EscapeReport, options: RenderOptions) -> bytes:
    """The whole report; with `verbose` every site, its messages and its calls."""
    page = Page(options)
    _summary(page, report)
    _alarms(page, report)
    _assertions(page, report.assertions)
    if report.passed_over.promises:
        page.blank()
        page.paragraph((passed_over(report.passed_over), "dim"))
    if report.comparisons and not page.options.verbose:
        changes(page, report)
    else:
        _files(page, report)
        changes(page, report)
    _footer(page, report)
    return page.render()


def _summary(page: Page, report: EscapeReport) -> None:
    """How many predictions, and what came of them."""
    said = sum(site.prediction is not Prediction.NONE for site in report.sites)
    runs = "one run" if report.runs == 1 else f"{report.runs} runs"
    how = f"held against {runs}" if report.ran else "held against the code, nothing was run"
    page.paragraph((f"{words.counted(said, 'prediction')} of the compiler", "bold"), f", {how}")
    if report.partial:
        page.paragraph((f"{page.glyphs.warn} not seen to the end: {report.partial}", "bold yellow"))
    if report.failed:
        told = f"{page.glyphs.bad} tests failed: {report.failed}"
        page.paragraph((told, "bold red"), hanging=2)
    if report.shown:
        page.paragraph((report.shown, "dim"))
    page.blank()
    rows = [
        [page.text(words.number(count)), page.text((verdict_words(verdict), _style(verdict)))]
        for verdict, count in ((Verdict(v), n) for v, n in report.summary.items())
    ]
    page.table(rows, (Column(right=True), Column()), _INDENT)


def _style(verdict: Verdict) -> str:
    return _STYLES[LOUDNESS[verdict]]


def _alarms(page: Page, report: EscapeReport) -> None:
    wrong = [site for site in report.sites if site.verdict is Verdict.CONTRADICTED]
    if not wrong and not report.dangling:
        return
    page.heading("Contradicted", ": a bug of the compiler, or of goprobe")
    for site in wrong:
        page.paragraph(
            (f"{_place(site)} {site.expression}: ", "bold"), site.reason, indent=2, hanging=2
        )
    for pointer in report.dangling:
        told = f"{pointer.source} points at {pointer.target}, a stack ({pointer.when})"
        page.paragraph(told, indent=_INDENT, hanging=2)


def _place(site: Site) -> str:
    return f"{site.file}:{site.line}:{site.col}"


def _assertions(page: Page, assertions: Sequence[Assertion]) -> None:
    """Broken promises with the reason; kept ones are counted."""
    if not assertions:
        return
    broken = [assertion for assertion in assertions if not assertion.held]
    page.heading(f"{words.counted(len(assertions), 'promise')} in the source")
    shown = assertions if page.options.verbose else broken
    for promise in shown:
        sign, style = (page.glyphs.good, "green") if promise.held else (page.glyphs.bad, "bold red")
        if not promise.known:
            sign, style = page.glyphs.warn, "bold yellow"
        page.paragraph(
            (f"{sign} ", style),
            (f"{_promised(promise)} goprobe:{promise.text}", "bold"),
            f"  {'' if promise.known else 'not known: '}{promise.why}",
            indent=_INDENT,
            hanging=2,
        )
        _proof(page, promise)
    kept = len(assertions) - len(broken)
    if kept and not page.options.verbose:
        page.paragraph((f"{page.glyphs.good} {kept} held", "green"), indent=_INDENT)


def _promised(promise: Assertion) -> str:
    """Where a promise stands; one of the command line stands nowhere."""
    return f"{promise.file}:{promise.line}" if promise.file else "--promise"


def _proof(page: Page, promise: Assertion) -> None:
    """The calls that lead to what breaks it, or to the first that nobody can follow; the run."""
    proof = promise.proof
    if proof is UNSET or (promise.held and not page.options.verbose):
        return
    chains = [proof.chain] if proof.chain else [hole.chain for hole in proof.holes]
    few = chains if page.options.verbose else chains[:1]
    for number, chain in enumerate(few):
        why = f" {proof.holes[number].why}" if not proof.chain else ""
        for depth, place in enumerate(chain):
            last = why if depth == len(chain) - 1 else ""
            told = f"{words.short_place(place.file, place.line)}{place.function}{last}"
            page.line((told, "dim"), indent=_INDENT + 2 + min(depth, 8))
    if len(few) < len(chains):
        left = words.counted(len(chains) - len(few), "call")
        page.line((f"{left} more that cannot be followed: -v shows them", "dim"), indent=4)
    if proof.ran != NOT_RUN:
        page.paragraph((f"in the run: {proof.ran}", "dim"), indent=_INDENT + 2, hanging=2)


def _files(page: Page, report: EscapeReport) -> None:
    sites = sorted(report.sites, key=_in_file_order)
    shown, cut, folded = sites, 0, 0
    if not page.options.verbose:
        shown = [site for site in sites if not site.parameter]
        if len(shown) > _FEW_SITES:
            shown = [site for site in shown if LOUDNESS[site.verdict] > Loudness.QUIET]
        shown, folded = _without_tests(shown, report)
        cut = max(0, len(shown) - _MOST_SITES)
        weightiest = sorted(shown, key=lambda site: (-LOUDNESS[site.verdict], -site.hits))
        shown = sorted(weightiest[:_MOST_SITES], key=_in_file_order)
    for file, group in groupby(shown, key=lambda site: site.file):
        page.heading(file)
        page.blank()
        _sites(page, group)
    if len(shown) < len(sites):
        page.blank()
        left = words.counted(len(sites) - len(shown), "site")
        kinds = [f"{cut} that matter less or ran less often"] if cut else []
        kinds += [f"{folded} of test files"] if folded else []
        what = ", ".join([*kinds, "parameters and code that never ran"])
        page.paragraph((f"{left} more, {what}: -v shows them", "dim"))


def _without_tests(sites: list[Site], report: EscapeReport) -> tuple[list[Site], int]:
    """Without what tests do themselves, and how much that was; where there is nothing else, or a
    part was asked for, all of it."""
    rest = [s for s in sites if not _of_test(s) or LOUDNESS[s.verdict] is Loudness.ALARM]
    if report.shown or not any(not _of_test(s) for s in sites):
        return sites, 0
    return rest, len(sites) - len(rest)


def _of_test(site: Site) -> bool:
    """Whether what it is about stands in a test file; code inlined into one is the package's."""
    own = all(call.file.endswith("_test.go") for call in site.calls if call.file)
    return site.file.endswith("_test.go") and own


def _in_file_order(site: Site) -> tuple[str, int, int]:
    return site.file, site.line, site.col


def _sites(page: Page, sites: Iterable[Site]) -> None:
    titles = ("line", "", "said", "happened", "hits")
    rows = [[page.text((title, "dim")) for title in titles]]
    notes: list[list[Text]] = []
    for site in sites:
        notes.append(_notes(page, site))
        rows.append(
            [
                page.text((f"{site.line}:{site.col}", "dim")),
                page.text(site.expression),
                page.text((_SAID[site.prediction], "dim")),
                page.text((verdict_words(site.verdict), _style(site.verdict))),
                page.text(_hits(site)),
            ]
        )
    page.table(rows, _COLUMNS, indent=_INDENT, below=[[], *notes])


def _hits(site: Site) -> Span:
    """ "3", "32+" where it may have run more often, "-" where nobody counts."""
    if site.counted:
        return words.number(site.hits)
    return f"{words.number(site.hits)}+" if site.hits else ("-", "dim")


def _notes(page: Page, site: Site) -> list[Text]:
    """The reason, and what -v adds to it."""
    spans: list[list[Span]] = [[(site.reason, "dim")]] if site.reason else []
    if site.ambiguous:
        spans.append([(site.ambiguous, "dim italic")])
    if page.options.verbose:
        spans += [[(f"said: {message}", "dim")] for message in site.messages]
        spans += [[(f"because {step}", "dim")] for step in site.flow]
        for call in site.calls:
            via = f" inlined at {', '.join(call.inlined_at)}" if call.inlined_at else ""
            told = f"{call.pc} calls {call.callee}{via}: {words.counted(call.hits, 'hit')}"
            spans.append([(told, "dim")])
        for outcome in site.outcomes:
            what = f" of {outcome.type}" if outcome.type else ""
            told = f"{words.number(outcome.count)} lay {outcome.name or outcome.kind}{what}"
            spans.append([(f"{told}, first at {outcome.address}", "dim")])
    return [page.text(*parts) for parts in spans]


def _footer(page: Page, report: EscapeReport) -> None:
    page.blank()
    for warning in report.warnings:
        page.paragraph((f"{page.glyphs.warn} {warning}", "yellow"), hanging=2)
    page.paragraph((f"Go {report.go.version.removeprefix('go')}.{_ended(report)}", "dim"))
    if page.options.verbose:
        page.paragraph((report.build.go_line, "dim"), hanging=2)


def _ended(report: EscapeReport) -> str:
    if not report.ran or report.exit is UNSET:
        return ""
    if report.exit.signal is not UNSET:
        return f" The program was ended by {report.exit.signal}."
    if report.exit.panicked and not report.failed:
        return (
            f" The program ended with code {report.exit.code}, as Go ends what panics: what it "
            "would have done then was not seen."
        )
    if report.exit.code is not UNSET:
        return f" The program ended with code {report.exit.code}."
    return " The program was ended here."
