"""The report of `goprobe memory` in text: one screen that adds up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby

from msgspec import UNSET
from rich.text import Text

from goprobe.model.memory import NO_GOAL, MemoryPart, MemoryReport, RuntimeState
from goprobe.report import words
from goprobe.report.options import RenderOptions
from goprobe.report.text.page import Column, Page

_COLUMNS = (
    Column(elastic=True, cut=True, least=16),
    Column(right=True),
    Column(right=True),
    Column(),
)
_BAR = 14
_SMALL = 0.005  # of the whole: parts below it are one row, but with -v
_INDENT = 2


def render(report: MemoryReport, options: RenderOptions) -> bytes:
    """The verdict first, then what adds up to the whole, then what the runtime says."""
    page = Page(options)
    size = words.size(report.kernel.rss)
    what = "resident" if report.kernel.smaps_rss is not UNSET else "of it in the core file"
    page.paragraph((f"Process {report.pid}: {size} {what}", "bold"))
    page.blank()
    page.paragraph((f"{report.verdict[:1].upper()}{report.verdict[1:]}.", "bold yellow"))
    _parts(page, report)
    if report.runtime is not UNSET:
        _runtime(page, report, report.runtime)
    _kernel(page, report)
    _others(page, report)
    page.blank()
    for name, why in report.not_told.items():
        page.paragraph((f"Not told: {name}: {why}", "dim"))
    page.paragraph((words.stood_still(report.pid, report.pause_us), "dim"))
    return page.render()


def _parts(page: Page, report: MemoryReport) -> None:
    whole = report.kernel.rss
    page.heading("What it is for", (", adding up to what is resident", "dim"))
    page.blank()
    rows: list[list[Text]] = []
    for group, parts in groupby(report.parts, key=lambda part: part.of):
        members = list(parts)
        rows.append(_row(page, group, sum(p.bytes for p in members), whole, bold=True))
        rows += _members(page, members, whole)
    page.table(rows, _COLUMNS, indent=_INDENT)


def _members(page: Page, members: Sequence[MemoryPart], whole: int) -> Iterator[list[Text]]:
    """The parts of a group; small ones together."""
    if len(members) == 1:
        yield _row(page, f"  {members[0].name}", members[0].bytes, whole)
        return
    least = 0 if page.options.verbose else whole * _SMALL
    shown = [part for part in members if part.bytes >= least]
    small = [part for part in members if part.bytes < least]
    for part in shown:
        yield _row(page, f"  {part.name}", part.bytes, whole)
    if small:
        name = small[0].name if len(small) == 1 else f"{len(small)} smaller ones"
        yield _row(page, f"  {name}", sum(part.bytes for part in small), whole)


def _row(page: Page, name: str, size: int, whole: int, *, bold: bool = False) -> list[Text]:
    style = "bold" if bold else ""
    return [
        page.text((name, style)),
        page.text((words.size(size), style)),
        page.text((words.percent(size, whole), "dim")),
        page.text((page.bar(size, whole, _BAR), "cyan")) if not bold else page.text(),
    ]


def _runtime(page: Page, report: MemoryReport, state: RuntimeState) -> None:
    page.heading("What the runtime says")
    page.blank()
    for line in _said(page, report, state):
        page.paragraph(line, indent=_INDENT, hanging=_INDENT)


def _said(page: Page, report: MemoryReport, state: RuntimeState) -> Iterator[str]:
    stats = report.memstats
    ended = "none has ended yet"
    if state.live is not UNSET:
        lived = f"{words.size(state.live)} lived at the last"
        ended = f"{stats.get('NumGC', 0):,}, {lived}"
    due = f"the next one is due at {words.size(state.next_gc)}"
    if state.next_gc >= NO_GOAL:
        due = "none is due"
    gogc = "off" if state.gogc < 0 else str(state.gogc)
    limit = "none" if state.memory_limit is UNSET else words.size(state.memory_limit)
    yield f"Collections: {ended}; {due}; GOGC {gogc}, GOMEMLIMIT {limit}"
    if state.collections:
        pauses = words.listed([f"{c.pause_ns / 1000:.0f}" for c in state.collections])
        share = stats.get("GCCPUFraction", 0.0)
        yield f"Last pauses: {pauses} microseconds; {share:.1%} of the processors' time in all"
    if stats:
        yield (
            f"Heap: {words.size(stats['HeapAlloc'])} in "
            f"{words.counted(stats['HeapObjects'], 'object')}, "
            f"{words.size(stats['HeapInuse'])} in spans, {words.size(stats['HeapIdle'])} free, "
            f"{words.size(stats['HeapReleased'])} of that returned to the system"
        )
    if report.absent:
        yield (
            f"{words.size(report.absent)} of the heap's spans are not in memory: never touched, or "
            "swapped out"
        )
    yield f"Free pages: {state.scavenger}"
    if now := [*_now(report, state)]:
        yield f"At the moment: {', '.join(now)}"
    yield (
        f"{words.counted(state.goroutines, 'goroutine')}, {words.counted(state.threads, 'thread')} "
        f"({state.idle_threads} idle), GOMAXPROCS {state.gomaxprocs} ({state.idle_ps} idle), "
        f"{state.run_queue} waiting to run"
    )
    if page.options.verbose:
        yield from _in_detail(state)
    if report.rates is not UNSET:
        rates = report.rates
        made = "" if rates.goroutines is UNSET else f", {rates.goroutines:,.0f} goroutines made"
        yield (
            f"A second, over the last {rates.seconds:.1f}: "
            f"{words.size(max(int(rates.allocated_bytes), 0))} in "
            f"{rates.allocated_objects:,.0f} objects allocated, "
            f"{rates.collections:.1f} collections, {rates.gc_cpu:.2f} s CPU of them{made}"
        )


def _now(report: MemoryReport, state: RuntimeState) -> Iterator[str]:
    if state.phase is not UNSET:
        idle = "sweeps" if state.swept is False else "waits"
        yield f"the collector {idle if state.phase == 'off' else 'is marking'}"
    assists = report.metrics.get("/cpu/classes/gc/mark/assist:cpu-seconds")
    if assists:
        yield f"goroutines have helped it for {assists:.2f} s"
    if state.finalizers is not UNSET:
        yield f"{words.counted(state.finalizers, 'finalizer')} to run"
    if state.timers is not UNSET:
        yield f"{words.counted(state.timers, 'timer')} set"


def _in_detail(state: RuntimeState) -> Iterator[str]:
    goal = "none" if state.retain_goal is UNSET else words.size(state.retain_goal)
    yield f"Heap that is kept: {words.size(state.retained)}, the scavenger's goal: {goal}"
    yield f"Threads that look for work: {state.spinning_threads}"
    for each in state.collections:
        ended = datetime.fromtimestamp(each.end_unix_ns / 1e9, UTC)
        pause = f"{each.pause_ns / 1000:.0f} microseconds"
        yield f"Collection {each.number} ended at {ended:%H:%M:%S.%f} UTC, stopped it for {pause}"


def _kernel(page: Page, report: MemoryReport) -> None:
    kernel = report.kernel
    if kernel.smaps_rss is UNSET:
        return
    page.heading("What the kernel says")
    page.blank()
    figures = [
        ("resident", kernel.smaps_rss),
        ("of it in huge pages", kernel.huge),
        ("its share", kernel.pss),
        ("most ever", kernel.peak),
        ("swapped out", kernel.swap),
        ("page tables", kernel.page_tables),
    ]
    told = [f"{words.size(n)} {what}" for what, n in figures if n is not UNSET and n]
    page.paragraph(words.listed(told), indent=_INDENT, hanging=_INDENT)
    if report.swapped:
        swapped = words.listed([f"{words.size(n)} {what}" for what, n in report.swapped.items()])
        page.paragraph(f"Swapped out are {swapped}", indent=_INDENT, hanging=_INDENT)
    if kernel.cgroup is UNSET:
        page.paragraph(kernel.why_no_cgroup, indent=_INDENT, hanging=_INDENT)
        return
    limit = "" if kernel.cgroup_limit is UNSET else f" of {words.size(kernel.cgroup_limit)}"
    if kernel.cgroup_limit_of:
        limit += f", the limit of {kernel.cgroup_limit_of},"
    parts = ", ".join(f"{words.size(part.bytes)} {part.name}" for part in kernel.cgroup_parts)
    page.paragraph(
        f"{kernel.cgroup_name}, with all in it: {words.size(kernel.cgroup)}{limit} ({parts})",
        indent=_INDENT,
        hanging=_INDENT,
    )


def _others(page: Page, report: MemoryReport) -> None:
    if len(report.surprises) < 2:
        return
    page.heading("Also larger than it needs to be")
    page.blank()
    for each in report.surprises[1:]:
        page.paragraph(f"{each.says}: {each.change}", indent=_INDENT, hanging=_INDENT)


def history(reports: Sequence[MemoryReport], options: RenderOptions) -> bytes:
    """The last looks as bars of equal width, the latest last."""
    if len(reports) < 2:
        return b""
    page = Page(options)
    page.heading("The last looks", (", each line from 0 to its most", "dim"))
    page.blank()
    columns = {
        "resident": [r.kernel.rss for r in reports],
        "heap": [r.memstats.get("HeapAlloc", 0) for r in reports],
        "goroutines": [r.runtime.goroutines if r.runtime is not UNSET else 0 for r in reports],
    }
    for name, values in columns.items():
        most = max(values)
        shown = words.number(most) if name == "goroutines" else words.size(most)
        page.line(f"{name:<10} ", _curve(page, values, most), f" {shown}", indent=_INDENT)
    return page.render()


def _curve(page: Page, values: Sequence[int], most: int) -> str:
    steps = "▁▂▃▄▅▆▇█" if page.options.unicode else "_.-=+*%#"
    last = len(steps) - 1
    return "".join(steps[round(last * value / most) if most else 0] for value in values)
