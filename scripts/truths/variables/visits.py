"""The witness's run: what the program says of itself at each place that it passes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from scripts.truths.kind import Case
from scripts.truths.variables.program import HELPERS, STILL, WITNESS, Twins
from scripts.truths.variables.scope import Site, Var
from scripts.truths.variables.told import Node

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Level:
    """A frame as the witness tells it: its site, and the values of the site's variables."""

    site: Site
    values: dict[Var, Node]


@dataclass(frozen=True, slots=True)
class Expected:
    """A stop to come: where, and the program's frames, innermost first."""

    where: str
    levels: tuple[Level, ...]


def twins_of(case: Case) -> Twins:
    twins = case.program.notes["twins"]
    assert isinstance(twins, Twins)
    return twins


def witnessed(case: Case) -> list[list[Level]]:
    """Build and run the witness: what it says, a list of levels for each site it passes."""
    twins = twins_of(case)
    folder = case.directory / "witness"
    folder.mkdir(exist_ok=True)
    files = {
        "go.mod": f"module truth\n\ngo {twins.language}\n",
        "main.go": twins.witness,
        "helpers.go": HELPERS,
        "stir.go": STILL,
        "witness.go": WITNESS,
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    environment = {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "",
        "GOPROXY": "off",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }
    subprocess.run(
        [str(case.go_tool), "build", "-gcflags=-l", "-o", "program", "."],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        timeout=_SECONDS,
    )
    said = subprocess.run(
        [str(folder / "program")], check=True, capture_output=True, timeout=_SECONDS
    ).stdout
    return [_levels(twins, json.loads(line)) for line in said.splitlines()]


def _levels(twins: Twins, said: Sequence[Sequence[Any]]) -> list[Level]:
    """Innermost first."""
    found = []
    for number, *values in reversed(said):
        site = twins.sites[number]
        found.append(Level(site, dict(zip(site.variables, values, strict=True))))
    return found


def expected(passed: Sequence[list[Level]], *, lines: bool) -> list[Expected]:
    """The stops to come; `lines`: the program has line tables, so that it stops at lines."""
    return [
        Expected(where, tuple(levels))
        for levels in passed
        for where in levels[0].site.stops
        if lines or not where.startswith("main.go:")
    ]


@dataclass(frozen=True, slots=True)
class Visit:
    """A stop that goprobe came to, by its link-time pc."""

    pc: int
    levels: tuple[Level, ...]


def aligned(
    lines: Sequence[int],
    levels: Sequence[Level],
    wrapped: frozenset[int],
    by_runtime: frozenset[int] = frozenset(),
    returning: frozenset[int] = frozenset(),
) -> list[int] | None:
    """Which of the frames that stand at these lines, innermost first, are the witness's: without
    the functions that the compiler made for go and defer statements, which the runtime calls
    (`by_runtime`), and for types of generic code; None where they are others. Those that run what
    they deferred (`returning`) stand at a line that one build tells otherwise than another."""
    spare = len(lines) - len(levels)
    made = [i for i, line in enumerate(lines) if line in wrapped]
    made.sort(key=lambda i: (i not in by_runtime, -i))
    for gone in combinations(made, spare) if 0 <= spare <= len(made) < 12 else ():
        rest = [i for i in range(len(lines)) if i not in gone]
        if all(
            level.site.loose
            or i in returning
            or lines[i] in (level.site.line, level.site.also)
            or level.site.kind == "entry"
            for i, level in zip(rest, levels, strict=True)
        ):
            return rest
    return None
