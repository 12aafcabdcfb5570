"""The report of `goprobe trace --compare` in text: changes in sentences, then both builds."""

from __future__ import annotations

from itertools import zip_longest

from msgspec import UNSET, UnsetType
from rich.text import Text

from goprobe.model.compare import Change, CompareReport, Fate
from goprobe.model.value import State, Variable
from goprobe.report import words
from goprobe.report.options import RenderOptions
from goprobe.report.selection import value_text
from goprobe.report.text.look import STATE_WORDS, style_of
from goprobe.report.text.page import Column, Page

_COLUMNS = (
    Column(elastic=True, cut=True, least=8),
    Column(elastic=True, least=16),
    Column(elastic=True, least=16),
)
_MOST = 12
_INDENT = 2


def render(report: CompareReport, options: RenderOptions) -> bytes:
    """The whole comparison, no line wider than `options.width`."""
    page = Page(options)
    shown = _chosen(report, options)
    _tell(page, report, shown)
    _table(page, shown)
    _footer(page, report)
    return page.render()


def _chosen(report: CompareReport, options: RenderOptions) -> list[Change]:
    """The variables asked for, else those of the user's own code, else all."""
    own = [change for change in report.changes if change.function.startswith("main.")]
    if options.variables:
        own = [change for change in report.changes if change.name in options.variables]
    changes = own or list(report.changes)
    return changes if options.verbose else changes[:_MOST]


def _tell(page: Page, report: CompareReport, shown: list[Change]) -> None:
    page.line(("What the optimiser changes", "bold"))
    page.blank()
    changed = [change for change in shown if change.fate is not Fate.KEPT]
    for change in changed:
        page.paragraph(f"{page.glyphs.dot} {change.told}.", indent=_INDENT, hanging=2)
    kept = [change.name for change in shown if change.fate is Fate.KEPT]
    if kept:
        verb = "stays" if len(kept) == 1 else "stay"
        told = f"{page.glyphs.dot} {words.listed(kept)} {verb} in the same kind of place."
        page.paragraph(told, indent=_INDENT, hanging=2)
    for inlining in report.inlined:
        told = f"{inlining.function} has no frame of its own: its code is inlined into "
        page.paragraph(f"{page.glyphs.dot} {told}{inlining.into}.", indent=_INDENT, hanging=2)
    before, after = words.size(report.unoptimized_code), words.size(report.optimized_code)
    page.line(f"{page.glyphs.dot} Machine code: {before}, then {after}.", indent=_INDENT)


def _table(page: Page, shown: list[Change]) -> None:
    if not shown:
        return
    page.blank()
    rows = [[page.text(), page.text(("not optimised", "bold")), page.text(("optimised", "bold"))]]
    for change in shown:
        before, after = _cell(page, change.unoptimized), _cell(page, change.optimized)
        name = page.text((change.name, "bold"), (f"  {change.type}", "dim"))
        rows += map(list, zip_longest([name], before, after, fillvalue=page.text()))
    page.table(rows, _COLUMNS, indent=_INDENT)


def _cell(page: Page, variable: Variable | UnsetType) -> list[Text]:
    """What one build knows of a variable: its value, its place, the place of what it leads to."""
    if variable is UNSET:
        return [page.text(("does not show", "italic"))]
    value = value_text(variable.type, variable.value, variable.data)
    lines = [page.text(value)] if value else []
    if variable.state is not State.LIVE:
        lines.append(page.text((_state(variable), "italic")))
    if variable.location is not UNSET:
        lines.append(page.text((variable.location.name, style_of(variable.location))))
    if variable.data is not UNSET:
        place = (variable.data.location.name, style_of(variable.data.location))
        lines.append(page.text((f"{page.glyphs.leads_to} ", "dim"), place))
    return lines


def _state(variable: Variable) -> str:
    if variable.state is State.REGISTER and variable.register is UNSET:
        return "its words lie apart"
    register = "" if variable.register is UNSET else f" {variable.register}"
    return f"{STATE_WORDS[variable.state]}{register}"


def _footer(page: Page, report: CompareReport) -> None:
    page.blank()
    warnings = dict.fromkeys((*report.unoptimized.warnings, *report.optimized.warnings))
    for warning in warnings:
        page.paragraph((f"{page.glyphs.warn} {warning}", "yellow"), hanging=2)
    version = report.optimized.go.version.removeprefix("go")
    told = f"Go {version}, GDB {report.optimized.gdb.version}; without --compare, trace shows "
    page.paragraph((f"{told}the unoptimised build whole, with --optimized the other.", "dim"))
