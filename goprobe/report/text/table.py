"""A report that is one table, in text."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from goprobe.model.table import TableColumn, TableReport, columns
from goprobe.report import words
from goprobe.report.options import RenderOptions
from goprobe.report.text.page import GAP, Column as Width, Page

_LEAST = 16
_MOST_LINES = 2


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
        _put(page, [head, *lines], [_width(c, lines, i) for i, c in enumerate(shown)])
    for note in report.notes:
        page.blank()
        page.paragraph((note, "dim"))
    return page.render()


def _put(page: Page, table: list[list[Text]], widths: list[Width]) -> None:
    """Where the others leave no room for the last long text, it stands below its row."""
    long = [i for i, width in enumerate(widths) if width.elastic]
    taken = sum(max(row[i].cell_len for row in table) + GAP for i in range(len(widths)))
    last = long[-1] if long else 0
    taken -= max(row[last].cell_len for row in table)
    if not long or page.width - taken >= _LEAST:
        page.table(table, widths)
        return
    below = [(page.fit(row[last], _MOST_LINES * page.width),) for row in table]
    page.table(
        [row[:last] + row[last + 1 :] for row in table],
        widths[:last] + widths[last + 1 :],
        below=below,
    )


def _value(row: Any, column: TableColumn) -> Any:
    return getattr(row, column.field)


def _width(column: TableColumn, lines: list[list[Text]], at: int) -> Width:
    """Long texts give way, and a part amid them is left out."""
    long = max((line[at].cell_len for line in lines), default=0) > _LEAST
    gives = long and not column.number
    return Width(right=column.number, elastic=gives, cut=gives, amid=gives, least=_LEAST)
