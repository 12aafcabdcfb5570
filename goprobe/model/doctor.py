"""The report of `goprobe doctor`: schema goprobe.doctor/1."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from goprobe.model.report import Report

SCHEMA = "goprobe.doctor/1"


class Health(StrEnum):
    """`warning`: it works, but not for everything; `not_tried`: something before it failed."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_TRIED = "not_tried"


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that goprobe needs. `finding` is one sentence; `mend` what the user can type."""

    name: str
    health: Health
    finding: str
    mend: str = ""


class DoctorReport(Report, frozen=True, kw_only=True):
    """`works`: whether `goprobe trace` would work here. No process is told of: `pid` is 0."""

    works: bool
    checks: tuple[Check, ...]
    schema: str = SCHEMA
