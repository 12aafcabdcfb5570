"""The heap's graph: how long the program stands still, how long answers take, what they cost.

Each command runs as a whole process; the floor is a plain read of the same bytes. Where time goes
is told by stages, in one process.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from scripts.benchmarks.timing import Figure
from tests.support.go import Running, build, running

ROOT = Path(__file__).resolve().parent.parent.parent
_MILLION = 1_000_000
_LARGE_MIB = 1024
_UNIT = 1 << 20


@dataclass(frozen=True, slots=True)
class _Ran:
    """One command: seconds, those of the processor, the most memory it took (bytes), its exit code,
    and what it wrote."""

    seconds: float
    processor: float
    memory: int
    code: int
    said: bytes

    @property
    def report(self) -> Any:
        return json.loads(self.said)


def run_goprobe(*args: str) -> _Ran:
    """A question that is answered, as JSON."""
    ran = measured(*args, "--json")
    assert ran.code == 0, ran.said
    return ran


def measured(*args: str) -> _Ran:
    """Whatever comes of it."""
    program = shutil.which("goprobe", path=str(Path(sys.executable).parent)) or "goprobe"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    with subprocess.Popen(
        [program, *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    processor = used.ru_utime + used.ru_stime
    return _Ran(seconds, processor, used.ru_maxrss * 1024, process.returncode, said)


@contextmanager
def heap_of(objects: int, mebibytes: int = 0) -> Iterator[Running]:
    binary = build(ROOT / "testdata" / "heap" / "million.go")
    with running(binary, str(objects), str(mebibytes), timeout=300) as program:
        run_goprobe("heap", str(program.pid))  # layouts cached
        yield program


def measure(runs: int) -> Iterator[Figure]:
    with heap_of(_MILLION) as program:
        yield from _stages(program.pid)
        yield from _commands(program.pid, runs)
    yield from _large(runs)
    yield from _linear()


def _commands(pid: int, runs: int) -> Iterator[Figure]:
    plain: list[float] = []
    types: list[_Ran] = []
    retained: list[_Ran] = []
    for _ in range(runs):
        plain.append(_plain_read(pid))
        types.append(run_goprobe("heap", str(pid), "--types"))
        retained.append(run_goprobe("heap", str(pid), "--types", "--retained"))
    floor = median(plain)
    yield Figure("a plain read of the scannable bytes", floor, "s")
    whole = median(r.seconds for r in types)
    yield Figure("--types of 1,000,000 objects, whole command", whole, "s", 1.8)
    yield Figure("  as many times the plain read", whole / floor, "")
    both = median(r.seconds for r in retained)
    yield Figure("--types --retained, whole command", both, "s", 3.0)
    yield Figure("stop with a fork", median(r.report["pause_us"] for r in types) / 1e3, "ms", 5.0)
    report = types[-1].report
    objects = report["census"]["objects"]
    typed = sum(t["objects"] for t in report["types"])
    yield Figure("objects", objects, "")
    yield Figure("share of them that have a type", typed / objects, "", 0.99, at_least=True)
    stopped = run_goprobe("heap", str(pid), "--types", "--snapshot", "stop")
    yield Figure("stop without a fork", stopped.report["pause_us"] / 1e3, "ms")
    for tool, command in (("goref", "attach"), ("viewcore", "")):
        if not shutil.which(tool):
            print(f"  ({tool} {command} is not installed: nothing to compare with)")


def _plain_read(pid: int) -> float:
    """Seconds that reading the spans that hold pointers takes, and nothing else."""
    from goprobe.process.memory.memory import ProcessMemory
    from goprobe.runtime.heap.bookkeeping import Bookkeeping
    from goprobe.runtime.heap.words import read_words
    from goprobe.target.live import open_target

    target = open_target(pid)
    memory = ProcessMemory(pid)
    books = Bookkeeping.of(target.layout, target.program.facts.roots, target.bias)
    census = books.count(books.copy(memory))
    start = time.perf_counter()
    read_words(memory, census.spans, target.layout.constants["_PageSize"])
    return time.perf_counter() - start


def _stages(pid: int) -> Iterator[Figure]:
    """Where the time of --types --retained goes."""
    from goprobe.analysis.heap.heap import heap
    from goprobe.analysis.heap.questions import HeapQuestions
    from goprobe.target.live import open_target

    marks: list[tuple[str, float]] = []
    target = open_target(pid)
    heap(
        target,
        HeapQuestions(types=True, retained=True),
        progress=lambda message: marks.append((message, time.perf_counter())),
    )
    marks.append(("", time.perf_counter()))
    for (name, begun), (_, ended) in itertools.pairwise(marks):
        yield Figure(f"  stage: {name}", ended - begun, "s")


def _large(runs: int) -> Iterator[Figure]:
    with heap_of(_MILLION // 10, _LARGE_MIB) as program:
        pauses = [
            run_goprobe("heap", str(program.pid), "--types").report["pause_us"] for _ in range(runs)
        ]
        resident = _resident(program.pid)
    gib, stop = resident / (1 << 30), median(pauses) / 1e3
    yield Figure(f"stop with a fork, {gib:.1f} GiB resident", stop, "ms", 5.0 + 15.0 * gib)
    bare = 1e3 * _bare_fork(resident, runs)
    yield Figure("  a bare fork of a process of that size, by itself", bare, "ms")
    yield Figure("  as many times the bare fork", stop / bare, "", 1.25)


def _bare_fork(size: int, runs: int) -> float:
    """Seconds that the kernel takes to fork so many bytes of resident memory: nobody is faster."""
    code = (
        "import mmap, os, statistics, sys, time\n"
        "size, runs, taken = int(sys.argv[1]), int(sys.argv[2]), []\n"
        "memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
        "for _ in range(runs):\n"
        "    for at in range(0, size, 4096): memory[at] = 1\n"
        "    begun = time.perf_counter()\n"
        "    child = os.fork()\n"
        "    if not child: os._exit(0)\n"
        "    taken.append(time.perf_counter() - begun)\n"
        "    os.waitpid(child, 0)\n"
        "print(statistics.median(taken))\n"
    )
    command = [sys.executable, "-c", code, str(size), str(runs)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _resident(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def _linear() -> Iterator[Figure]:
    """Ten million objects against one: time in proportion, memory an object."""
    with heap_of(_MILLION) as program:
        small = run_goprobe("heap", str(program.pid), "--types")
    with heap_of(10 * _MILLION) as program:
        large = run_goprobe("heap", str(program.pid), "--types")
    objects = large.report["census"]["objects"]
    scan = sum(
        c["bytes"] + c["free_bytes"] for c in large.report["census"]["classes"] if not c["noscan"]
    )
    times = objects / small.report["census"]["objects"]
    yield Figure("--types of 10,000,000 objects, whole command", large.seconds, "s")
    yield Figure(
        f"  as many times one of {times:.1f} times fewer",
        large.seconds / small.seconds,
        "",
        1.3 * times,
    )
    each = (large.memory - scan) / objects
    yield Figure("  memory an object beyond the pointer-bearing bytes", each, "bytes", 120.0)
