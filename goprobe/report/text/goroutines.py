"""The report of `goprobe goroutines` in text: those that stand at one place together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import UNSET, UnsetType
from rich.text import Text

from goprobe.model.attached import CallSite, GoroutineGroup, GoroutinesReport, GoroutineState
from goprobe.report import words
from goprobe.report.options import RenderOptions
from goprobe.report.text.page import Column, Page, Span

_MOST_GROUPS = 20
_MOST_IDS = 8
_MOST_LABELS = 8
_FEW_FRAMES = 5
_RUNTIME = ("runtime.", "internal/runtime/")
_INDENT = 2
_RIGHT = Column(right=True)
_STYLES = {"running": "green", "runnable": "cyan", "syscall": "magenta", "dead": "bright_black"}


def render(report: GoroutinesReport, options: RenderOptions) -> bytes:
    """Groups of goroutines with the same stack where there are groups, else each by itself."""
    page = Page(options)
    _summary(page, report)
    if report.groups:
        whole = any(goroutine.frames is not UNSET for goroutine in report.goroutines)
        _groups(page, report, whole=whole)
    else:
        _each(page, report.goroutines)
    page.blank()
    page.line((words.stood_still(report.pid, report.pause_us), "dim"))
    return page.render()


def _summary(page: Page, report: GoroutinesReport) -> None:
    """ "512 goroutines: 500 waiting, 12 running"."""
    counts: dict[str, int] = {}
    for goroutine in report.goroutines:
        counts[goroutine.status] = counts.get(goroutine.status, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    told = ", ".join(f"{words.number(count)} {status}" for status, count in ordered)
    system = sum(goroutine.system for goroutine in report.goroutines)
    dead = f"; {words.number(report.dead)} dead, kept for reuse" if report.dead else ""
    count = words.number(len(report.goroutines))
    page.paragraph((f"{count} goroutines", "bold"), f": {told} ({system} of the runtime{dead})")
    if report.unreadable:
        lost = words.number(report.unreadable)
        page.paragraph((f"{lost} more are listed at addresses that cannot be read", "red"))


def _groups(page: Page, report: GoroutinesReport, *, whole: bool) -> None:
    """Largest first; the runtime's own in one line at the end, unless whole stacks are wanted."""
    system = {goroutine.id for goroutine in report.goroutines if goroutine.system}
    groups, idle = list(report.groups), list[GoroutineGroup]()
    if not whole and not page.options.verbose:
        idle = [group for group in groups if system.issuperset(group.ids)]
        groups = [group for group in groups if group not in idle]
    shown = groups if page.options.verbose else groups[:_MOST_GROUPS]
    labels = {g.id: _labels(g) for g in report.goroutines if page.options.verbose and _labels(g)}
    for group in shown:
        page.blank()
        page.paragraph(*_group_head(group), hanging=_INDENT)
        _frames(page, group.frames if whole else _telling(group.frames))
        _ended(page, group.frames_end)
        if labels:
            _labels_of(page, [labels[i] for i in group.ids if i in labels])
    if idle:
        page.blank()
        names = words.listed([group.wait_reason or group.status for group in idle])
        told = f"and {sum(group.count for group in idle)} of the runtime: {names}"
        page.paragraph((told, "dim"), hanging=_INDENT)
    left = sum(group.count for group in groups[len(shown) :])
    if left:
        page.blank()
        told = f"and {words.number(left)} goroutines in {len(groups) - len(shown)} more groups"
        page.line((f"{told}: -v shows them", "dim"))


def _labels(goroutine: GoroutineState) -> str:
    """ "worker=3 queue=mail", or why its labels are not told."""
    return words.labels(goroutine.labels, goroutine.why_no_labels)


def _labels_of(page: Page, label_set: Sequence[str]) -> None:
    """The different labels of a group, the most frequent first."""
    ordered = Counter(label_set).most_common()
    for text, count in ordered[:_MOST_LABELS]:
        page.paragraph((f"labels {text}  ({words.number(count)})", "dim"), indent=_INDENT * 2)
    if (more := len(ordered) - _MOST_LABELS) > 0:
        page.line((f"and {words.number(more)} other sets of labels", "dim"), indent=_INDENT * 2)


