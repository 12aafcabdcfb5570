"""The page of `goprobe maps`: the address space drawn, then every region."""

from __future__ import annotations

from msgspec import UNSET

from goprobe.model.attached import MapsReport
from goprobe.report import words
from goprobe.report.html import shell
from goprobe.report.html.scene import picture, scene
from goprobe.report.options import RenderOptions

_MOST = 20_000


def render(report: MapsReport, options: RenderOptions) -> bytes:
    """The page; of far too many regions the first."""
    shown = report.map[:_MOST]
    kinds: dict[str, list[int]] = {}
    for region in report.map:
        sums = kinds.setdefault(region.kind.value, [0, 0, 0])
        sums[0] += 1
        sums[1] += region.size
        sums[2] += 0 if region.rss is UNSET else region.rss
    names = {kind.value: (words.KIND_NAMES[kind], words.KIND_MEANINGS[kind])
             for kind in words.KIND_NAMES}  # fmt: skip
    return shell.page(
        "maps.html", f"The memory of process {report.pid}", report,
        scene=scene(picture(report.map)), names=names,
        kinds=sorted(kinds.items(), key=lambda pair: -pair[1][2]),
        most=max((sums[2] for sums in kinds.values()), default=0) or 1,
        regions=[(r, 0 if r.rss is UNSET else r.rss) for r in shown],
        left_out=len(report.map) - len(shown), rss=report.rss,
        smaps=report.smaps_rss if report.pause_us else 0,
        warnings=(), facts=[words.stood_still(report.pid, report.pause_us)],
    )  # fmt: skip
