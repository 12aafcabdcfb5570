"""The report of `goprobe memory` in text: one screen that adds up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from msgspec import UNSET
from rich.text import Text

from goprobe.model.memory import MemoryPart, MemoryReport
from goprobe.report import words
from goprobe.report.memorywords import of_kernel, of_runtime
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
    verdict = words.to_type(report.verdict, report.pid, report.pause_us)
    page.paragraph((f"{verdict[:1].upper()}{verdict[1:]}.", "bold yellow"))
    _parts(page, report)
    changes = (f"{each.says}: {each.change}" for each in report.surprises[1:])
    larger = [words.to_type(change, report.pid, report.pause_us) for change in changes]
    _said(page, "What the runtime says", of_runtime(report, verbose=options.verbose))
    _said(page, "What the kernel says", of_kernel(report))
    _said(page, "Also larger than it needs to be", larger)
    page.blank()
    for name, why in report.not_told.items():
        page.paragraph((f"Not told: {name}: {why}", "dim"))
    page.paragraph((words.stood_still(report.pid, report.pause_us), "dim"))
    return page.render()


def _parts(page: Page, report: MemoryReport) -> None:
    whole = report.kernel.rss
    live = report.kernel.smaps_rss is not UNSET
    sum_of = "what is resident" if live else "what the core file has"
    page.heading("What it is for", (f", adding up to {sum_of}", "dim"))
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


def _said(page: Page, title: str, lines: Iterable[str]) -> None:
    """Sentences below a heading; nothing where there are none."""
    if not (told := list(lines)):
        return
    page.heading(title)
    page.blank()
    for line in told:
        page.paragraph(line, indent=_INDENT, hanging=_INDENT)


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
