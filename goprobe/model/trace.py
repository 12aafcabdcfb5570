"""The report of `goprobe trace`: schema goprobe.trace/1."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.model.address import Address
from goprobe.model.location import Region
from goprobe.model.report import Report, Tool
from goprobe.model.value import Variable

SCHEMA = "goprobe.trace/1"


class Binary(msgspec.Struct, frozen=True):
    """The traced executable. `flags` are the build flags of its build info."""

    path: str
    build_id: str
    flags: str
    pie: bool
    optimized: bool
    stripped: bool = False


class Frame(msgspec.Struct, frozen=True):
    """One frame, innermost first. `inlined` frames share `pc`, `sp` and `cfa` with their caller."""

    function: str
    file: str
    line: int
    inlined: bool
    pc: Address
    sp: Address
    cfa: Address


class Bounds(msgspec.Struct, frozen=True):
    """A stack [low, high), in bytes of the target's address space."""

    low: Address
    high: Address


class StopReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The process as it stood at one breakpoint. `goroutine` 0 means: no goroutine. `frames_end`
    says so where there are more frames than are told.

    `map` is the memory then, where it was not yet what the report's own `map` says.
    """

    reason: str
    function: str
    file: str
    line: int
    goroutine: int
    thread: int
    pc: Address
    sp: Address
    stack: Bounds | UnsetType = UNSET
    frames: tuple[Frame, ...]
    frames_end: str | UnsetType = UNSET
    variables: tuple[Variable, ...]
    warnings: tuple[str, ...] = ()
    map: tuple[Region, ...] | UnsetType = UNSET


class Exit(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the program ended: exactly one of the two, or neither where goprobe ended it."""

    code: int | UnsetType = UNSET
    signal: str | UnsetType = UNSET

    @property
    def panicked(self) -> bool:
        """Whether it ended as Go's runtime ends what panics, or cannot go on (runtime/panic.go,
        fatalpanic: exit(2), Go 1.21 to 1.27); a program may choose that code, too."""
        return self.code == 2


class TraceReport(Report, frozen=True, kw_only=True):
    """`map` is the memory at the last stop."""

    gdb: Tool
    binary: Binary
    exit: Exit
    map: tuple[Region, ...]
    stops: tuple[StopReport, ...]
    warnings: tuple[str, ...] = ()
    schema: str = SCHEMA
