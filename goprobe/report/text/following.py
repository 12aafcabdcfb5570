"""What to type next, at the end of a report in text."""

from __future__ import annotations

from collections.abc import Iterable

from goprobe.report.text.page import Page


def following(page: Page, lines: Iterable[tuple[str, str]]) -> None:
    """Each line with what it shows; nothing where there is none."""
    shown = tuple(lines)
    if shown:
        page.heading("Next")
    for line, meaning in shown:
        page.paragraph(line, (f"  {meaning}", "dim"), indent=2, hanging=2)


def asked_of(pid: int, pause_us: int) -> str:
    """What stands for the process in such a line: a core, which cost no time, has no pid to ask."""
    return str(pid) if pause_us else "CORE --exe BINARY"
