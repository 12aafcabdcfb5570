"""`goprobe heap --every`: look again and again, a line each time, until it is enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from goprobe.errors import TargetGoneError

if TYPE_CHECKING:
    from goprobe.model.heap import HeapReport

_NAMED = 2


def watched(
    look: Callable[[], HeapReport],
    pause: float,
    looks: int,
    progress: Callable[[str], None],
    tell: Callable[[str], None],
) -> HeapReport:
    """The last of several looks, compared with the first; `tell` gets a line each. Ctrl-C ends it,
    and so does the process's end: what was seen until then is the answer."""
    from goprobe.analysis.heap.growth import compared

    first = report = look()
    began = seen = time.monotonic()
    tell(_line(first, None, 0.0))
    try:
        for number in range(2, looks + 1):
            progress(f"waiting for look {number} of {looks}")
            time.sleep(max(pause - (time.monotonic() - seen), 0.0) if number > 2 else pause)
            newer, now = look(), time.monotonic()
            tell(_line(newer, report, now - seen))
            report, seen = newer, now
    except (KeyboardInterrupt, TargetGoneError):
        if report is first:
            raise
        progress(f"ended after {seen - began:.0f} s")
    return compared(first, report)


def _line(report: HeapReport, before: HeapReport | None, seconds: float) -> str:
    """ "12:01:30  36 MiB  +1.2 MiB, 40 KiB/s: main.Session +1 MiB, …"."""
    from goprobe.analysis.heap.growth import difference
    from goprobe.report import words

    told = f"{report.time[11:19]}  {words.counted(report.census.objects, 'object')}"
    told += f"  {words.size(report.census.bytes)}"
    if before is None:
        return told
    grown = difference(before, report)
    rate = words.size(round(abs(grown.bytes) / max(seconds, 0.001)))
    told += f"  {words.signed_size(grown.bytes)}, {rate}/s"
    most = [f"{g.name} {words.signed_size(g.bytes)}" for g in grown.types if g.bytes > 0]
    return f"{told}: {', '.join(most[:_NAMED])}" if most else told
