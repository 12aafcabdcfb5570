"""What changed since an older report, a line of text for each place that allocates otherwise."""

from __future__ import annotations

from goprobe.model.escape import ChangeKind, Comparison, EscapeReport
from goprobe.report import words
from goprobe.report.changewords import SIGNS, told
from goprobe.report.text.page import Page

_K = ChangeKind
_WORSE = (_K.NEW, _K.TO_HEAP, _K.MORE, _K.LARGER)
_MOST = 100


def changes(page: Page, report: EscapeReport) -> None:
    for comparison in report.comparisons:
        _comparison(page, comparison)


def _comparison(page: Page, comparison: Comparison) -> None:
    count = len(comparison.changes)
    since = f" since {comparison.against}"
    release = f"Go {comparison.go.removeprefix('go')}"
    by = "" if release in comparison.against else f" ({release})"
    page.heading(f"{words.counted(count, 'change') if count else 'Nothing changed'}{since}{by}")
    for doubt in comparison.doubts:
        page.paragraph((f"{page.glyphs.warn} {doubt}", "yellow"), indent=2, hanging=2)
    shown = comparison.changes if page.options.verbose else comparison.changes[:_MOST]
    for change in shown:
        style = "bold red" if change.fails else "yellow" if change.kind in _WORSE else "green"
        page.paragraph(
            (f"{SIGNS[change.kind]} {change.file}:{change.line} ", style),
            (f"{_short(change.function)}: {change.expression}", "bold"),
            f": {told(change)}",
            indent=2,
            hanging=2,
        )
    if len(shown) < count:
        left = words.counted(count - len(shown), "change")
        page.line((f"{left} more: -v shows them", "dim"))
    same = f"{words.counted(comparison.same, 'place')} as before"
    silent = f"{comparison.silent} new or gone that allocate nothing"
    page.paragraph((f"{same}, {silent}", "dim"), indent=2)


def _short(function: str) -> str:
    return function.rpartition("/")[2]
