"""What became of a place that has no code of its own: the verdicts of its inlined copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from goprobe.counts import counted
from goprobe.model.escape import Site, Verdict

_MOST = 3


def with_copies(sites: Sequence[Site]) -> Iterator[Site]:
    """The sites; those that are dead, as they were inlined away, say what their copies did. What
    has another expression there (a constant in a parameter's place) is one's copy where nothing
    else stands on the line."""
    copies: dict[tuple[str, int], list[Site]] = {}
    of_line = Counter((site.file, site.line) for site in sites)
    for site in sites:
        for place in {(c.file, c.line) for c in site.calls if c.inlined_at}:
            if place != (site.file, site.line):
                copies.setdefault(place, []).append(site)
    for site in sites:
        mine = copies.get((site.file, site.line), [])
        alike = [c for c in mine if c.expression == site.expression]
        if of_line[site.file, site.line] == 1:
            alike = alike or mine
        if site.verdict is Verdict.DEAD and alike:
            yield replace(site, reason=f"{site.reason} ({_told(alike)})")
        else:
            yield site


def _told(copies: Sequence[Site]) -> str:
    """ "confirmed heap 101 times, not reached": each verdict once."""
    counts: dict[Verdict, int] = {}
    for copy in copies:
        counts[copy.verdict] = counts.get(copy.verdict, 0) + max(copy.allocations, 0)
    said = [
        f"{verdict.replace('_', ' ')}" + (f", {counted(count, 'object')}" if count else "")
        for verdict, count in counts.items()
    ]
    return f"there: {'; '.join(said[:_MOST])}"
