"""`goprobe memory` on processes of every size: the whole command, and how long it stops them.

The figures of the stop are the process's own, beside those of a stop that does nothing. Memory that
is touched is needed for real: one process at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from goprobe.process.ptrace.stop import stopped
from scripts.benchmarks.heap import run_goprobe as goprobe
from scripts.benchmarks.timing import Figure
from tests.support.go import build, running

ROOT = Path(__file__).resolve().parent.parent.parent
_SIZES = {  # MiB that are live, or reserved and never touched
    "64 MiB": ("live", "64"),
    "1 GiB": ("live", "1024"),
    "4 GiB": ("live", "4096"),
    "30 GiB that nothing touches": ("live", "64", "untouched", "30720"),
}
_SPARE = 3 << 30


def measure(runs: int) -> Iterator[Figure]:
    binary = build(ROOT / "testdata" / "targets" / "memoryparts.go")
    for name, words in _SIZES.items():
        if int(words[1]) << 20 > _available() - _SPARE:
            print(f"  ({name}: there is not so much memory here)")
            continue
        with running(binary, *words, timeout=300) as program:
            goprobe("memory", str(program.pid))  # layouts cached
            yield from _of(name, program.pid, max(runs, 9))


def _of(name: str, pid: int, runs: int) -> Iterator[Figure]:
    took, spent, pauses, bare = [], [], [], []
    for _ in range(runs):
        ran = goprobe("memory", str(pid))
        took.append(ran.seconds)
        spent.append(ran.processor)
        pauses.append(ran.report["pause_us"] / 1e3)
        failed = [each["says"] for each in ran.report["audit"] if not each["holds"]]
        assert not failed, failed
        with stopped(pid) as process:
            process.release()
        bare.append(process.pause_us / 1e3)
    yield Figure(f"{name}: whole command", median(took), "s", 0.3)
    yield Figure("  of that CPU, of goprobe and of the kernel for it", median(spent), "s")
    yield Figure("  stop beyond a bare one", median(pauses) - median(bare), "ms", 1.0)


def _available() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("MemAvailable")).split()[1]) << 10
