"""What is kept of the study of a binary once it is done: many packages are studied one by one."""

from __future__ import annotations

import msgspec

from goprobe.model.escape import Assertion, BenchmarkRun, DanglingPointer, FunctionCode, Site
from goprobe.model.trace import Exit
from goprobe.toolchain.escapebuild import EscapeBuild


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """`ran`, `pid`, `exit`, `partial`, `dangling`, `warnings` and `benchmarks` are of
    the run."""

    sites: tuple[Site, ...]
    assertions: tuple[Assertion, ...]
    functions: tuple[FunctionCode, ...]
    ran: bool
    pid: int
    exit: Exit
    partial: str
    dangling: tuple[DanglingPointer, ...]
    warnings: tuple[str, ...]
    benchmarks: tuple[BenchmarkRun, ...]


class Studied(Told, frozen=True, kw_only=True):
    """The same, and of which build."""

    build: EscapeBuild