def _telling(frames: Sequence[CallSite]) -> Sequence[CallSite]:
    """The frames that say what a goroutine is about: not how the runtime parks and starts it."""
    own = [frame for frame in frames if not frame.function.startswith(_RUNTIME)]
    return (own or frames)[:_FEW_FRAMES]


def _group_head(group: GoroutineGroup) -> list[Span]:
    ids = ", ".join(str(i) for i in group.ids[:_MOST_IDS])
    more = ", ..." if len(group.ids) > _MOST_IDS else ""
    who = "goroutine" if group.count == 1 else "goroutines"
    return [
        (f"{words.number(group.count)} {who}", "bold"),
        "  ",
        (words.state(group.status, group.wait_reason), _STYLES.get(group.status, "yellow")),
        (f"  {ids}{more}", "dim"),
    ]


def _frames(page: Page, frames: Sequence[CallSite]) -> None:
    rows = [_frame(page, frame) for frame in frames]
    page.table(rows, (Column(elastic=True, cut=True), Column(elastic=True, cut=True)), _INDENT * 2)


def _ended(page: Page, why: str | UnsetType) -> None:
    if why is not UNSET and why:
        page.paragraph((why, "dim"), indent=_INDENT * 2)


def _frame(page: Page, frame: CallSite) -> list[Text]:
    inlined = " (inlined)" if frame.inlined else ""
    pc = f"  {frame.pc}" if page.options.verbose else ""
    source = f"{words.source(frame.file, frame.line, frame.function)}{inlined}{pc}"
    return [page.text(frame.function or "unknown"), page.text((source, "dim"))]


def _each(page: Page, goroutines: Sequence[GoroutineState]) -> None:
    if not any(goroutine.frames is not UNSET for goroutine in goroutines):
        _table(page, goroutines)
        return
    for goroutine in goroutines:
        page.blank()
        page.paragraph(*_own_head(goroutine), hanging=_INDENT)
        if goroutine.frames is not UNSET:
            _frames(page, goroutine.frames)
        _ended(page, goroutine.frames_end)
        if page.options.verbose and (labels := _labels(goroutine)):
            page.paragraph((f"labels {labels}", "dim"), indent=_INDENT * 2)
        if goroutine.created_by:
            page.line((_origin(goroutine), "dim"), indent=_INDENT * 2)


def _origin(goroutine: GoroutineState) -> str:
    at = goroutine.created_at
    place = f"  {words.source(at.file, at.line, at.function)}" if at is not UNSET else ""
    return f"created by {goroutine.created_by}{place}"


def _own_head(goroutine: GoroutineState) -> list[Span]:
    used, size = goroutine.stack.used, goroutine.stack.high - goroutine.stack.low
    facts = [f"stack {words.size(used)} of {words.size(size)}"]
    if goroutine.thread:
        facts.append(f"thread {goroutine.thread}")
    if goroutine.locked:
        facts.append("locked to it")
    if goroutine.waiting_us is not UNSET:
        facts.append(f"for {words.duration(goroutine.waiting_us)}")
    return [
        (f"goroutine {goroutine.id}", "bold"),
        "  ",
        (
            words.state(goroutine.status, goroutine.wait_reason),
            _STYLES.get(goroutine.status, "yellow"),
        ),
        (f"  {', '.join(facts)}", "dim"),
    ]


def _table(page: Page, goroutines: Sequence[GoroutineState]) -> None:
    page.blank()
    labels = page.options.verbose and any(map(_labels, goroutines))
    titles = ("id", "state", "stands in", "stack", "thread", *(("labels",) if labels else ()))
    rows = [[page.text((title, "dim")) for title in titles]]
    for goroutine in goroutines:
        state = words.state(goroutine.status, goroutine.wait_reason)
        used, size = goroutine.stack.used, goroutine.stack.high - goroutine.stack.low
        rows.append(
            [
                page.text(str(goroutine.id)),
                page.text((state, _STYLES.get(goroutine.status, "yellow"))),
                page.text(goroutine.function),
                page.text((f"{words.size(used)} of {words.size(size)}", "dim")),
                page.text(str(goroutine.thread) if goroutine.thread else ""),
                *((page.text(_labels(goroutine)),) if labels else ()),
            ]
        )
    cut = Column(elastic=True, cut=True)
    columns = (_RIGHT, cut, cut, _RIGHT, _RIGHT, *((cut,) if labels else ()))
    page.table(rows, columns, _INDENT)
