"""`--repeat`: several runs as one report, each count with its spread.

A concurrent program allocates now more, now less. The report is the first run's; beside its counts
stand the fewest and the most of any run, and a promise that one run broke is broken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from goprobe.model.escape import Assertion, EscapeReport, Site, Verdict

_Key = tuple[str, int, int, str, str, int]


def summary_of(sites: Iterable[Site]) -> dict[str, int]:
    """How many sites have each verdict, in the order of the verdicts."""
    counts = Counter(site.verdict for site in sites)
    return {verdict: counts[verdict] for verdict in Verdict if counts[verdict]}


def together(reports: Sequence[EscapeReport]) -> EscapeReport:
    """At least one report, all of one program."""
    first = reports[0]
    if len(reports) == 1:
        return first
    counted = [dict(zip(_keys(r.sites), r.sites, strict=True)) for r in reports]
    sites = []
    for key, site in counted[0].items():
        seen = [s.allocations for run in counted if (s := run.get(key)) is not None]
        seen += [0] * (len(reports) - len(seen))
        sites.append(replace(site, least=min(seen), most=max(seen)))
    more = {key: s for run in counted[1:] for key, s in run.items() if key not in counted[0]}
    for key, site in more.items():
        seen = [s.allocations for run in counted if (s := run.get(key)) is not None]
        sites.append(replace(site, least=0, most=max(seen)))
    worst = next((r for r in reports if r.failed), first)
    return replace(
        first,
        sites=tuple(sites),
        summary=summary_of(sites),
        assertions=tuple(map(_worst, zip(*(r.assertions for r in reports), strict=True))),
        partial=next((r.partial for r in reports if r.partial), ""),
        failed=worst.failed,
        exit=worst.exit,
        dangling=tuple({d.source: d for r in reports for d in r.dangling}.values()),
        warnings=tuple(dict.fromkeys(w for r in reports for w in r.warnings)),
        runs=len(reports),
    )


def _keys(sites: Sequence[Site]) -> list[_Key]:
    """What names a site in each run: of those alike their order."""
    seen: dict[tuple[str, int, int, str, str], int] = {}
    keys = []
    for s in sites:
        key = (s.file, s.line, s.col, s.function, s.expression)
        seen[key] = seen.get(key, -1) + 1
        keys.append((*key, seen[key]))
    return keys


def _worst(runs: Sequence[Assertion]) -> Assertion:
    """Broken in any run is broken; else what was known in one."""
    broken = next((a for a in runs if not a.held and a.known), None)
    held = next((a for a in runs if a.held), runs[0])
    return broken or held
