"""The report of `goprobe explain`: schema goprobe.explain/1."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

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
    """One claim of the familiar picture; `measured` is the fact in one sentence, with numbers.

    There is no claim without `evidence`: at least one fact that shows what was measured.
    """

    id: str
    claim: str
    verdict: ClaimVerdict
    measured: str
    evidence: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]

    def __post_init__(self) -> None:
        if not any(self.evidence):
            raise ValueError(f"claim {self.id} is told without evidence")


class ExplainReport(Report, frozen=True, kw_only=True):
    """`map` is the process's memory at the stop that the claims were measured at."""

    target: str
    gdb: Tool
    claims: tuple[Claim, ...]
    map: tuple[Region, ...]
    warnings: tuple[str, ...] = ()
    schema: str = SCHEMA
