"""The report of `goprobe ps`: schema goprobe.ps/1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from goprobe.model.table import TableReport, column


class RunningProgram(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A process with a Go program in it.

    `go` is the release that built it, "" where nothing tells. `rss` is its resident memory in
    bytes. `goroutines` are those that are not dead, the runtime's own included, as the process ran;
    it is left out, and `why` says so, where goprobe may not read its memory or cannot. `ports` are
    the TCP ports that it listens on, `unit` its systemd unit, `container` the id of its container:
    by each of them, and by its name, goprobe's commands find it.
    """

    pid: int
    user: str
    go: str
    stripped: Annotated[bool, column("stripped", unit="yes")]
    rss: Annotated[int, column("resident", unit="bytes")]
    goroutines: Annotated[int | UnsetType, column("goroutines", unit="count")] = UNSET
    ports: Annotated[tuple[int, ...], column("listens", unit="ports")] = ()
    unit: Annotated[str, column("unit")] = ""
    container: Annotated[str, column("container", unit="id")] = ""
    command: str
    why: Annotated[str, column("", unit="note")] = ""


class PsReport(TableReport, frozen=True, kw_only=True):
    """`hidden` is how many processes were not looked at, for the kernel does not allow it: other
    users', and those that it protects."""

    programs: tuple[RunningProgram, ...]
    hidden: int = 0
    schema: str = "goprobe.ps/1"

    row: ClassVar[type[msgspec.Struct]] = RunningProgram

    @property
    def rows(self) -> Sequence[RunningProgram]:
        return self.programs

    @property
    def summary(self) -> str:
        count = len(self.programs)
        return f"{count} Go {'process' if count == 1 else 'processes'}"

    @property
    def notes(self) -> tuple[str, ...]:
        told = tuple(f"{p.pid}: {p.why}." for p in self.programs if p.why)
        if not self.hidden:
            return told
        some = "1 process" if self.hidden == 1 else f"{self.hidden} processes"
        return (*told, f"{some} could not be looked at: the kernel does not allow it.")
