"""The report of `goprobe explain`: schema goprobe.explain/1."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from goprobe.model.location import Region
from goprobe.model.report import Report, Tool

SCHEMA = "goprobe.explain/1"


class ClaimVerdict(StrEnum):
    """What a measurement makes of a claim. The contract fixes these names."""

    HOLDS = "holds"
    DIFFERS = "differs"
    NOT_OBSERVABLE = "not_observable"


class Claim(msgspec.Struct, frozen=True):
    """One claim of the familiar picture; `measured` is the fact in one sentence, with numbers."""

    id: str
    claim: str
    verdict: ClaimVerdict
    measured: str
    evidence: tuple[str, ...] = ()


class ExplainReport(Report, frozen=True, kw_only=True):
    """`map` is the process's memory at the stop that the claims were measured at."""

    target: str
    gdb: Tool
    claims: tuple[Claim, ...]
    map: tuple[Region, ...]
    warnings: tuple[str, ...] = ()
    schema: str = SCHEMA
