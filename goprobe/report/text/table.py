"""A report that is one table, in text."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from goprobe.model.table import TableColumn, TableReport, columns
from goprobe.report import words
from goprobe.report.options import RenderOptions
from goprobe.report.text.page import Column as Width, Page

_LEAST = 16


def render(report: TableReport, options: RenderOptions) -> bytes:
    """The summary, the table, the notes. A column without a single value is left out."""
    page = Page(options)
    page.paragraph((report.summary, "bold"))
    shown = [
        c
        for c in columns(report.row)
        if any(words.cell(_value(row, c), c.unit) for row in report.rows)
    ]
    if shown:
        page.blank()
        head = [page.text((c.title, "dim")) for c in shown]
        lines = [
            [page.text(words.cell(_value(row, c), c.unit)) for c in shown] for row in report.rows
        ]
        page.table([head, *lines], [_width(c, lines, i) for i, c in enumerate(shown)])
    for note in report.notes:
        page.blank()
        page.paragraph((note, "dim"))
    return page.render()


def _value(row: Any, column: TableColumn) -> Any:
    return getattr(row, column.field)


def _width(column: TableColumn, lines: list[list[Text]], at: int) -> Width:
    """Long texts give way, and are cut."""
    long = max((line[at].cell_len for line in lines), default=0) > _LEAST
    gives = long and not column.number
    return Width(right=column.number, elastic=gives, cut=gives, least=_LEAST)
