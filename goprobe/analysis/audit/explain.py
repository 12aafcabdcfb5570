"""What holds of `goprobe explain`: its claims against its picture."""

from __future__ import annotations

from goprobe.analysis.audit import audited
from goprobe.analysis.audit.regions import REGIONS
from goprobe.model.explain import ExplainReport
from goprobe.model.report import Audited


def audit_explain(report: ExplainReport) -> tuple[Audited, ...]:
    return audited(REGIONS, report.map)
