"""Programs whose functions promise not to allocate, for `goprobe escape`.

The witness is MemStats around each call, in the very run that goprobe looks at; which line can
allocate, and by whose code, the writer knows. A program of the trial is a module of some packages,
each with a dozen of functions: building and running it once asks about a hundred promises.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

from scripts.truths.answer import Answer, Peers, wrong
from scripts.truths.choices import Choices
from scripts.truths.kind import PIE, PLAIN, RACE, UNOPTIMIZED, Build, Case, Program
from scripts.truths.promises.judging import Counts, Judge
from scripts.truths.promises.program import Promised, write
from tests.support.cli import command, environment

_SECONDS = 200.0
_SHOWN = 3000


class Promises:
    name = "promises"
    builds = (PLAIN, RACE, PIE, UNOPTIMIZED)

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        major, minor = map(int, go.split("."))
        return write(choices, (major, minor))

    def ask(self, case: Case) -> Iterator[Answer]:
        promised: list[Promised] = case.program.notes["promised"]  # type: ignore[assignment]
        static = bool(case.program.notes["static"])
        output = case.directory / "report.json"
        named = [option for p in promised if not p.line for option in ("--promise", _named(p))]
        mode = ["--static"] if static else []
        told = subprocess.run(
            command("escape", "--json", "-o", output, "--go", case.go_tool, *mode, *named, "./..."),
            cwd=case.directory,
            env=_environment(case),
            capture_output=True,
            timeout=_SECONDS,
        )
        complaints = told.stderr.decode(errors="replace")
        if told.returncode not in (0, 1) or "Traceback" in complaints or not output.exists():
            said = f"{told.returncode}: {complaints[-_SHOWN:]}"
            yield wrong("goprobe answers", truth="code 0 or 1", told=said)
            return
        report = json.loads(output.read_bytes())
        for audit in report.get("audit", ()):
            if not audit["holds"]:
                yield wrong("the report", truth="it holds", told=str(audit))
        counts = Counts(_plainly(case) if static else told.stdout.decode(errors="replace"))
        if not counts.whole:
            yield wrong("the program runs", truth="it ends", told=complaints[-_SHOWN:])
            return
        optimized = case.build.name != UNOPTIMIZED.name
        judge = Judge(report, counts, ran=not static, optimized=optimized)
        yield from judge.answers(promised)

    def peers(self, case: Case) -> Peers:
        return {}


def _named(promise: Promised) -> str:
    word, _, rest = promise.text.partition(" ")
    more, _, name = rest.rpartition(" ")
    return " ".join(filter(None, (name, word, more)))


def _plainly(case: Case) -> str:
    ran = subprocess.run(
        [case.binary], env=_environment(case), capture_output=True, timeout=_SECONDS
    )
    return ran.stdout.decode(errors="replace")


def _environment(case: Case) -> dict[str, str]:
    return environment(
        GOFLAGS=" ".join(f"'{flag}'" for flag in case.build.flags),
        CGO_ENABLED="1" if case.build.cgo else "0",
        GOTOOLCHAIN="local",
        GOPROXY="off",
        GOWORK="off",
        GOMAXPROCS="1",
        TRUTH="1",
    )


KIND = Promises()
