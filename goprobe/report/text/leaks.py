"""The report of `goprobe goroutines --leaked` in text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import UNSET
from rich.text import Text

from goprobe.model.attached import GoroutineGroup, GoroutinesReport, LeakSummary
from goprobe.model.heap import HeapReport
from goprobe.report import words
from goprobe.report.leakwords import MAIN_WAITS, held_by_lost, none_lost, of_blocked, undecided
from goprobe.report.text.goroutinelines import (
    INDENT,
    ended,
    frames,
    group_head,
    left_out,
    origins,
)
from goprobe.report.text.page import Column, Page
from goprobe.report.text.waits import waits_on

_MOST_GROUPS = 20
_MOST_TYPES = 8
_RIGHT = Column(right=True)


def leaks(page: Page, report: GoroutinesReport, summary: LeakSummary, *, whole: bool) -> None:
    _summary(page, summary)
    shown = report.groups if page.options.verbose else report.groups[:_MOST_GROUPS]
    for group in shown:
        page.blank()
        page.paragraph(*group_head(group), hanging=INDENT)
        _why(page, group)
        frames(page, group.frames, whole=whole)
        ended(page, group.frames_end)
        origins(page, group)
    left_out(page, report.groups[len(shown) :])
    _types(page, summary)
    page.following(_next_lines(report))


def _next_lines(report: GoroutinesReport) -> Iterator[tuple[str, str]]:
    lost = next((group for group in report.groups if group.leaked), None)
    if not report.pid or lost is None:
        return
    process = words.asked_of(report.pid, report.pause_us)
    one = f"goprobe goroutines {process} --id {lost.ids[0]}"
    yield f"{one} --stacks --locals", "one of them, with its variables"
    yield f"goprobe heap {process} --leaked", "what they keep, of the whole heap"


def held_on_heap(page: Page, report: HeapReport, summary: LeakSummary) -> None:
    """ "held by leaked goroutines: 9.9 MiB in 1,024 objects by …", for a heap; where it was all
    that was asked, by type, too, and that there is none."""
    only = report.tree is UNSET
    if summary.leaked:
        page.paragraph(
            ("held by leaked goroutines: ", "bold red"), held_by_lost(summary), hanging=INDENT
        )
    elif only:
        page.paragraph(none_lost(summary))
    if summary.undecided:
        page.paragraph((undecided(summary), "yellow"))
    if only:
        _types(page, summary)
    if only or summary.leaked or summary.undecided:
        page.blank()


def _summary(page: Page, summary: LeakSummary) -> None:
    """ "3 goroutines are leaked: they can never run again", and what they keep."""
    blocked = of_blocked(summary)
    if not summary.leaked:
        page.paragraph((none_lost(summary), "bold"))
    else:
        one = summary.leaked == 1
        verb, they = ("is", "it") if one else ("are", "they")
        count = words.counted(summary.leaked, "goroutine")
        page.paragraph(
            (f"{count} {verb} leaked", "bold red"), f" {blocked}: {they} can never run again"
        )
        page.paragraph(
            f"{they} alone {'keeps' if one else 'keep'} "
            f"{words.counted(summary.retained_objects, 'object')} of "
            f"{words.size(summary.retained_bytes)} from being collected, beside "
            f"{words.size(summary.stack_bytes)} of stacks"
        )
    if summary.undecided:
        page.paragraph((undecided(summary), "yellow"))
    if summary.main_waits:
        page.paragraph(MAIN_WAITS)


def _why(page: Page, group: GoroutineGroup) -> None:
    kept = ""
    if group.retained_bytes is not UNSET and group.retained_bytes:
        kept = f"; keeps {words.size(group.retained_bytes)}"
    style = "" if group.leaked else "yellow"
    why = group.why if group.leaked else f"undecided: {group.why}"
    page.paragraph((f"{why}{kept}", style), indent=INDENT * 2, hanging=INDENT)
    left = group.more_waits_on
    waits_on(page, group.waits_on, several=True, only=group.leaked, left=left)


def _types(page: Page, summary: LeakSummary) -> None:
    if not summary.types:
        return
    page.blank()
    page.line("kept by leaked goroutines alone:")
    rows = [_row(page, "bytes", "objects", "type")]
    rows += [
        _row(page, words.size(t.bytes), words.number(t.objects), page.named(t.type))
        for t in summary.types[: None if page.options.verbose else _MOST_TYPES]
    ]
    page.table(rows, (_RIGHT, _RIGHT, Column(elastic=True, cut=True, amid=True)), INDENT)


def _row(page: Page, *cells: str) -> Sequence[Text]:
    return [page.text(cell) for cell in cells]
