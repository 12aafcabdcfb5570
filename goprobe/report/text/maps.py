"""The report of `goprobe maps` in text: a picture of the process's memory, to scale."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET
from rich.text import Text

from goprobe.model.attached import MapsReport
from goprobe.model.location import Kind
from goprobe.report import words
from goprobe.report.options import RenderOptions
from goprobe.report.picture import GAP_WORTH_SHOWING, Row, UsePart, rows, totals
from goprobe.report.text.look import KIND_STYLES
from goprobe.report.text.memorypicture import row_name
from goprobe.report.text.page import Column, Page
from goprobe.report.uses import present

_ROWS = 20
_MOST_REGIONS = 2000
_INDENT = 2
_LEAST_BAR = 8
_WIDEST_BAR = 40
_COLUMNS = (
    Column(right=True),
    Column(elastic=True, cut=True, least=10),
    Column(),
    Column(right=True),
    Column(right=True),
    Column(elastic=True, cut=True, least=_LEAST_BAR),
)
_FIGURES = 41  # cells of the address, two sizes and the gaps between columns
_WIDEST_NAME = 26


def render(report: MapsReport, options: RenderOptions) -> bytes:
    """The picture; with `verbose` every region after it."""
    page = Page(options)
    drawn = rows(report.map, limit=_ROWS)
    page.paragraph(
        (_title(report), "bold"),
        ", lowest address first, bars to scale",
    )
    page.blank()
    _picture(page, drawn, _measure(report))
    _sums(page, totals(drawn), _measure(report))
    if options.verbose:
        _regions(page, report)
    page.blank()
    _footer(page, report)
    return page.render()


def _title(report: MapsReport) -> str:
    if report.stored is not UNSET:
        return f"Process {report.pid}: {words.size(report.stored)} of it in the core file"
    return f"Process {report.pid}: {words.size(report.rss or 0)} resident"


def _measure(report: MapsReport) -> str:
    return "resident" if report.stored is UNSET else "stored"


def _picture(page: Page, drawn: Sequence[Row], measure: str) -> None:
    most = max((row.present for row in drawn), default=0)
    room = _room(page, drawn)
    lines = [_head(page, measure)]
    for row in drawn:
        if row.gap >= GAP_WORTH_SHOWING:
            lines.append(_gap(page, row))
        name, kind = row_name(row, ""), row.kind
        lines.append(
            _line(page, str(row.low), name, row.perms, row.size, row.present, kind, most, room)
        )
        if len(row.parts) > 1:
            lines += _within(page, row, most, room)
    page.table(lines, _COLUMNS, indent=_INDENT, gap=1)


def _room(page: Page, drawn: Sequence[Row]) -> int:
    """The cells that are left for bars."""
    names = [row_name(row, "") for row in drawn]
    names += [f"xx{name}" for row in drawn if len(row.parts) > 1 for name in row.names]
    widest = min(max(map(len, names), default=0), _WIDEST_NAME)
    rights = max((len(row.perms) for row in drawn), default=0)
    return max(min(page.width - widest - rights - _FIGURES, _WIDEST_BAR), _LEAST_BAR)


def _within(page: Page, row: Row, most: int, room: int) -> list[list[Text]]:
    """What the row's memory is used for, largest first."""
    lines = []
    for number, part in enumerate(row.parts, 1):
        branch = page.glyphs.last if number == len(row.parts) else page.glyphs.branch
        name, kind = f"{branch}{part.use.name}", part.use.kind
        lines.append(_line(page, "", name, "", part.size, part.present, kind, most, room))
    return lines


def _head(page: Page, measure: str) -> list[Text]:
    titles = ("address", "", "", "size", measure, "")
    return [page.text((title, "dim")) for title in titles]


def _line(
    page: Page,
    address: str,
    name: str,
    perms: str,
    size: int,
    present: int,
    kind: Kind,
    most: int,
    room: int,
) -> list[Text]:
    length = page.bar(present, most, room)
    return [
        page.text((address, "dim")),
        page.text(name),
        page.text((perms, "dim")),
        page.text(words.size(size)),
        page.text(words.size(present) if present else ("-", "dim")),
        page.text((length, KIND_STYLES[kind])),
    ]


def _gap(page: Page, row: Row) -> list[Text]:
    note = page.text((f"{page.glyphs.gap} {words.size(row.gap)} gap", "dim"))
    return [page.text(), note, *(page.text() for _ in range(4))]


def _sums(page: Page, parts: Sequence[UsePart], measure: str) -> None:
    """The picture's sums: bytes by what they are used for, largest first."""
    used = [part for part in parts if part.present]
    if not used:
        return
    whole = sum(part.present for part in used)
    page.heading(f"{measure.capitalize()}, by use")
    page.blank()
    lines = [
        [
            page.text(part.use.name),
            page.text(words.size(part.present)),
            page.text((words.percent(part.present, whole), "dim")),
            page.text(_share(page, part, whole)),
        ]
        for part in used
    ]
    page.table(lines, (Column(), Column(right=True), Column(right=True), Column(elastic=True)), 2)


def _share(page: Page, part: UsePart, whole: int) -> tuple[str, str]:
    cells = max(min(page.width - 42, _WIDEST_BAR), _LEAST_BAR)
    return page.bar(part.present, whole, cells), KIND_STYLES[part.use.kind]


def _regions(page: Page, report: MapsReport) -> None:
    regions = report.map
    page.heading("Every region")
    page.blank()
    lines = [
        [
            page.text((f"{region.low}-{region.high}", "dim")),
            page.text((region.perms, "dim")),
            page.text(words.size(region.size)),
            page.text(words.size(present(region))),
            page.text((region.label, KIND_STYLES[region.kind])),
        ]
        for region in regions[:_MOST_REGIONS]
    ]
    right = Column(right=True)
    label = Column(elastic=True, cut=True, least=12)
    page.table(lines, (right, Column(), right, right, label), _INDENT, gap=1)
    if len(regions) > _MOST_REGIONS:
        page.line((f"and {len(regions) - _MOST_REGIONS} more: --json has all", "dim"), indent=2)


def _footer(page: Page, report: MapsReport) -> None:
    told = words.stood_still(report.pid, report.pause_us)
    if report.smaps_rss is not UNSET:
        kernel = words.size(report.smaps_rss)
        told += f" The kernel's own sum (smaps) is {kernel} resident."
    if report.swap:
        told += f" {words.size(report.swap)} more are swapped out."
    page.paragraph((told, "dim"))
