"""Variables: random programs whose values at random places are known, and what goprobe tells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scripts.truths.answer import Answer, Peers
from scripts.truths.choices import Choices
from scripts.truths.kind import (
    PIE,
    PLAIN,
    RACE,
    STRIPPED,
    UNOPTIMIZED,
    UNSOURCED,
    Build,
    Case,
    Program,
)
from scripts.truths.variables import ask
from scripts.truths.variables.gdbpeer import gdb_of
from scripts.truths.variables.program import ADDRESSES, HELPERS, STILL, STIR, write
from scripts.truths.variables.visits import twins_of


@dataclass(frozen=True, slots=True)
class Variables:
    name: str = "variables"
    builds: tuple[Build, ...] = (UNOPTIMIZED, PLAIN, PIE, RACE, STRIPPED, UNSOURCED)

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        twins = write(choices, go)
        files = {"go.mod": f"module truth\n\ngo {twins.language}\n", "helpers.go": HELPERS}
        files["stir.go"] = STIR if twins.stirs else STILL
        if build is UNOPTIMIZED:
            files |= {"main.go": twins.addressed, "addresses.go": ADDRESSES}
        else:
            files["main.go"] = twins.traced
        return Program(files, {"twins": twins, "visits": []})

    def ask(self, case: Case) -> Iterator[Answer]:
        return ask.ask(case)

    def peers(self, case: Case) -> Peers:
        """GDB's newest release here, in builds that have debug information. Delve was not to be
        had where this was written."""
        if case.build is STRIPPED or not ask.visits_of(case):
            return {}
        return gdb_of(case, ask.visits_of(case), twins_of(case).wrapped)


KIND = Variables()
