"""What holds of `goprobe trace`: its picture, and every stop."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import UNSET

from goprobe.analysis.audit import audited, together
from goprobe.analysis.locate.auditregions import REGIONS
from goprobe.analysis.trace.auditstops import StopFacts, audit_stop
from goprobe.model.report import Audited
from goprobe.model.trace import TraceReport


def audit_trace(report: TraceReport, built: int = 1 << 63) -> tuple[Audited, ...]:
    """`built`: when the program was, in nanoseconds since 1970."""
    return audited(REGIONS, report.map) + together(_of_stops(report, built))


def _of_stops(report: TraceReport, built: int) -> Iterable[tuple[Audited, ...]]:
    for stop in report.stops:
        yield audit_stop(StopFacts(stop, report.map if stop.map is UNSET else stop.map, built))
