"""The report of `goprobe goroutines` in text: those that stand at one place together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from msgspec import UNSET

from goprobe.model.attached import CallSite, GoroutineGroup, GoroutinesReport, GoroutineState
from goprobe.report import words
from goprobe.report.options import RenderOptions
from goprobe.report.text.crash import crash, mark
from goprobe.report.text.goroutinelines import (
    INDENT,
    STYLES,
    ended,
    frames,
    group_head,
    left_out,
    origins,
)
from goprobe.report.text.leaks import leaks
from goprobe.report.text.page import Column, Page, Span
from goprobe.report.text.waits import deadlocks, waits_on

_MOST_GROUPS = 20
_MOST_LABELS = 8
_RIGHT = Column(right=True)


def render(report: GoroutinesReport, options: RenderOptions) -> bytes:
    """Groups of goroutines with the same stack where there are groups, else each by itself."""
    page = Page(options)
    page.shorten(_names(report))
    whole = any(map(_is_whole, _stacks(report)))
    if report.contention is not UNSET:
        from goprobe.report.text.contention import contention

        contention(page, report.contention)
    if report.leaks is not UNSET:
        leaks(page, report, report.leaks, whole=whole)
        if report.deadlocks is not UNSET:
            deadlocks(page, report.deadlocks)
    else:
        _all(page, report, whole=whole)
    for note in report.notes:
        page.blank()
        page.paragraph((note, "dim"), hanging=INDENT)
    page.blank()
    page.line((words.stood_still(report.pid, report.pause_us), "dim"))
    return page.render()


def _names(report: GoroutinesReport) -> Iterator[str]:
    """Of all that is called by a name in the report."""
    for group in report.groups:
        yield from (frame.function for frame in group.frames)
        yield from (created.function for created in group.created)
    for stack in _stacks(report):
        yield from (frame.function for frame in stack)
    for group in report.groups:
        for wait in group.waits_on:
            yield from (wait.name, wait.type, *wait.held_by)
    yield from {goroutine.function for goroutine in report.goroutines}
    yield from {goroutine.created_by for goroutine in report.goroutines}


def _stacks(report: GoroutinesReport) -> Iterable[Sequence[CallSite]]:
    """Of the goroutines; many share theirs, which is here once."""
    once = {id(g.frames): g.frames for g in report.goroutines}
    return [frames for frames in once.values() if frames is not UNSET]


def _is_whole(stack: Sequence[CallSite]) -> bool:
    """Whether it is a whole stack, not those frames alone whose variables are told."""
    return any(frame.variables is UNSET for frame in stack)


def _all(page: Page, report: GoroutinesReport, *, whole: bool) -> None:
    _summary(page, report)
    if report.crash is not UNSET:
        crash(page, report.crash)
    if report.deadlocks is not UNSET:
        deadlocks(page, report.deadlocks)
    if report.groups:
        _groups(page, report, whole=whole)
    elif report.goroutines:
        _each(page, report.goroutines, _marked(report))


def _marked(report: GoroutinesReport) -> dict[int, Span]:
    """What stands beside the goroutine that crashed, by its number."""
    if report.crash is UNSET or not report.crash.goroutine:
        return {}
    return {report.crash.goroutine: mark(report.crash)}


def _next_lines(report: GoroutinesReport, one: int) -> Iterator[tuple[str, str]]:
    """What more can be asked of them, and of one of them."""
    if not report.pid:
        return
    asked = f"goprobe goroutines {words.asked_of(report.pid, report.pause_us)}"
    if report.deadlocks is UNSET:
        yield f"{asked} --waits", "what each waits on, and who has it"
    yield f"{asked} --leaked", "which can never run again"
    yield f"{asked} --id {one} --stacks --locals", "one of them, with its variables"


def _summary(page: Page, report: GoroutinesReport) -> None:
    """ "512 goroutines: 500 waiting, 12 running"."""
    counts = Counter([goroutine.status for goroutine in report.goroutines])
    told = ", ".join(f"{words.number(count)} {status}" for status, count in counts.most_common())
    system = sum([goroutine.system for goroutine in report.goroutines])
    dead = f"; {words.number(report.dead)} dead, kept for reuse" if report.dead else ""
    count = words.counted(len(report.goroutines), "goroutine")
    if report.every is not UNSET:
        every = words.counted(report.every, "goroutine")
        count = f"{words.number(len(report.goroutines))} of {every}"
    page.paragraph(
        (count, "bold"),
        f"{': ' if told else ''}{told} ({system} of the runtime{dead})",
    )
    if report.chosen:
        page.line((f"chosen by {report.chosen}", "dim"))
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
    untold = {g.id: g.why_no_locals for g in report.goroutines if g.why_no_locals}
    crashed = _marked(report)
    for group in shown:
        page.blank()
        marks = [crashed[i] for i in group.ids if i in crashed]
        page.paragraph(*group_head(group), *marks, hanging=INDENT)
        frames(page, group.frames, whole=whole, asked=bool(report.chosen))
        ended(page, group.frames_end)
        _untold(page, [untold[i] for i in group.ids if i in untold])
        waits_on(page, group.waits_on, several=True, left=group.more_waits_on)
        origins(page, group)
        if labels:
            _labels_of(page, [labels[i] for i in group.ids if i in labels])
    if idle:
        page.blank()
        names = words.listed([group.wait_reason or group.status for group in idle])
        told = f"and {sum(group.count for group in idle)} of the runtime: {names}"
        page.paragraph((told, "dim"), hanging=INDENT)
    left_out(page, groups[len(shown) :])
    if shown and not whole:
        page.following(_next_lines(report, shown[0].ids[0]))


def _labels(goroutine: GoroutineState) -> str:
    """ "worker=3 queue=mail", or why its labels are not told."""
    return words.labels(goroutine.labels, goroutine.why_no_labels)


def _labels_of(page: Page, label_set: Sequence[str]) -> None:
    """The different labels of a group, the most frequent first."""
    ordered = Counter(label_set).most_common()
    for text, count in ordered[:_MOST_LABELS]:
        page.paragraph((f"labels {text}  ({words.number(count)})", "dim"), indent=INDENT * 2)
    if (more := len(ordered) - _MOST_LABELS) > 0:
        told = words.counted(more, "other set of labels", "other sets of labels")
        page.line((f"and {told}", "dim"), indent=INDENT * 2)


def _untold(page: Page, reasons: Sequence[str]) -> None:
    """Why variables of some of these goroutines are not told: the most frequent reason."""
    if reasons:
        why, _ = Counter(reasons).most_common(1)[0]
        count = f" of {words.counted(len(reasons), 'goroutine')}" if len(reasons) > 1 else ""
        page.paragraph((f"no variables{count}: {why}", "dim"), indent=INDENT * 2, hanging=INDENT)


def _each(page: Page, goroutines: Sequence[GoroutineState], crashed: Mapping[int, Span]) -> None:
    if not any(g.frames is not UNSET or g.waits_on for g in goroutines):
        _table(page, goroutines)
        return
    for goroutine in goroutines:
        page.blank()
        marks = [crashed[goroutine.id]] if goroutine.id in crashed else []
        page.paragraph(*_own_head(goroutine), *marks, hanging=INDENT)
        # Many stand alike, and share the very same frames: what is the same is drawn once.
        stands = "stack", id(goroutine.frames), goroutine.function, goroutine.frames_end
        page.once(stands, partial(_stack, page, goroutine))
        if goroutine.why_no_locals:
            _untold(page, [goroutine.why_no_locals])
        waits_on(page, goroutine.waits_on)
        if page.options.verbose and (labels := _labels(goroutine)):
            page.paragraph((f"labels {labels}", "dim"), indent=INDENT * 2)
        if goroutine.created_by:
            made = "made", goroutine.created_by, goroutine.created_at
            page.once(made, partial(_made, page, goroutine))


def _stack(page: Page, goroutine: GoroutineState) -> None:
    if goroutine.frames is not UNSET:
        frames(page, goroutine.frames)
    elif goroutine.function:
        page.line(page.named(goroutine.function), indent=INDENT * 2)
    ended(page, goroutine.frames_end)


def _made(page: Page, goroutine: GoroutineState) -> None:
    at = goroutine.created_at
    place = f"  {words.source(at.file, at.line, at.function)}" if at is not UNSET else ""
    told = page.named(f"created by {goroutine.created_by}{place}")
    page.paragraph((told, "dim"), indent=INDENT * 2, hanging=INDENT)


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
            STYLES.get(goroutine.status, "yellow"),
        ),
        (f"  {', '.join(facts)}", "dim"),
    ]


def _table(page: Page, goroutines: Sequence[GoroutineState]) -> None:
    page.blank()
    labels = page.options.verbose and any(map(_labels, goroutines))
    titles = ("id", "state", "at", "stack", "thread", *(("labels",) if labels else ()))
    rows = [[page.text((title, "dim")) for title in titles]]
    for goroutine in goroutines:
        state = words.state(goroutine.status, goroutine.wait_reason)
        used, size = goroutine.stack.used, goroutine.stack.high - goroutine.stack.low
        rows.append(
            [
                page.text(str(goroutine.id)),
                page.text((state, STYLES.get(goroutine.status, "yellow"))),
                page.text(page.named(goroutine.function)),
                page.text((f"{words.size(used)} of {words.size(size)}", "dim")),
                page.text(str(goroutine.thread) if goroutine.thread else ""),
                *((page.text(_labels(goroutine)),) if labels else ()),
            ]
        )
    cut = Column(elastic=True, cut=True)
    named = Column(elastic=True, cut=True, amid=True)
    columns = (_RIGHT, cut, named, _RIGHT, _RIGHT, *((cut,) if labels else ()))
    page.table(rows, columns, INDENT)
