"""The page of `goprobe memory`: what resident memory is for, with the way to what tells more."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import msgspec
from msgspec import UNSET

from goprobe.model.codec import to_json
from goprobe.model.memory import MemoryReport
from goprobe.report import words
from goprobe.report.html import shell
from goprobe.report.memorywords import of_kernel, of_runtime
from goprobe.report.options import RenderOptions

_MOST_FIGURE = 400  # characters: a histogram is longer


class _Use(msgspec.Struct, frozen=True):
    """What memory is for, with its parts; `way` is the page that tells more of it, "" for none."""

    name: str
    bytes: int
    parts: Sequence[tuple[str, int]]
    way: str


def render(report: MemoryReport, options: RenderOptions) -> bytes:
    """The page; figures of the runtime that are long (histograms) are cut."""
    return shell.page(
        "memory.html",
        f"What the memory of process {report.pid} is for",
        report,
        options,
        uses=_uses(report, options),
        verdict=words.to_type(report.verdict, report.pid, report.pause_us),
        larger=[
            words.to_type(f"{each.says}: {each.change}", report.pid, report.pause_us)
            for each in report.surprises[1:]
        ],
        resident=report.kernel.smaps_rss is not UNSET,
        runtime=list(of_runtime(report, verbose=True)),
        kernel=list(of_kernel(report)),
        memstats=_figures(report.memstats),
        metrics=_figures(report.metrics),
        warnings=tuple(f"not told: {name}: {why}" for name, why in report.not_told.items()),
        facts=[words.stood_still(report.pid, report.pause_us)],
    )


def _uses(report: MemoryReport, options: RenderOptions) -> list[_Use]:
    ways = {name: file for file, name, here in options.pages if not here}
    more = {"Go heap": "heap", "stacks": "goroutines"}
    made = []
    for name, parts in groupby(report.parts, key=lambda part: part.of):
        members = [(part.name, part.bytes) for part in parts]
        way = ways.get(more.get(name, "maps"), "")
        made.append(_Use(name, sum(size for _, size in members), members, way))
    return made


def _figures(named: dict[str, object]) -> list[tuple[str, str]]:
    told = ((name, to_json(value).decode()) for name, value in named.items())
    return [(n, v if len(v) <= _MOST_FIGURE else f"{v[:_MOST_FIGURE]}…") for n, v in told]
