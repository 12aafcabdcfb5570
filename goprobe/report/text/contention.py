"""Where goroutines waited, in text: a paragraph for each stack."""

from __future__ import annotations

from msgspec import UNSET

from goprobe.model.contention import MUTEX, ContendedSite, Contention
from goprobe.report import words
from goprobe.report.text.heapsites import stack_of
from goprobe.report.text.page import Page

_MOST = 15
_INDENT, _HANGING = 2, 4


def contention(page: Page, told: Contention) -> None:
    """The stacks that waited longest, and what is not known."""
    shown = told.sites if page.options.verbose else told.sites[:_MOST]
    rest = f", {len(shown)} of {len(told.sites)}: -v shows all"
    page.heading("Waited since the start", (rest if len(shown) < len(told.sites) else "", "dim"))
    page.blank()
    if not told.sites:
        told_of = "no wait can be told" if told.why else "the runtime has noted no wait"
        page.paragraph(told_of, indent=_INDENT)
    for site in shown:
        page.paragraph(
            (_how_long(site), "bold"), _where(page, site), indent=_INDENT, hanging=_HANGING
        )
    for why in told.why:
        page.paragraph((f"{page.glyphs.warn} {why}", "yellow"), indent=_INDENT, hanging=_HANGING)
    page.blank()


def _how_long(site: ContendedSite) -> str:
    if site.delay_us is UNSET:
        return words.counted(site.cycles, "cycle")
    return words.duration(site.delay_us)


def _where(page: Page, site: ContendedSite) -> str:
    times = words.counted(site.count, "time")
    what = "let others wait for a lock" if site.kind == MUTEX else "waited"
    return f", {times}: {what} in {stack_of(page, site.stack, 0)}"
