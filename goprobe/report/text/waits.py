"""What goroutines wait on, and who has it, in text: of one goroutine, or of a group of them."""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.model.attached import Deadlock, WaitsOn
from goprobe.report import words
from goprobe.report.text.goroutinelines import INDENT
from goprobe.report.text.page import Page
from goprobe.report.waitwords import PLAIN, deadlocked, held, owned, waited

_MOST_CASES = 4
_MOST_HOLDERS = 3
_MOST_DEADLOCKS = 10
_MOST_STEPS = 12


def waits_on(
    page: Page,
    waits: Sequence[WaitsOn],
    *,
    several: bool = False,
    only: bool = False,
    left: int = 0,
) -> None:
    """`several`: they are those of a group, of which `left` are left out; `only`: nobody else has
    them."""
    if not waits and not left:
        return
    telling = [w for w in waits if w.kind not in PLAIN]
    most = max((w.count for w in telling), default=0)
    shown = telling if page.options.verbose else telling[:_MOST_CASES]
    for each in shown:
        count = (
            f"{words.number(each.count)} on " if several and len(telling) > 1 and most > 1 else ""
        )
        told = f"{count}{page.named(waited(each))}"
        if each.why:
            told += f": {each.why}"
        page.paragraph(told, indent=INDENT * 2, hanging=INDENT)
        if who := held(each, most=None if page.options.verbose else _MOST_HOLDERS):
            by = "held only by" if only else "held by"
            page.paragraph((f"{by} {page.named(who)}", "dim"), indent=INDENT * 3, hanging=INDENT)
        for owner in owned(each, len(each.owners) if page.options.verbose else _MOST_HOLDERS):
            page.paragraph((page.named(owner), "dim"), indent=INDENT * 3, hanging=INDENT)
    if more := len(telling) - len(shown) + left:
        page.line((f"and on {words.number(more)} more", "dim"), indent=INDENT * 2)


def deadlocks(page: Page, every: Sequence[Deadlock]) -> None:
    """ "deadlock: goroutines 7 and 8 wait for each other", and how."""
    for deadlock in every[:_MOST_DEADLOCKS]:
        page.blank()
        page.paragraph((deadlocked(deadlock), "bold red"), hanging=INDENT)
        for step in deadlock.steps[:_MOST_STEPS]:
            page.paragraph(page.named(step), indent=INDENT, hanging=INDENT)
        if (more := len(deadlock.steps) - _MOST_STEPS) > 0:
            page.line((f"and {more} more", "dim"), indent=INDENT)
    if len(every) > _MOST_DEADLOCKS:
        page.line(f"and {words.counted(len(every) - _MOST_DEADLOCKS, 'more deadlock')}")
