"""What of a report does not hold, below any report in text."""

from __future__ import annotations

from goprobe.model.report import Report
from goprobe.report.options import RenderOptions
from goprobe.report.text.page import Page

TOLD = "This report contradicts itself"


def render(report: Report, options: RenderOptions) -> bytes:
    """A paragraph for each check that does not hold."""
    page = Page(options)
    for fault in report.contradictions:
        page.paragraph((f"{page.glyphs.bad} {TOLD}: {fault.says}", "bold red"), hanging=2)
    return b"\n" + page.render()
