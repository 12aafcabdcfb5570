"""Why the process of a core ended, in text."""

from __future__ import annotations

from goprobe.model.attached import Crash
from goprobe.report.crashwords import crashed, earlier, signals
from goprobe.report.text.page import Page, Span

_INDENT = 2


def crash(page: Page, told: Crash) -> None:
    """ "Crashed in goroutine 1: panic: …", and by which signals."""
    where, what = crashed(told)
    page.blank()
    page.paragraph((where, "bold red"), (what, "bold"), hanging=_INDENT)
    for before in earlier(told):
        page.paragraph(before, indent=_INDENT, hanging=_INDENT)
    if by := signals(told):
        page.paragraph((by, "dim"), indent=_INDENT)


def mark(told: Crash) -> Span:
    """What stands beside the goroutine."""
    return f"  {'ended by ' + told.signal if told.kind == 'signal' else 'crashed'}", "bold red"
