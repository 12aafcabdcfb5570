"""The page of `goprobe maps`: the address space drawn, then every region."""

from __future__ import annotations

from collections import Counter

from msgspec import UNSET

from goprobe.model.attached import MapsReport
from goprobe.model.location import Region
from goprobe.report import words
from goprobe.report.html import shell
from goprobe.report.html.scene import picture, scene
from goprobe.report.options import RenderOptions
from goprobe.report.picture import totals
from goprobe.report.places import MOST_REGIONS
from goprobe.report.uses import present

_MOST_OBJECTS = 3


def render(report: MapsReport, options: RenderOptions) -> bytes:
    """The page; of far too many regions the first."""
    shown = report.map[:MOST_REGIONS]
    drawn = picture(report.map)
    counts = Counter(region.kind.value for region in report.map)
    names = {
        kind.value: (words.KIND_NAMES[kind], words.KIND_MEANINGS[kind]) for kind in words.KIND_NAMES
    }
    return shell.page(
        "maps.html",
        f"The memory of process {report.pid}",
        report,
        options,
        scene=scene(drawn),
        names=names,
        uses=totals(drawn),
        kinds=counts.most_common(),
        most=max((part.present for part in totals(drawn)), default=0) or 1,
        regions=[(r, present(r), *_objects(r, options)) for r in shown],
        left_out=len(report.map) - len(shown),
        resident=report.stored is UNSET,
        amount=report.stored or report.rss or 0,
        smaps=report.smaps_rss or 0,
        swap=report.swap or 0,
        warnings=(),
        facts=[words.stood_still(report.pid, report.pause_us)],
    )


def _objects(region: Region, options: RenderOptions) -> tuple[list[tuple[str, str]], int]:
    """The objects in a region that another page tells by themselves, and how many more it does."""
    objects = options.places.objects_in(region.low, region.high) if options.places else []
    return objects[:_MOST_OBJECTS], max(len(objects) - _MOST_OBJECTS, 0)
