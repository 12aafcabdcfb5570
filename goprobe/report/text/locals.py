"""The variables of goroutines' frames in text, and which of them differ from one to another."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET
from rich.text import Text

from goprobe.model.attached import CallSite, Differing
from goprobe.model.value import State, Variable
from goprobe.report import words
from goprobe.report.selection import value_and_data
from goprobe.report.text.page import Column, Page, Span
from goprobe.report.text.stops import told_state

_COLUMNS = (Column(elastic=True, cut=True, amid=True, least=4), Column(elastic=True, least=16))
_MOST_VARIABLES = 20
_MOST_VALUES = 4


def has_variables(sites: Sequence[CallSite]) -> bool:
    return any(site.variables is not UNSET for site in sites)


def variables(page: Page, site: CallSite, indent: int) -> None:
    """Those of one frame."""
    every = site.variables if site.variables is not UNSET else ()
    different = {d.index: d for d in site.differing} if site.differing is not UNSET else {}
    shown = every if page.options.verbose else every[:_MOST_VARIABLES]
    rows = [row for i, v in enumerate(shown) for row in _rows(page, v, different.get(i))]
    if rows:
        page.table(rows, _COLUMNS, indent)
    if more := len(every) - len(shown):
        page.line((f"and {more} more: -v shows them", "dim"), indent=indent)


def _rows(page: Page, variable: Variable, differing: Differing | None) -> list[list[Text]]:
    name = page.text((variable.name, "bold"))
    if differing is not None:
        return [[name, page.text((f"{page.named(variable.type)}  ", "dim"), _different(differing))]]
    value = value_and_data(variable)
    told = "" if variable.state is State.LIVE else told_state(variable)
    told = f"  {told}" if value and told else told
    spans: list[Span] = [(f"{page.named(variable.type)}  ", "dim"), value, (told, "italic")]
    rows = [[name, page.text(*spans)]]
    if page.options.verbose and variable.location is not UNSET:
        where = f"{variable.location.name}  {variable.location.address}"
        rows += [
            [page.text(), page.text((fact, "dim"))]
            for fact in (where, *(f"{page.glyphs.dot} {e}" for e in variable.location.evidence))
        ]
    return rows


def _different(differing: Differing) -> str:
    """ "1, 2 (3 times), 5 and 88 others"."""
    shown = differing.values[:_MOST_VALUES]
    told = ", ".join(f"{text} ({count} times)" if count > 1 else text for text, count in shown)
    left = len(differing.values) - len(shown) + differing.more
    return f"different: {told}" + (f" and {words.counted(left, 'other')}" if left else "")
