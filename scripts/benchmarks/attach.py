"""Attaching: how long a program stands still by its own heartbeat, and how long answers take.

Each command runs as a whole process beside a program that looks at the clock every millisecond;
the baseline is a process that does no more than stop and resume all its threads. Figures of the
stop are the target's own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from goprobe.process.ptrace.stop import stopped
from scripts.benchmarks.timing import Figure
from tests.support.go import build

ROOT = Path(__file__).resolve().parent.parent.parent
_ATTACHES = 1000
_MILLION = 1_000_000


class Beating:
    """A running heartbeat program."""

    def __init__(self, *args: int) -> None:
        binary = build(ROOT / "testdata" / "targets" / "heartbeat.go")
        self._process = subprocess.Popen(
            [binary, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def longest_gap(self) -> float:
        """Milliseconds of the longest gap since the last question."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        return int(self._process.stdout.readline().split()[1]) / 1e6

    def end(self) -> str:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        said = self._process.stdout.read().strip()
        self._process.wait()
        return said


@contextmanager
def beating(*args: int) -> Iterator[Beating]:
    program = Beating(*args)
    try:
        yield program
    finally:
        program.end()


def _environment() -> dict[str, str]:
    """As users run it: modules compiled once, by the first run."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def _goprobe(*args: str) -> float:
    """Seconds that a goprobe command takes."""
    program = shutil.which("goprobe", path=str(Path(sys.executable).parent)) or "goprobe"
    start = time.perf_counter()
    subprocess.run(
        [program, *args],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=_environment(),
    )
    return time.perf_counter() - start


def _bare(pid: int) -> None:
    with stopped(pid) as process:
        process.release()


def _bare_process(pid: int) -> None:
    subprocess.run(
        [sys.executable, "-m", "scripts.benchmarks.bare", str(pid)],
        check=True,
        cwd=ROOT,
        env=_environment(),
    )


def _gaps(program: Beating, runs: int, *choices: Callable[[], object]) -> list[float]:
    """The median longest gap (ms) of each choice, in turns."""
    gaps: list[list[float]] = [[] for _ in choices]
    for _ in range(runs):
        for i, choice in enumerate(choices):
            program.longest_gap()
            choice()
            gaps[i].append(program.longest_gap())
    return [median(g) for g in gaps]


def measure(runs: int) -> Iterator[Figure]:
    # What lies between two of the target's looks at the clock is mostly chance: many runs.
    yield from _million(max(runs, 25))
    yield from _many_goroutines(runs)
    yield from _in_a_row()


def _million(runs: int) -> Iterator[Figure]:
    with beating(_MILLION, 0, 0) as program:
        pid = str(program.pid)
        took: dict[str, list[float]] = {"heap": [], "where": []}
        for command in took:
            _goprobe(command, pid, *(["0x401000"] if command == "where" else []), "--json")

        def quiet() -> None:
            time.sleep(0.3)

        def heap() -> None:
            took["heap"].append(_goprobe("heap", pid, "--json"))

        def where() -> None:
            took["where"].append(_goprobe("where", pid, "0x401000", "0xc000012000", "--json"))

        noise, bare, census, located = _gaps(
            program, runs, quiet, lambda: _bare_process(program.pid), heap, where
        )
    yield Figure("longest gap with nobody attached", noise, "ms")
    yield Figure("longest gap, a process that does a bare stop and resume", bare, "ms")
    yield Figure(
        "census of 1,000,000 objects: gap beyond the bare stop's", census - bare, "ms", 3.0
    )
    yield Figure("census of 1,000,000 objects, whole command", median(took["heap"]), "s", 0.8)
    yield Figure("where: gap beyond the bare stop's", located - bare, "ms", 1.0)
    yield Figure("where, whole command", median(took["where"]), "s", 0.35)


def _many_goroutines(runs: int) -> Iterator[Figure]:
    with beating(1000, 100_000, 0) as program:
        pid = str(program.pid)
        _goprobe("goroutines", pid, "--json")
        took: list[float] = []

        def ask() -> None:
            took.append(_goprobe("goroutines", pid, "--json"))

        bare, gap = _gaps(program, runs, lambda: _bare_process(program.pid), ask)
    yield Figure("100,000 goroutines: gap beyond the bare stop's", gap - bare, "ms", 50.0)
    yield Figure("100,000 goroutines, whole command", median(took), "s", 2.0)


def _in_a_row() -> Iterator[Figure]:
    with beating(10_000, 100, 4) as program:
        before = _descriptors(program.pid)
        program.longest_gap()
        worst = 0.0
        for i in range(_ATTACHES):
            _bare(program.pid)
            if i % 50 == 49:
                worst = max(worst, program.longest_gap())
        leaked = _descriptors(program.pid) - before
    yield Figure(f"{_ATTACHES} attaches in a row to a busy program: longest gap", worst, "ms", 20.0)
    yield Figure("file descriptors leaked in the target", leaked, "", 0)


def _descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
