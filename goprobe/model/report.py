"""What every report begins with: by whom, when and of what it was made, and whether it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypedDict

import msgspec

_shown_by: list[Callable[[Report], str]] = []


def show_by(render: Callable[[Report], str]) -> None:
    """Says how notebooks show reports: this room knows no formats."""
    _shown_by[:] = [render]


class Tool(msgspec.Struct, frozen=True):
    version: str


class Head(TypedDict):
    """What every report says of the program that it tells of: `MapsReport(**head, map=…)`."""

    pid: int
    go: Tool
    program: str
    beside: tuple[str, ...]


def head(pid: int, go: str, program: str = "", beside: Iterable[str] = ()) -> Head:
    """`go` is the release that built it, "" where there is none."""
    return Head(pid=pid, go=Tool(go), program=program, beside=tuple(beside))


class Audited(msgspec.Struct, frozen=True):
    """One thing that a report checked of itself before it was written. `says` is what was held
    against what where it holds, and what contradicts it where it does not."""

    check: str
    holds: bool
    says: str


def schema_of(report_type: type) -> str:
    """What stands in the `schema` field of reports of this struct; "" where it is no report."""
    if not issubclass(report_type, Report):
        return ""
    default = next(f.default for f in msgspec.structs.fields(report_type) if f.name == "schema")
    return default if isinstance(default, str) else ""


def report_name(report_type: type) -> str:
    """What reports of this struct are called, by its own `schema` ("goprobe.trace/1": "trace"); ""
    where it is no report. All that belongs to them has that name: the text's and the page's file,
    the published schema."""
    return schema_of(report_type).removeprefix("goprobe.").partition("/")[0]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`goprobe` is the version that wrote it, `time` when (UTC, as RFC 3339 has it), `host` where.

    `pid` is the process told of, 0 where there was none, and `go` the release that built it.
    `program` is the file that was read: an executable, or a library in the process; `beside` are
    other Go programs in the same process. `doubts` say what is wrong with what was read: that a
    core file is cut off, that a binary contradicts itself.
    """

    schema: str
    goprobe: str = ""
    time: str = ""
    host: str = ""
    pid: int
    go: Tool
    program: str = ""
    beside: tuple[str, ...] = ()
    audit: tuple[Audited, ...] = ()
    doubts: tuple[str, ...] = ()

    def to_pandas(self, table: str = "") -> Any:
        """One of its tables, named by its field, as a pandas.DataFrame; by default its main one.
        Raises ModuleNotFoundError where pandas is not installed, KeyError where there is no such
        table."""
        from goprobe.model.frames import frame

        return frame(self, table)

    def _repr_html_(self) -> str:
        """What a notebook shows: the page, in a frame of its own."""
        return _shown_by[0](self) if _shown_by else ""

    @property
    def contradictions(self) -> tuple[Audited, ...]:
        """The checks that do not hold."""
        return tuple(entry for entry in self.audit if not entry.holds)
