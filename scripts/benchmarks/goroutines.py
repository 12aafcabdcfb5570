"""Goroutines: 100 to 100,000 of them, of one stack and of many. How long the program stands still,
by goprobe's own word, and what each question costs as a whole process: seconds on the wall, and of
the processor, which tell about the same on a busy machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from statistics import median

from scripts.benchmarks.heap import measured
from scripts.benchmarks.timing import Figure
from tests.support.go import Running, build, running

ROOT = Path(__file__).resolve().parent.parent.parent
_CROWDS = ((100, 1), (1_000, 1), (10_000, 1), (10_000, 60), (100_000, 1), (100_000, 60))
_QUESTIONS = {
    "plain": (),
    "--stacks --all": ("--stacks", "--all"),
    "--locals": ("--locals",),
    "--waits": ("--waits",),
    "--leaked": ("--leaked",),
}
_TEXT_LIMIT = 3.0
_LOCALS_LIMIT_MS = 5.0


def measure(runs: int) -> Iterator[Figure]:
    binary = build(ROOT / "testdata" / "targets" / "crowd.go")
    for count, stacks in _CROWDS:
        with running(binary, str(count), str(stacks)) as program:
            yield from _crowd(program, f"{count:,} of {stacks}", count, runs)


def _crowd(program: Running, name: str, count: int, runs: int) -> Iterator[Figure]:
    for question, options in _QUESTIONS.items():
        pause, wall, cpu = _asked(("goroutines", str(program.pid), *options), runs)
        limit = _LOCALS_LIMIT_MS if question == "--locals" and count == 1_000 else None
        yield Figure(f"{name}, {question}: stop", pause, "ms", limit)
        text = question == "--stacks --all" and count == 100_000
        yield Figure(f"{name}, {question}: wall", wall, "s", _TEXT_LIMIT if text else None)
        yield Figure(f"{name}, {question}: processor", cpu, "s")
    leaked, types = _in_turns(program.pid, runs)
    yield Figure(f"{name}, heap --types: processor", types, "s")
    yield Figure(f"{name}, --leaked of heap --types", leaked / types, "times", 1.0)


def _in_turns(pid: int, runs: int) -> tuple[float, float]:
    """Seconds of the processor of --leaked and of heap --types: what both share is measured in the
    same weather."""
    leaked, types = ("goroutines", str(pid), "--leaked"), ("heap", str(pid), "--types")
    pairs = [(measured(*leaked).processor, measured(*types).processor) for _ in range(runs)]
    return median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)


def _asked(words: tuple[str, ...], runs: int) -> tuple[float, float, float]:
    """Milliseconds of the stop (of a run that tells them), seconds on the wall and of CPU."""
    said = measured(*words, "--json").report
    taken = [measured(*words) for _ in range(runs)]
    wall, cpu = median(each.seconds for each in taken), median(each.processor for each in taken)
    return said["pause_us"] / 1000, wall, cpu
