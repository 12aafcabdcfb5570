"""The report of `goprobe trace` in text: the answer, the picture, the stops, how it came about."""

from __future__ import annotations

from pathlib import PurePosixPath

from msgspec import UNSET

from goprobe.model.trace import TraceReport
from goprobe.report.options import RenderOptions
from goprobe.report.selection import picks
from goprobe.report.text import answer, memorypicture, stops
from goprobe.report.text.page import Page

_MANY_PARTS = 16
_FEW_PARTS = 4


def render(report: TraceReport, options: RenderOptions) -> bytes:
    """The whole report, no line wider than `options.width`."""
    page = Page(options)
    parts = _MANY_PARTS if options.verbose else _FEW_PARTS
    chosen = picks(report, options.variables, parts)
    answer.write(page, report, chosen, options.variables)
    memorypicture.write(page, report.map, answer.marks(chosen))
    stops.write(page, report.stops)
    _footer(page, report)
    return page.render()


def _footer(page: Page, report: TraceReport) -> None:
    page.blank()
    for warning in report.warnings:
        page.paragraph((f"{page.glyphs.warn} {warning}", "yellow"), hanging=2)
    page.paragraph((f"{_made(report)} {_ended(report)}", "dim"))
    if page.options.verbose:
        binary = report.binary
        page.paragraph((f"{binary.path}  build id {binary.build_id or 'none'}", "dim"), hanging=2)


def _made(report: TraceReport) -> str:
    binary = report.binary
    name = PurePosixPath(binary.path).name
    how = "optimised" if binary.optimized else "not optimised"
    version = report.go.version.removeprefix("go") or "of unknown version"
    flags = f" ({binary.flags})" if binary.flags else ""
    return f"{name}: Go {version}, {how}{flags}; GDB {report.gdb.version}."


def _ended(report: TraceReport) -> str:
    if report.exit.signal is not UNSET:
        return f"Process {report.pid} was ended by {report.exit.signal}."
    if report.exit.code is not UNSET:
        return f"Process {report.pid} ended with code {report.exit.code}."
    return f"Process {report.pid} was ended here."
