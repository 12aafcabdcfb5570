from __future__ import annotations

import pytest

from goprobe.model.doctor import Check, DoctorReport, Health
from goprobe.model.report import Tool
from goprobe.report import RenderOptions, render
from tests.report.screen import cells, lines, raw_characters

FINE = Check("machine", Health.OK, "Linux on x86_64")
BROKEN = Check("GDB", Health.FAILED, "no GDB found", "apt install gdb\npip install goprobe")
HALF = Check("permission", Health.WARNING, "Yama lets you trace children only", "sudo goprobe")


def text(*checks: Check, works: bool, options: RenderOptions | None = None) -> list[str]:
    report = DoctorReport(pid=0, go=Tool(""), works=works, checks=checks)
    return lines(render(report, "text", options or RenderOptions()))


def test_each_check_is_a_line_and_each_remedy_one_below_it() -> None:
    shown = text(FINE, BROKEN, works=False)
    assert shown[0] == "✓  machine  Linux on x86_64"
    assert shown[1] == "✗  GDB      no GDB found"
    assert [line.strip() for line in shown[2:4]] == ["→ apt install gdb", "→ pip install goprobe"]
    assert shown[-1] == "goprobe trace cannot work here yet."


@pytest.mark.parametrize(
    ("checks", "last"),
    [
        ((FINE,), "goprobe works here."),
        ((FINE, HALF), "goprobe works here, but for what is marked."),
    ],
)
def test_the_last_line_says_what_it_comes_to(checks: tuple[Check, ...], last: str) -> None:
    assert text(*checks, works=True)[-1] == last


@pytest.mark.parametrize("width", [40, 80])
@pytest.mark.parametrize("unicode", [True, False])
def test_it_fits_and_shows_nothing_raw(width: int, unicode: bool) -> None:
    hostile = Check("\x1b[2J", Health.FAILED, "\u202e" + "path/" * 60, "\x9b31m " + "x" * 200)
    report = DoctorReport(pid=0, go=Tool(""), works=False, checks=(FINE, hostile))
    data = render(report, "text", RenderOptions(width=width, unicode=unicode))
    assert raw_characters(data) == set()
    assert max(cells(line) for line in lines(data)) <= width
    assert unicode or data.isascii()
