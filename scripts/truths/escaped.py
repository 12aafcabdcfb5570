"""`goprobe escape` asked of a program: its report, and what the program said in that very run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scripts.truths.answer import Answer, not_told, wrong
from scripts.truths.forked import forked
from scripts.truths.kind import Case
from tests.support.cli import environment

_SHOWN = 3000


@dataclass(frozen=True, slots=True)
class Escaped:
    report: dict[str, Any]
    output: str
    complaints: str


def escaped(
    case: Case, options: Sequence[str], *, processors: int = 1, seconds: float
) -> Escaped | Answer:
    """The answer is that it is WRONG, where goprobe does not answer; in time is another matter, for
    which the machine may be to blame."""
    output = case.directory / "report.json"
    try:
        told = forked(
            ("escape", "--json", "-o", output, "--go", case.go_tool, *options),
            cwd=case.directory,
            env=environment_of(case, processors),
            seconds=seconds,
        )
    except subprocess.TimeoutExpired:
        return not_told("goprobe answers", f"it took more than {seconds:.0f} s")
    complaints = shown(told.stderr)
    if told.returncode not in (0, 1) or b"Traceback" in told.stderr or not output.exists():
        said = f"{told.returncode}: {complaints}"
        return wrong("goprobe answers", truth="code 0 or 1", told=said)
    report = json.loads(output.read_bytes())
    return Escaped(report, told.stdout.decode(errors="replace"), complaints)


def environment_of(case: Case, processors: int) -> dict[str, str]:
    """Builds as the case was built, and has the program tell the truth."""
    return environment(
        GOFLAGS=" ".join(f"'{flag}'" for flag in case.build.flags),
        CGO_ENABLED="1" if case.build.cgo else "0",
        GOTOOLCHAIN="local",
        GOPROXY="off",
        GOWORK="off",
        GOMAXPROCS=str(processors),
        TRUTH="1",
    )


def shown(complaints: bytes) -> str:
    """The end of what went to the standard error."""
    return complaints.decode(errors="replace")[-_SHOWN:]
