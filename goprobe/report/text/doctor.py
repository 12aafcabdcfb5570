"""The report of `goprobe doctor` in text: each line says what is fine, or how to mend it."""

from __future__ import annotations

from rich.text import Text

from goprobe.model.doctor import Check, DoctorReport, Health
from goprobe.report.options import RenderOptions
from goprobe.report.text.page import Column, Page

_COLUMNS = (Column(), Column(), Column(elastic=True, least=20))
_STYLES = {
    Health.OK: "green",
    Health.WARNING: "yellow",
    Health.FAILED: "red",
    Health.NOT_TRIED: "bright_black",
}


def render(report: DoctorReport, options: RenderOptions) -> bytes:
    """The checks in the order in which they were made, then what they come to."""
    page = Page(options)
    page.table([row for check in report.checks for row in _rows(page, check)], _COLUMNS)
    page.blank()
    warned = any(check.health is Health.WARNING for check in report.checks)
    if not report.works:
        page.paragraph(("goprobe trace cannot work here yet.", "bold red"))
    elif warned:
        page.paragraph(("goprobe works here, but for what is marked.", "bold"))
    else:
        page.paragraph(("goprobe works here.", "bold green"))
    return page.render()


def _rows(page: Page, check: Check) -> list[list[Text]]:
    glyphs = page.glyphs
    signs = {
        Health.OK: glyphs.good,
        Health.WARNING: glyphs.warn,
        Health.FAILED: glyphs.bad,
        Health.NOT_TRIED: glyphs.dot,
    }
    style = _STYLES[check.health]
    row = [page.text((signs[check.health], style)), page.text((check.name, "bold"))]
    rows = [[*row, page.text(check.finding)]]
    for line in check.mend.splitlines():
        mend = page.text((f"{glyphs.leads_to} ", "dim"), (line, style))
        rows.append([page.text(), page.text(), mend])
    return rows
