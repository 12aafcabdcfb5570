"""The one table: a line a program."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1 << 20
HEAD = (
    "program", "Go", "build", "RSS", "objects", "bytes", "typed", "bytes typed", "stop", "wall",
    "cpu", "first", "memory", "checks",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """Sizes in bytes, times in seconds; `typed` and `bytes_typed` are shares of what is reachable.

    `stop` is the longest of all commands; `wall` and `cpu` are those of --types --retained; `first`
    is the wall of a first look at a binary; `memory` the most of all commands.
    """

    program: str
    go: str
    build: str
    rss: int
    objects: int
    bytes: int
    typed: float
    bytes_typed: float
    stop: float
    wall: float
    cpu: float
    first: float
    memory: int
    held: int
    failed: int
    skipped: int

    def cells(self) -> tuple[str, ...]:
        checks = f"{self.held} hold"
        checks += f", {self.failed} FAILED" if self.failed else ""
        checks += f", {self.skipped} skipped" if self.skipped else ""
        return (
            self.program,
            self.go,
            self.build,
            _size(self.rss),
            f"{self.objects:,}",
            _size(self.bytes),
            f"{self.typed:.1%}",
            f"{self.bytes_typed:.1%}",
            f"{self.stop * 1000:.1f} ms",
            f"{self.wall:.1f} s",
            f"{self.cpu:.1f} s",
            f"{self.first:.1f} s",
            _size(self.memory),
            checks,
        )


def _size(count: int) -> str:
    return f"{count / _MIB:,.0f} MiB" if count >= 10 * _MIB else f"{count / _MIB:.1f} MiB"


def table(rows: list[Row]) -> str:
    """Left-aligned words, right-aligned figures."""
    lines = [HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    words = (0, 1, 2, len(HEAD) - 1)
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i in words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
