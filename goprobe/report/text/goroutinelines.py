"""The lines about goroutines that their reports in text have in common."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET, UnsetType
from rich.text import Text

from goprobe.model.attached import CallSite, Creation, GoroutineGroup
from goprobe.report import words
from goprobe.report.folding import Round, middles, rounds
from goprobe.report.text.locals import has_variables, variables
from goprobe.report.text.page import Column, Page, Span
from goprobe.report.waitwords import ages

INDENT = 2
STYLES = {"running": "green", "runnable": "cyan", "syscall": "magenta", "dead": "bright_black"}
_MOST_IDS = 8
_MOST_ORIGINS = 3
_FEW_FRAMES = 5
_FEW_CALLED = 2
_COLUMNS = (Column(elastic=True, cut=True, amid=True), Column(elastic=True, cut=True, amid=True))
_RUNTIME = ("runtime.", "internal/runtime/")


def _telling(sites: Sequence[CallSite]) -> Sequence[CallSite]:
    """The frames that say what a goroutine is about: the program's own code and what that called;
    not how the runtime parks and starts it, nor how libraries wait. Without a frame of the
    program's it is about what it began with."""
    outside = _outside(sites)
    first = next((i for i, frame in enumerate(outside) if frame.own), -1)
    if first < 0:
        return outside[-_FEW_FRAMES:] or sites
    return outside[max(first - _FEW_CALLED, 0) :]


def _outside(sites: Sequence[CallSite]) -> Sequence[CallSite]:
    """The frames that are not the runtime's."""
    return [frame for frame in sites if not frame.function.startswith(_RUNTIME)]


def group_head(group: GoroutineGroup) -> list[Span]:
    ids = ", ".join(str(i) for i in group.ids[:_MOST_IDS])
    more = ", ..." if len(group.ids) > _MOST_IDS else ""
    waited = ages(group)
    return [
        (words.counted(group.count, "goroutine"), "bold"),
        "  ",
        (words.state(group.status, group.wait_reason), STYLES.get(group.status, "yellow")),
        (f"  {waited}" if waited else "", "dim"),
        (f"  {ids}{more}", "dim"),
    ]


def left_out(page: Page, groups: Sequence[GoroutineGroup]) -> None:
    """ "and 7 goroutines in 2 more groups: -v shows them"; nothing where there are none."""
    if left := sum(group.count for group in groups):
        page.blank()
        told = words.counted(left, "goroutine")
        more = words.counted(len(groups), "more group")
        page.line((f"and {told} in {more}: -v shows them", "dim"))


def origins(page: Page, group: GoroutineGroup) -> None:
    """Where the goroutines of a group were made, the most frequent places."""
    several = len(group.created) > 1
    for created in group.created[:_MOST_ORIGINS]:
        count = f"{words.number(created.count)} " if several else ""
        page.paragraph((f"{count}{_made(page, created)}", "dim"), indent=INDENT * 2, hanging=INDENT)
    if more := group.created[_MOST_ORIGINS:]:
        places = words.counted(len(more), "other place")
        told = f"{words.number(sum(c.count for c in more))} at {places}"
        page.line((told, "dim"), indent=INDENT * 2)


def _made(page: Page, created: Creation) -> str:
    place = words.source(created.file, created.line, created.function) if created.line else ""
    return f"created by {page.named(created.function)}" + (f"  {place}" if place else "")


def frames(
    page: Page, sites: Sequence[CallSite], *, whole: bool = True, asked: bool = False
) -> None:
    """Those of one stack, innermost first; unless it is `whole`, the few that say what it is about,
    or where it was `asked` for by what is in it, all but the runtime's. What calls itself again and
    again is told once, with how often."""
    chosen = sites if whole else (_outside(sites) or sites) if asked else _telling(sites)
    most = len(chosen) if whole or asked else _FEW_FRAMES
    if has_variables(chosen):
        _with_variables(page, chosen)
        return
    rows: list[list[Text]] = []
    told = 0
    for each in rounds(chosen):
        if len(rows) >= most:
            break
        rows += [_frame(page, site) for site in chosen[each.start : each.start + each.length]]
        if each.times > 1:
            rows.append([page.text((page.glyphs.cut, "dim")), page.text((_again(each), "dim"))])
        told += each.length * each.times
    page.table(rows, _COLUMNS, INDENT * 2)
    if left := len(chosen) - told:
        more = f"{page.glyphs.cut} {words.counted(left, 'more frame')}: --stacks shows all"
        page.line((more, "dim"), indent=INDENT * 2)


def _with_variables(page: Page, sites: Sequence[CallSite]) -> None:
    repeated = {} if page.options.verbose else middles(sites)
    within = range(0)
    for i, site in enumerate(sites):
        within = repeated.get(i, within)
        if i not in within:
            page.table([_frame(page, site)], _COLUMNS, INDENT * 2)
            variables(page, site, INDENT * 4)
        elif i == within.start:
            told = f"{words.counted(len(within), 'frame')} more of the same: -v shows them"
            page.line((told, "dim"), indent=INDENT * 2)


def _again(each: Round) -> str:
    what = "the same" if each.length == 1 else f"these {each.length} frames"
    return f"{what} {words.counted(each.times - 1, 'time')} more"


def ended(page: Page, why: str | UnsetType) -> None:
    if why is not UNSET and why:
        page.paragraph((why, "dim"), indent=INDENT * 2)


def _frame(page: Page, frame: CallSite) -> list[Text]:
    inlined = " (inlined)" if frame.inlined else ""
    pc = f"  {frame.pc}" if page.options.verbose else ""
    source = f"{words.source(frame.file, frame.line, frame.function)}{inlined}{pc}"
    return [page.text(page.named(frame.function) or "unknown"), page.text((source, "dim"))]
