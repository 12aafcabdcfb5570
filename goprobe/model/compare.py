"""The report of `goprobe trace --compare`: schema goprobe.compare/1."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.model.report import Report
from goprobe.model.trace import TraceReport
from goprobe.model.value import Variable

SCHEMA = "goprobe.compare/1"


class Fate(StrEnum):
    """What the optimiser made of a variable."""

    KEPT = "kept"
    MOVED = "moved"
    REGISTER = "register"
    CONSTANT = "constant"
    GONE = "gone"
    UNTOLD = "untold"
    """The optimised build may have it, and nothing shows its value."""
    UNSEEN = "unseen"
    """No stop of the optimised build shows it, nor says why."""


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One variable in both builds, each as it was where it had a value; `told` in a sentence.

    `optimized` is unset where the optimised build knows nothing of the variable.
    """

    function: str
    name: str
    type: str
    fate: Fate
    told: str
    unoptimized: Variable
    optimized: Variable | UnsetType = UNSET


class Inlining(msgspec.Struct, frozen=True):
    """A function that had a frame of its own and lost it: its code is now in `into`."""

    function: str
    into: str


class CompareReport(Report, frozen=True, kw_only=True):
    """The same program built without and with the optimiser; `code` in bytes of machine code.
    `pid` is that of the unoptimised one."""

    unoptimized: TraceReport
    optimized: TraceReport
    changes: tuple[Change, ...]
    inlined: tuple[Inlining, ...]
    unoptimized_code: int
    optimized_code: int
    schema: str = SCHEMA
