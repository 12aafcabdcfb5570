"""The page of `goprobe doctor`: what is fine on this machine, and what to type where it is not."""

from __future__ import annotations

from goprobe.model.doctor import DoctorReport, Health
from goprobe.report.html import shell
from goprobe.report.options import RenderOptions

_LOOKS = {
    Health.OK: ("✓", "fine", "fine"),
    Health.WARNING: ("▲", "warning", "warning"),
    Health.FAILED: ("✗", "alarm", "failed"),
    Health.NOT_TRIED: ("·", "quiet", "not tried"),
}


def render(report: DoctorReport, options: RenderOptions) -> bytes:
    """The checks in the order in which they were made."""
    warned = any(check.health is Health.WARNING for check in report.checks)
    if not report.works:
        title = "goprobe trace cannot work here yet"
    else:
        title = "goprobe works here, but for what is marked" if warned else "goprobe works here"
    return shell.page(
        "doctor.html",
        title,
        report,
        options,
        checks=[(check, *_LOOKS[check.health]) for check in report.checks],
        warnings=(),
        facts=(),
    )
