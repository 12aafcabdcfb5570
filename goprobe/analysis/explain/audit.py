"""What holds of `goprobe explain`: its claims against its picture."""

from __future__ import annotations

import re
from collections.abc import Iterator

from goprobe.analysis.audit import audited, check
from goprobe.analysis.locate.auditregions import REGIONS
from goprobe.analysis.locate.wholeregions import whole_regions
from goprobe.model.explain import ExplainReport
from goprobe.model.location import Kind
from goprobe.model.report import Audited

_PLACED = re.compile(
    rf"\b({'|'.join(kind.replace('_', ' ') for kind in Kind)}) (0x[0-9a-f]+)\b",
)


@check("the claims are told in the picture's order, each with what shows it")
def claims_whole(report: ExplainReport) -> Iterator[str]:
    ids = [claim.id for claim in report.claims]
    if ids != [str(number) for number in range(1, len(ids) + 1)]:
        yield f"the claims are numbered {', '.join(ids)}"
    for claim in report.claims:
        if not any(claim.evidence):
            yield f"nothing shows claim {claim.id}"


@check("an address that a claim says to be of a kind is of that kind in the picture")
def picture_agrees(report: ExplainReport) -> Iterator[str]:
    drawn = whole_regions(report.map)
    for claim in report.claims:
        for kind, address in _PLACED.findall(claim.measured):
            at = int(address, 16)
            there = next((r for r in drawn if r.low <= at < r.high), None)
            if there and there.kind.replace("_", " ") != kind:
                yield f"claim {claim.id} says {kind} {address}, the picture {there.kind}"


def audit_explain(report: ExplainReport) -> tuple[Audited, ...]:
    return audited(REGIONS, report.map) + audited((claims_whole, picture_agrees), report)
