"""`goprobe trace --json` on a compiled hello, against GDB by itself doing the same two stops."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from goprobe.toolchain.find import find_gdb
from scripts.benchmarks.timing import Figure, side_by_side
from tests.support.go import build

ROOT = Path(__file__).resolve().parent.parent.parent
_QUESTIONS = ("bt", "info locals", "info registers")


def measure(runs: int) -> Iterator[Figure]:
    binary = str(build(ROOT / "testdata" / "hello.go", flags=("-gcflags=all=-N -l",)))
    goprobe = shutil.which("goprobe", path=str(Path(sys.executable).parent)) or "goprobe"
    gdb = find_gdb()
    commands = [
        "break main.main",
        "break fmt.Println",
        "run",
        *_QUESTIONS,
        "continue",
        *_QUESTIONS,
        "continue",
    ]
    plain = [*gdb.command, "-nx", "-batch"]
    plain += [word for command in commands for word in ("-ex", command)]
    # As users run it: modules compiled once, by the first run.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def run(command: list[str], extra: dict[str, str]) -> None:
        subprocess.run(
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**environment, **extra},
        )

    def ours() -> None:
        run([goprobe, "trace", "--json", binary], {})

    def theirs() -> None:
        run([*plain, binary], dict(gdb.environment))

    ours()
    theirs()
    seconds = side_by_side(max(runs, 9), {"goprobe": ours, "gdb": theirs})
    yield Figure("goprobe trace --json, whole process", seconds["goprobe"], "s")
    yield Figure("gdb -nx -batch, the same two stops", seconds["gdb"], "s")
    yield Figure("goprobe / gdb", seconds["goprobe"] / seconds["gdb"], "times", 2.0)
