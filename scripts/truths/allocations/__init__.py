"""Programs that allocate in random ways, for `goprobe escape`.

Witnesses are the program's own profile of every allocation and its MemStats. goprobe builds and
runs the same source by itself, and what the program then says of that very run is the truth (how a
map grows is a matter of chance in each run); what it says of a run without goprobe must be the same
where chance has no part in it.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from scripts.truths.allocations.judging import Judge
from scripts.truths.allocations.program import Way, write
from scripts.truths.allocations.witness import Witness, read
from scripts.truths.answer import Answer, Peers, wrong
from scripts.truths.choices import Choices
from scripts.truths.kind import PIE, PLAIN, RACE, UNOPTIMIZED, Build, Case, Program
from tests.support.cli import command, environment

_SECONDS = 120.0
_SHOWN = 3000


class Allocations:
    name = "allocations"
    builds = (PLAIN, RACE, PIE, UNOPTIMIZED)

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        major, minor = map(int, go.split("."))
        return write(choices, (major, minor), build.cgo)

    def ask(self, case: Case) -> Iterator[Answer]:
        way = case.program.notes["way"]
        assert isinstance(way, Way)
        plain = _witnessed(case, way)
        if isinstance(plain, str):
            yield wrong("the program runs", truth="it does", told=plain)
            return
        output = case.directory / "report.json"
        told = subprocess.run(
            _command(case, way, output),
            cwd=case.directory,
            env=_environment(case, way),
            capture_output=True,
            timeout=_SECONDS,
        )
        complaints = told.stderr.decode(errors="replace")
        if told.returncode not in (0, 1) or "Traceback" in complaints or not output.exists():
            yield wrong(
                "goprobe answers",
                truth="code 0 or 1",
                told=f"{told.returncode}: {complaints[-_SHOWN:]}",
            )
            return
        sources = {Path(n).name: text.split("\n") for n, text in case.program.files.items()}
        yield from Judge(
            json.loads(output.read_bytes()),
            read(told.stdout.decode(errors="replace")),
            None if way.mode == "bench" else plain,
            sources,
            way.named,
            case.go,
        ).answers()

    def peers(self, case: Case) -> Peers:
        return {}


def _command(case: Case, way: Way, output: Path) -> list[str]:
    escape, *options = way.command
    return command(escape, "--json", "-o", output, "--go", case.go_tool, *options)


def _environment(case: Case, way: Way) -> dict[str, str]:
    return environment(
        GOFLAGS=" ".join(f"'{flag}'" for flag in case.build.flags),
        CGO_ENABLED="1" if case.build.cgo else "0",
        GOTOOLCHAIN="local",
        GOPROXY="off",
        GOWORK="off",
        GOMAXPROCS=str(way.processors),
        TRUTH="1",
    )


def _witnessed(case: Case, way: Way) -> Witness | str:
    """What the program says of itself, or why it says nothing."""
    ran = subprocess.run(
        [case.binary],
        env={**os.environ, "TRUTH": "1", "GOMAXPROCS": str(way.processors)},
        capture_output=True,
        timeout=_SECONDS,
    )
    witness = read(ran.stdout.decode(errors="replace"))
    if ran.returncode or not witness.whole:
        return f"{ran.returncode}: {ran.stderr.decode(errors='replace')[-_SHOWN:]}"
    return witness


KIND = Allocations()
