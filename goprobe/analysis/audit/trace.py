"""What holds of `goprobe trace`: its stops and its picture."""

from __future__ import annotations

from goprobe.analysis.audit import audited
from goprobe.analysis.audit.regions import REGIONS
from goprobe.model.report import Audited
from goprobe.model.trace import TraceReport


def audit_trace(report: TraceReport) -> tuple[Audited, ...]:
    return audited(REGIONS, report.map)
