"""A report that is one table, as a page."""

from __future__ import annotations

from goprobe.model.report import report_name
from goprobe.model.table import TableReport, columns
from goprobe.report import words
from goprobe.report.html import shell
from goprobe.report.options import RenderOptions

_MOST = 10_000


def render(report: TableReport, options: RenderOptions) -> bytes:
    """The rows in their order; of far too many the first."""
    shown = columns(report.row)
    return shell.page(
        "table.html",
        report.summary,
        report,
        options,
        kind=report_name(type(report)),
        columns=shown,
        left_out=max(len(report.rows) - _MOST, 0),
        rows=[
            [words.cell(getattr(row, c.field), c.unit) for c in shown]
            for row in report.rows[:_MOST]
        ],
        warnings=(),
        facts=report.notes,
    )
