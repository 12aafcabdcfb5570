"""Programs whose functions promise not to allocate, for `goprobe escape`.

The witness is MemStats around each call, in the very run that goprobe looks at; which line can
allocate, and by whose code, the writer knows. A program of the trial is a module of some packages,
each with a dozen of functions: building and running it once asks about a hundred promises.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from scripts.truths.answer import Answer, Peers, contradictions, wrong
from scripts.truths.choices import Choices
from scripts.truths.escaped import environment_of, escaped
from scripts.truths.kind import (
    NOT_INLINED,
    PIE,
    PLAIN,
    RACE,
    TAGGED,
    UNOPTIMIZED,
    Build,
    Case,
    Program,
    release,
)
from scripts.truths.promises.judging import Counts, Judge
from scripts.truths.promises.program import Promised, write

_SECONDS = 200.0


class Promises:
    name = "promises"
    builds = (PLAIN, RACE, PIE, UNOPTIMIZED, NOT_INLINED, TAGGED)

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        return write(choices, release(go))

    def ask(self, case: Case) -> Iterator[Answer]:
        promised: list[Promised] = case.program.notes["promised"]  # type: ignore[assignment]
        static = bool(case.program.notes["static"])
        named = [option for p in promised if not p.line for option in ("--promise", _named(p))]
        mode = ["--static"] if static else []
        told = escaped(case, [*mode, *named, "./..."], seconds=_SECONDS)
        if isinstance(told, Answer):
            yield told
            return
        yield from contradictions(told.report.get("audit", ()))
        counts = Counts(_plainly(case) if static else told.output)
        if not counts.whole:
            yield wrong("the program runs", truth="it ends", told=told.complaints)
            return
        optimized = case.build not in (UNOPTIMIZED, NOT_INLINED)
        judge = Judge(told.report, counts, ran=not static, optimized=optimized)
        yield from judge.answers(promised)

    def peers(self, case: Case) -> Peers:
        return {}


def _named(promise: Promised) -> str:
    word, _, rest = promise.text.partition(" ")
    more, _, name = rest.rpartition(" ")
    return " ".join(filter(None, (name, word, more)))


def _plainly(case: Case) -> str:
    ran = subprocess.run(
        [case.binary], env=environment_of(case, 1), capture_output=True, timeout=_SECONDS
    )
    return ran.stdout.decode(errors="replace")


KIND = Promises()
