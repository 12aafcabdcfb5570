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
from collections.abc import Iterator, Mapping

from scripts.truths.allocations.judging import Judge
from scripts.truths.allocations.program import MAIN, write
from scripts.truths.allocations.witness import Witness, read
from scripts.truths.answer import Answer, wrong
from scripts.truths.choices import Choices
from scripts.truths.kind import PLAIN, RACE, Build, Case, Program
from tests.support.cli import command, environment

_SECONDS = 120.0
_SHOWN = 3000


class Allocations:
    name = "allocations"
    builds = (PLAIN, RACE)

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        major, minor = map(int, go.split("."))
        return write(choices, (major, minor), build.cgo)

    def ask(self, case: Case) -> Iterator[Answer]:
        witness = _witnessed(case)
        if isinstance(witness, str):
            yield wrong("the program runs", truth="it does", told=witness)
            return
        output = case.directory / "report.json"
        told = subprocess.run(
            command("escape", "--json", "-o", output, "--go", case.go_tool, "."),
            cwd=case.directory, env=_environment(case), capture_output=True, timeout=_SECONDS,
        )  # fmt: skip
        complaints = told.stderr.decode(errors="replace")
        if told.returncode not in (0, 1) or "Traceback" in complaints or not output.exists():
            yield wrong("goprobe answers", truth="code 0 or 1",
                        told=f"{told.returncode}: {complaints[-_SHOWN:]}")  # fmt: skip
            return
        same = read(told.stdout.decode(errors="replace"))
        source = case.program.files[MAIN].split("\n")
        judge = Judge(json.loads(output.read_bytes()), same, witness, source, case.go)
        yield from judge.answers()

    def peers(self, case: Case) -> Mapping[str, tuple[int, int]]:
        return {}


def _environment(case: Case) -> dict[str, str]:
    return environment(
        GOFLAGS=" ".join(case.build.flags), CGO_ENABLED="1" if case.build.cgo else "0",
        GOTOOLCHAIN="local", GOPROXY="off", GOWORK="off", GOMAXPROCS="1", TRUTH="1",
    )  # fmt: skip


def _witnessed(case: Case) -> Witness | str:
    """What the program says of itself, or why it says nothing."""
    ran = subprocess.run(
        [case.binary], env={**os.environ, "TRUTH": "1", "GOMAXPROCS": "1"}, capture_output=True,
        timeout=_SECONDS,
    )  # fmt: skip
    witness = read(ran.stdout.decode(errors="replace"))
    if ran.returncode or not witness.whole:
        return f"{ran.returncode}: {ran.stderr.decode(errors='replace')[-_SHOWN:]}"
    return witness


KIND = Allocations()
