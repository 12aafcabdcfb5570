"""What changed since an older report, a line of text for each place that allocates otherwise."""

from __future__ import annotations

from goprobe.model.escape import Change, ChangeKind, Comparison, EscapeReport
from goprobe.report import words
from goprobe.report.text.page import Page

_K = ChangeKind
SIGNS = {
    _K.NEW: "+",
    _K.TO_HEAP: "+",
    _K.MORE: ">",
    _K.LARGER: ">",
    _K.SMALLER: "<",
    _K.FEWER: "<",
    _K.TO_STACK: "-",
    _K.GONE: "-",
}
_WORSE = (_K.NEW, _K.TO_HEAP, _K.MORE, _K.LARGER)
_MOST = 100
_RUNTIME = "from "


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
        page.line((f"{words.number(count - len(shown))} changes more: -v shows them", "dim"))
    same = f"{words.counted(comparison.same, 'place')} as before"
    silent = f"{comparison.silent} new or gone that allocate nothing"
    page.paragraph((f"{same}, {silent}", "dim"), indent=2)


def _short(function: str) -> str:
    return function.rpartition("/")[2]


def told(change: Change) -> str:
    """The change in words: "new, 44,480,602 allocations (1.3 GiB), because …"."""
    text = {
        _K.NEW: f"new, {_amount(change)}",
        _K.TO_HEAP: f"moved to the heap, {_amount(change)}",
        _K.TO_STACK: f"back on the stack, {_before(change)} before",
        _K.GONE: f"gone, {_before(change)} before",
        _K.MORE: f"{_amount(change)}, {_before(change)} before",
        _K.FEWER: f"{_amount(change)}, {_before(change)} before",
        _K.LARGER: f"larger: {_sizes(change)}",
        _K.SMALLER: f"smaller: {_sizes(change)}",
    }[change.kind]
    return f"{text}, because {change.why.removeprefix(_RUNTIME)}" if change.why else text


def _amount(change: Change) -> str:
    if change.allocations < 0:
        return "allocates if it runs"
    return f"{words.counted(change.allocations, 'allocation')} ({words.size(change.bytes)})"


def _before(change: Change) -> str:
    if change.allocations_before < 0:
        return "allocated if it ran"
    return words.number(change.allocations_before)


def _sizes(change: Change) -> str:
    was = change.bytes_before / max(change.allocations_before, 1)
    now = change.bytes / max(change.allocations, 1)
    return (
        f"{now:,.0f} bytes an object, {was:,.0f} before "
        f"({words.counted(change.allocations, 'allocation')})"
    )
