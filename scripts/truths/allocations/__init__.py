"""Programs that allocate in random ways, for `goprobe escape`.

Witnesses are the program's own profile of every allocation and its MemStats. goprobe builds and
runs the same source by itself, and what the program then says of that very run is the truth (how a
map grows is a matter of chance in each run); what it says of a run without goprobe must be the same
where chance has no part in it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from scripts.truths.allocations.judging import Judge
from scripts.truths.allocations.program import Way, write
from scripts.truths.allocations.witness import Witness, read
from scripts.truths.answer import Answer, Peers, wrong
from scripts.truths.choices import Choices
from scripts.truths.escaped import escaped, shown
from scripts.truths.kind import PIE, PLAIN, RACE, UNOPTIMIZED, Build, Case, Program, release

_SECONDS = 120.0


class Allocations:
    name = "allocations"
    builds = (PLAIN, RACE, PIE, UNOPTIMIZED)

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        return write(choices, release(go), build.cgo)

    def ask(self, case: Case) -> Iterator[Answer]:
        way = case.program.notes["way"]
        assert isinstance(way, Way)
        plain = _witnessed(case, way)
        if isinstance(plain, str):
            yield wrong("the program runs", truth="it does", told=plain)
            return
        _, *options = way.command
        told = escaped(case, options, processors=way.processors, seconds=_SECONDS)
        if isinstance(told, Answer):
            yield told
            return
        sources = {Path(n).name: text.split("\n") for n, text in case.program.files.items()}
        yield from Judge(
            told.report,
            read(told.output),
            None if way.mode == "bench" else plain,
            sources,
            way.named,
            case.go,
        ).answers()

    def peers(self, case: Case) -> Peers:
        return {}


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
        return f"{ran.returncode}: {shown(ran.stderr)}"
    return witness


KIND = Allocations()
