"""The report of `goprobe maps` in text: a picture of the process's memory, to scale."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import UNSET
from rich.text import Text

from goprobe.model.attached import MapsReport
from goprobe.model.location import Kind, Region
from goprobe.report import words
from goprobe.report.options import RenderOptions
from goprobe.report.picture import GAP_WORTH_SHOWING, Row, rows
from goprobe.report.text.bars import bar
from goprobe.report.text.look import KIND_STYLES
from goprobe.report.text.memory import row_name
from goprobe.report.text.page import Column, Page

_ROWS = 20
_MOST_PARTS = 6
_MOST_REGIONS = 2000
_INDENT = 2
_USES = {
    "heap spans in use": "objects",
    "free heap pages": "free pages",
    "scavenged heap pages": "scavenged pages",
    "free stacks and work buffers": "free stacks",
}
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
_OTHERS = 62  # cells of all columns but the bar, as a rule


class _Part(msgspec.Struct):
    """What lies in a row under one name: bytes of address space, bytes resident."""

    size: int = 0
    rss: int = 0
    kind: Kind = Kind.RUNTIME


def render(report: MapsReport, options: RenderOptions) -> bytes:
    """The picture; with `verbose` every region after it."""
    page = Page(options)
    page.paragraph(
        (f"Process {report.pid}: {words.size(report.rss)} resident", "bold"),
        ", lowest address first, bars to scale",
    )
    page.blank()
    _picture(page, report)
    _sums(page, report)
    if options.verbose:
        _regions(page, report.map)
    page.blank()
    _footer(page, report)
    return page.render()


def _picture(page: Page, report: MapsReport) -> None:
    held = sorted(report.map, key=lambda region: region.low)
    lows = [region.low for region in held]
    drawn = rows(held, limit=_ROWS)
    parts = [_parts(held, lows, row) for row in drawn]
    most = max((_rss(part.values()) for part in parts), default=0)
    lines = [_head(page)]
    for row, inside in zip(drawn, parts, strict=True):
        if row.gap >= GAP_WORTH_SHOWING:
            lines.append(_gap(page, row))
        whole = _Part(row.size, _rss(inside.values()), row.kind)
        lines.append(_line(page, str(row.low), row_name(row, ""), row.perms, whole, most))
        if row.arena:
            lines += _arena(page, inside, most)
    page.table(lines, _COLUMNS, indent=_INDENT, gap=1)


def _arena(page: Page, inside: dict[str, _Part], most: int) -> list[list[Text]]:
    """What the arena's pages are used for, largest first."""
    ordered = sorted(inside.items(), key=lambda item: -item[1].size)[:_MOST_PARTS]
    lines = []
    for number, (name, part) in enumerate(ordered, 1):
        branch = page.glyphs.last if number == len(ordered) else page.glyphs.branch
        lines.append(_line(page, "", f"{branch}{name}", "", part, most))
    return lines


def _parts(regions: Sequence[Region], lows: Sequence[int], row: Row) -> dict[str, _Part]:
    found: dict[str, _Part] = {}
    for i in range(bisect_left(lows, row.low), bisect_left(lows, row.high)):
        region = regions[i]
        part = found.setdefault(_use(region), _Part(kind=region.kind))
        part.size += region.size
        part.rss += 0 if region.rss is UNSET else region.rss
    return found


def _use(region: Region) -> str:
    """A region's label, the same for all stacks."""
    if region.kind is Kind.GOROUTINE_STACK:
        return "stacks"
    return _USES.get(region.label, region.label)


def _rss(parts: Iterable[_Part]) -> int:
    return sum(part.rss for part in parts)


def _head(page: Page) -> list[Text]:
    titles = ("address", "", "", "size", "resident", "")
    return [page.text((title, "dim")) for title in titles]


def _line(page: Page, address: str, name: str, perms: str, part: _Part, most: int) -> list[Text]:
    room = max(min(page.width - _OTHERS, _WIDEST_BAR), _LEAST_BAR)
    length = bar(part.rss, most, room, unicode=page.options.unicode)
    return [
        page.text((address, "dim")),
        page.text(name),
        page.text((perms, "dim")),
        page.text(words.size(part.size)),
        page.text(words.size(part.rss) if part.rss else ("-", "dim")),
        page.text((length, KIND_STYLES[part.kind])),
    ]


def _gap(page: Page, row: Row) -> list[Text]:
    note = page.text((f"{page.glyphs.gap} {words.size(row.gap)} gap", "dim"))
    return [page.text(), note, *(page.text() for _ in range(4))]


def _sums(page: Page, report: MapsReport) -> None:
    """Resident bytes by kind of memory, largest first."""
    sums: dict[Kind, _Part] = {}
    for region in report.map:
        part = sums.setdefault(region.kind, _Part(kind=region.kind))
        part.size += region.size
        part.rss += 0 if region.rss is UNSET else region.rss
    used = sorted((p for p in sums.values() if p.rss), key=lambda part: -part.rss)
    if not used:
        return
    page.heading("Resident by kind")
    page.blank()
    lines = [
        [
            page.text(words.KIND_NAMES[part.kind]),
            page.text(words.size(part.rss)),
            page.text((_percent(part.rss, report.rss), "dim")),
            page.text(_share(page, part, report.rss)),
        ]
        for part in used
    ]
    page.table(lines, (Column(), Column(right=True), Column(right=True), Column(elastic=True)), 2)


def _percent(part: int, whole: int) -> str:
    share = 100 * part / max(whole, 1)
    return f"{share:.0f} %" if share >= 1 else "<1 %"


def _share(page: Page, part: _Part, whole: int) -> tuple[str, str]:
    cells = max(min(page.width - 36, _WIDEST_BAR), _LEAST_BAR)
    return bar(part.rss, whole, cells, unicode=page.options.unicode), KIND_STYLES[part.kind]


def _regions(page: Page, regions: Sequence[Region]) -> None:
    page.heading("Every region")
    page.blank()
    lines = [
        [
            page.text((f"{region.low}-{region.high}", "dim")),
            page.text((region.perms, "dim")),
            page.text(words.size(region.size)),
            page.text("" if region.rss is UNSET else words.size(region.rss)),
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
    if report.pause_us:  # a core file's sizes are what it holds: no kernel has told them
        kernel = words.size(report.smaps_rss)
        told += f" The kernel's own sum (smaps) is {kernel} resident."
    page.paragraph((told, "dim"))
