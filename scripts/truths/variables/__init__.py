"""Variables: random programs whose values at random places are known, and what goprobe tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from scripts.truths.answer import Answer
from scripts.truths.choices import Choices
from scripts.truths.kind import PIE, PLAIN, RACE, STRIPPED, UNOPTIMIZED, Build, Case, Program
from scripts.truths.variables import ask
from scripts.truths.variables.program import ADDRESSES, HELPERS, write


@dataclass(frozen=True, slots=True)
class Variables:
    name: str = "variables"
    builds: tuple[Build, ...] = (UNOPTIMIZED, PLAIN, PIE, RACE, STRIPPED)

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        twins = write(choices, go)
        files = {"go.mod": f"module truth\n\ngo {twins.language}\n", "helpers.go": HELPERS}
        if build is UNOPTIMIZED:
            files |= {"main.go": twins.addressed, "addresses.go": ADDRESSES}
        else:
            files["main.go"] = twins.traced
        return Program(files, {"twins": twins})

    def ask(self, case: Case) -> Iterator[Answer]:
        return ask.ask(case)

    def peers(self, case: Case) -> Mapping[str, tuple[int, int]]:
        return {}


KIND = Variables()
