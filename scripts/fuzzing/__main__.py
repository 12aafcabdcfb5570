"""`python -m scripts.fuzzing [KIND]... --seed N --count M`; 1 where anything fails."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from scripts.fuzzing import KINDS
from scripts.fuzzing.kind import Kind, Subject
from scripts.fuzzing.outcome import Asked, Outcome
from scripts.fuzzing.watch import Answered, Worker, each
from scripts.lib import campaign
from scripts.truths.choices import Choices, shrink

_BAD = Outcome.TRACEBACK, Outcome.HANG, Outcome.MEMORY, Outcome.DIED, Outcome.SILENT
_TOLD_AFTER = 1000  # inputs
_SLOW_SHRINK = 4  # times as long where each trial is a hang


@dataclass(slots=True)
class _Row:
    """What is counted of one kind."""

    inputs: int = 0
    seconds: float = 0.0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    slowest: float = 0.0
    largest: int = 0
    faults: Counter[str] = field(default_factory=Counter)


class _Hunt:
    """One kind, from its subjects to what was found."""

    def __init__(self, name: str, options: argparse.Namespace, scratch: Path) -> None:
        self.name = name
        self.options = options
        kind: Kind = import_module(f"scripts.fuzzing.{name}").KIND
        gos = campaign.wanted_releases(options)
        self.subjects: Sequence[Subject] = [
            s for s in kind.subjects(scratch, gos) if options.subject in s.name
        ]
        self.row = _Row()

    def _requests(self, deadline: float | None) -> Iterator[tuple[int, dict[str, Any]]]:
        first = self.options.first
        for number in range(first, first + self.options.count):
            if deadline is not None and time.monotonic() > deadline:
                return
            seed = f"{self.name}/{self.options.seed}/{number}"
            yield number, {"subject": number % len(self.subjects), "seed": seed}

    def run(self, deadline: float | None) -> None:
        start = time.monotonic()
        workers = [Worker(self.subjects) for _ in range(self.options.jobs)]
        try:
            for number, worker, found in each(workers, self._requests(deadline)):
                self.row.inputs += 1
                for asked in found.asked:
                    self._count(number, worker, found, asked)
                if self.row.inputs % _TOLD_AFTER == 0:
                    self._so_far(time.monotonic() - start)
        finally:
            for worker in workers:
                worker.end()
        self.row.seconds = time.monotonic() - start

    def _so_far(self, seconds: float) -> None:
        row = self.row
        print(
            f"{self.name}: {row.inputs} inputs, {row.outcomes.total()} questions, "
            f"{row.faults.total()} faults, {row.inputs / seconds:.1f} a second",
            flush=True,
        )

    def _count(self, number: int, worker: Worker, found: Answered, asked: Asked) -> None:
        row = self.row
        row.outcomes[asked.outcome] += 1
        if asked.outcome.good:
            row.slowest = max(row.slowest, asked.seconds)
            row.largest = max(row.largest, asked.peak)
            return
        row.faults[asked.signature] += 1
        if row.faults[asked.signature] == 1:
            self._tell(number, worker, found, asked)

    def _tell(self, number: int, worker: Worker, found: Answered, asked: Asked) -> None:
        index = number % len(self.subjects)
        print(
            f"\n{self.name} {number}, {self.subjects[index].name}, {asked.question}: "
            f"{asked.signature}",
            flush=True,
        )
        numbers = self._shrunk(index, worker, found, asked)
        damaged = self.subjects[index].damaged(Choices(numbers))
        told = damaged.told or found.told
        print("  " + told.replace("\n", "\n  "))
        print("  " + asked.detail.strip().replace("\n", "\n  "))
        folder = self.options.keep / f"{self.name}-{self.options.seed}-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        again = {"kind": self.name, "subject": self.subjects[index].name, "numbers": numbers}
        (folder / "input.json").write_text(json.dumps(again))
        (folder / "fault.txt").write_text(f"{asked.question}\n{told}\n\n{asked.detail}\n")
        print(f"  {damaged.keep(folder, asked.question)}")
        print(
            f"  scripts/fuzz {self.name} --seed {self.options.seed} --first {number} --count 1",
            flush=True,
        )

    def _shrunk(self, index: int, worker: Worker, found: Answered, asked: Asked) -> list[int]:
        if not found.drawn or not self.options.shrink:
            return found.drawn

        def still(numbers: Sequence[int]) -> bool:
            request = {"subject": index, "numbers": list(numbers), "only": asked.question}
            return any(a.signature == asked.signature for a in worker.ask(request).asked)

        seconds = self.options.shrink
        if asked.outcome is Outcome.HANG:
            seconds *= _SLOW_SHRINK
        return shrink(found.drawn, still, seconds=seconds)


def _table(hunts: Sequence[_Hunt]) -> None:
    print(
        f"\n{'kind':12}{'inputs':>8}{'a second':>10}{'questions':>11}{'refused':>9}"
        f"{'slowest':>9}{'largest':>10}   tracebacks hangs memory died silent"
    )
    for hunt in hunts:
        row, count = hunt.row, hunt.row.outcomes
        bad = [count[o] for o in _BAD]
        print(
            f"{hunt.name:12}{row.inputs:8}{row.inputs / max(row.seconds, 0.001):10.1f}"
            f"{count.total():11}{count[Outcome.REFUSED]:9}{row.slowest:8.1f}s"
            f"{row.largest >> 20:7} MiB   {bad[0]:10} {bad[1]:5} {bad[2]:6} {bad[3]:4} {bad[4]:6}"
        )


def main() -> int:
    parser = campaign.parser(
        "fuzz", "Damages what goprobe reads, and asks it all the same.", KINDS, shrink=15
    )
    parser.add_argument("--count", type=int, default=1000, help="inputs of each kind (1000)")
    parser.add_argument("--subject", default="", help="only subjects with this in their names")
    options = campaign.parsed(parser)
    options.keep.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # leaves no cores
    hunts: list[_Hunt] = []
    with tempfile.TemporaryDirectory(prefix="goprobe-fuzz-", dir=_roomy()) as scratch:
        os.environ["XDG_CACHE_HOME"] = f"{scratch}/cache"
        names = options.kind or KINDS
        for left, name in zip(range(len(names), 0, -1), names, strict=True):
            hunt = _Hunt(name, options, Path(scratch))
            hunts.append(hunt)
            share = options.minutes and options.minutes * 60 / len(names)
            hunt.run(time.monotonic() + share if share else None)
            print(f"{name}: {hunt.row.inputs} inputs, {left - 1} kinds to go", flush=True)
    _table(hunts)
    for hunt in hunts:
        for fault, count in hunt.row.faults.most_common():
            print(f"{count:8}  {hunt.name}: {fault}")
    print(f"seed {options.seed}")
    return 1 if any(hunt.row.faults or not hunt.row.inputs for hunt in hunts) else 0


def _roomy() -> str | None:
    """Memory in place of a disk, where there is enough."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and shutil.disk_usage(shared).free > 1 << 30 else None


if __name__ == "__main__":
    sys.exit(main())
