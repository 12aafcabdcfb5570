"""The report of `goprobe where` in text: each address, all that it is, and how that is known."""

from __future__ import annotations

from goprobe.model.attached import Whereabouts, WhereReport
from goprobe.model.location import Kind, Location
from goprobe.report import words
from goprobe.report.options import RenderOptions
from goprobe.report.text.look import KIND_STYLES
from goprobe.report.text.page import Page

_INDENT = 2
_HANGING = 2


def render(report: WhereReport, options: RenderOptions) -> bytes:
    """The addresses in the order in which they were asked for."""
    page = Page(options)
    for place in report.locations:
        _address(page, place)
        page.blank()
    page.line((words.stood_still(report.pid, report.pause_us), "dim"))
    return page.render()


def _address(page: Page, place: Whereabouts) -> None:
    style = KIND_STYLES[place.kind]
    page.paragraph(
        (str(place.address), "bold"),
        "  ",
        (place.name, style),
        (f"  ({words.KIND_NAMES[place.kind]})", "dim"),
        hanging=_HANGING,
    )
    _evidence(page, place.evidence)
    for other in place.also:
        _also(page, other)


def _also(page: Page, other: Location) -> None:
    page.paragraph(
        ("also ", "dim"),
        (other.name, KIND_STYLES[other.kind]),
        (f"  ({words.KIND_NAMES[other.kind]})", "dim"),
        indent=_INDENT,
        hanging=_HANGING,
    )
    if page.options.verbose or other.kind is not Kind.UNMAPPED:
        _evidence(page, other.evidence)


def _evidence(page: Page, facts: tuple[str, ...]) -> None:
    for fact in facts:
        page.paragraph((f"{page.glyphs.dot} {fact}", "dim"), indent=_INDENT * 2, hanging=_HANGING)
