"""The options of `goprobe escape`, in groups."""

from __future__ import annotations

from typing import Annotated

import msgspec

from goprobe.cli.declare import Option
from goprobe.errors import UsageError


class Building(msgspec.Struct, frozen=True):
    """What the build is told besides."""

    tags: Annotated[str, Option("--tags", metavar="TAG,...", help="Build with these tags.")] = ""
    gcflags: Annotated[
        list[str] | None,
        Option("--gcflags", metavar="[PATTERN=]FLAGS", help="Flags for the compiler, as go build."),
    ] = None
    pgo: Annotated[
        str, Option("--pgo", metavar="FILE", help="A profile to build by, auto, or off.")
    ] = ""

    @property
    def flags(self) -> tuple[str, ...]:
        flags = [f"-tags={self.tags}"] if self.tags else []
        flags += [f"-gcflags={given}" for given in self.gcflags or ()]
        return (*flags, *([f"-pgo={self.pgo}"] if self.pgo else []))


class Comparing(msgspec.Struct, frozen=True):
    """What is held against what, and what then fails."""

    baseline: Annotated[
        str,
        Option("--baseline", metavar="OLD.json", help="Say what changed since this report."),
    ] = ""
    write_baseline: Annotated[
        bool, Option("--write-baseline", help="Write this run's report as the baseline.")
    ] = False
    diff: Annotated[
        bool,
        Option("--diff", help="Run nothing: say what changed from OLD.json to NEW.json."),
    ] = False
    repeat: Annotated[
        int, Option("--repeat", metavar="N", help="Run N times: counts get their spread.")
    ] = 1
    fail_on: Annotated[
        str,
        Option(
            "--fail-on",
            metavar="WHAT,...",
            help="Exit with 1 on these verdicts, new-heap, more-allocations=5%.",
        ),
    ] = ""

    def __post_init__(self) -> None:
        if self.diff and (self.baseline or self.write_baseline):
            raise UsageError("--diff and a baseline contradict each other")


class Showing(msgspec.Struct, frozen=True):
    """Which sites of the report are written."""

    only: Annotated[
        str, Option("--only", metavar="VERDICT,...", help="Show sites of these verdicts.")
    ] = ""
    files: Annotated[
        list[str] | None,
        Option("--file", metavar="GLOB", help="Show sites in files of this name, path or pattern."),
    ] = None
