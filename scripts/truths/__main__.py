"""`python -m scripts.truths [KIND]... --seed N --programs M`; 1 where an answer is wrong."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context

from scripts.lib import campaign
from scripts.truths import KINDS
from scripts.truths.answer import Outcome
from scripts.truths.trial import Result, Trial, kind_of, shown, try_out

_MOST_SHOWN = 5
_SILENCE = 60.0  # seconds


@dataclass(slots=True)
class _Row:
    """What is counted of one kind, release and build."""

    programs: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    peers: dict[str, Counter[Outcome]] = field(default_factory=dict)


@dataclass(slots=True)
class _Tally:
    rows: dict[tuple[str, str, str], _Row] = field(default_factory=dict)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[Result] = field(default_factory=list)
    lost: list[Trial] = field(default_factory=list)
    """One of these hung, or ended its worker: its stack is on stderr."""
    late: list[Trial] = field(default_factory=list)
    """They were ended: a failure of this instrument."""

    def add(self, result: Result) -> None:
        trial = result.trial
        row = self.rows.setdefault((trial.kind, trial.go, trial.build), _Row())
        row.programs += 1
        for answer in result.answers:
            row.outcomes[answer.outcome] += 1
            if answer.reason:
                self.reasons[trial.kind, answer.reason] += 1
        for peer, outcomes in result.peers.items():
            row.peers.setdefault(peer, Counter()).update(outcomes)
        if result.late:
            self.late.append(trial)
        if any(answer.outcome is Outcome.WRONG for answer in result.answers):
            self.wrong.append(result)


def _trials(options: argparse.Namespace) -> Iterator[Trial]:
    """Every release and build in turn, so that a part of a run is a fair part of all."""
    kinds = [kind_of(name) for name in options.kind or KINDS]
    gos = campaign.wanted_releases(options)
    for number in range(options.first, options.first + options.programs):
        for kind in kinds:
            builds = [b for b in kind.builds if b.possible and options.build in (None, b.name)]
            if builds:
                go = gos[number % len(gos)]
                build = builds[(number // len(gos)) % len(builds)]
                yield Trial(kind.name, options.seed, number, go, build.name)


def _run(options: argparse.Namespace) -> _Tally:
    tally = _Tally()
    deadline = time.monotonic() + options.minutes * 60 if options.minutes else None
    trials = _trials(options)
    running: dict[Future[Result], Trial] = {}
    told = time.monotonic()
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        while True:
            while len(running) < options.jobs and (deadline is None or time.monotonic() < deadline):
                if (trial := next(trials, None)) is None:
                    break
                future = pool.submit(
                    try_out,
                    trial,
                    shrink_seconds=options.shrink,
                    keep=options.keep,
                    peers=options.peers,
                )
                running[future] = trial
            if not running:
                return tally
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                try:
                    result = future.result()
                except BrokenProcessPool:
                    tally.lost = list(running.values())
                    return tally
                del running[future]
                tally.add(result)
                _tell(result)
            if time.monotonic() - told > _SILENCE:
                told = time.monotonic()
                programs = sum(row.programs for row in tally.rows.values())
                print(f"{programs} programs so far", file=sys.stderr, flush=True)


def _tell(result: Result) -> None:
    if result.late:
        print(f"took too long: {result.trial.command}\n{result.late}", file=sys.stderr, flush=True)
    wrong = [answer for answer in result.answers if answer.outcome is Outcome.WRONG]
    for answer in wrong[:_MOST_SHOWN]:
        print(f"{result.trial}\n  {shown(answer)}\n  {result.kept}", flush=True)


def _shares(outcomes: Counter[Outcome]) -> str:
    total = sum(outcomes.values()) or 1
    return ", ".join(f"{each.value} {100 * outcomes[each] / total:.1f} %" for each in Outcome)


def _print(tally: _Tally, verbose: bool) -> None:
    head = f"{'kind':12} {'Go':5} {'build':10} {'programs':>8} {'right':>8} {'not told':>16}"
    print(f"{head} WRONG  peers")
    for (kind, go, build), row in sorted(tally.rows.items()):
        asked = sum(row.outcomes.values()) or 1
        silent = row.outcomes[Outcome.NOT_TOLD]
        peers = "  ".join(f"{name}: {_shares(row.peers[name])}" for name in sorted(row.peers))
        line = (
            f"{kind:12} {go:5} {build:10} {row.programs:8} {row.outcomes[Outcome.RIGHT]:8}"
            f" {silent:8} {100 * silent / asked:5.1f} % {row.outcomes[Outcome.WRONG]:5}  {peers}"
        )
        print(line.rstrip())
    if verbose:
        print("\nnot told, because")
        for (kind, reason), count in tally.reasons.most_common(40):
            print(f"{count:8}  {kind}: {reason}")


def main() -> int:
    parser = campaign.parser("truth", "Random Go programs that know the truth.", KINDS, shrink=60)
    parser.add_argument("--programs", type=int, default=100, help="of each kind (default 100)")
    parser.add_argument("--build", help="only this build")
    parser.add_argument("--peers", action="store_true", help="ask GDB (and Delve) as well")
    parser.add_argument("-v", action="store_true", dest="verbose", help="why things are not told")
    options = campaign.parsed(parser)
    tally = _run(options)
    _print(tally, options.verbose)
    programs = sum(row.programs for row in tally.rows.values())
    print(f"{programs} programs, {len(tally.wrong)} with a wrong answer, seed {options.seed}")
    for trial in tally.late:
        print(f"took too long: {trial.command}")
    for trial in tally.lost:
        print(f"lost, hung or ended its worker: {trial.command}")
    return 1 if tally.wrong or tally.late or tally.lost or not programs else 0


if __name__ == "__main__":
    sys.exit(main())
