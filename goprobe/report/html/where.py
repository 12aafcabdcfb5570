"""The page of `goprobe where`: each address, all that it is, and the facts that lead to it."""

from __future__ import annotations

from collections import Counter

from goprobe.model.attached import WhereReport
from goprobe.report import words
from goprobe.report.html import shell
from goprobe.report.options import RenderOptions

_MOST = 5_000


def render(report: WhereReport, options: RenderOptions) -> bytes:
    """The addresses in the order in which they were asked for; of far too many the first."""
    shown = report.locations[:_MOST]
    counts = Counter(place.kind for place in report.locations)
    return shell.page(
        "where.html",
        f"Addresses of process {report.pid}",
        report,
        options,
        counts=[(kind.value, words.KIND_NAMES[kind], n) for kind, n in counts.most_common()],
        found=list(enumerate(shown, 1)),
        left_out=len(report.locations) - len(shown),
        names={kind.value: name for kind, name in words.KIND_NAMES.items()},
        warnings=(),
        facts=[words.stood_still(report.pid, report.pause_us)],
    )
