"""The first page of a folder of pages: what each of them says, and the way there."""

from __future__ import annotations

from goprobe.model.folder import FolderReport
from goprobe.report import words
from goprobe.report.html import shell
from goprobe.report.options import RenderOptions


def render(report: FolderReport, options: RenderOptions) -> bytes:
    return shell.page(
        "report.html",
        report.summary,
        report,
        options,
        warnings=(),
        facts=[words.stood_still(report.pid, report.pause_us), f"Looked at {report.time}."],
    )
