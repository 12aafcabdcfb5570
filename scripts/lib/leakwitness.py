"""`scripts/witness leaks`: the runtime's own programs that lose goroutines (GoKer among them), on
each release: what goprobe says is lost, beside what the newest runtime says of the same program.

The newest runs each program several times: who is lost always has to be told, who never was may
not be. 1 where goprobe says something else of one that loses the same each time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.goroutines.ownleaks import FOLDERS, NEWEST, Truth, case_names, cases, of_goprobe, steady
from tests.support.go import releases


def main() -> int:
    parser = argparse.ArgumentParser(prog="witness leaks", description=__doc__)
    parser.add_argument("--go", action="append", help="the release (default: each)")
    parser.add_argument("--case", action="append", help="only this one, GoKer's or another")
    parser.add_argument("--runs", type=int, default=3, help="of the newest release")
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="goprobe-witness-") as home:
        for folder in FOLDERS:
            wrong += _folder(
                Path(home), folder, options.go or releases(), options.case, options.runs
            )
    return 1 if wrong else 0


def _folder(
    home: Path, folder: str, gos: Sequence[str], only: Sequence[str] | None, runs: int
) -> int:
    """How many cases of one folder are told otherwise that lose the same each time."""
    binary = cases(NEWEST, folder, home / NEWEST / folder)
    chosen = [name for name in case_names(binary) if not only or name in only]
    if not chosen:
        return 0
    truth = Truth(binary)
    for _ in range(runs):
        truth.run(chosen)
    wrong = 0
    for go in gos:
        told = of_goprobe(cases(go, folder, home / go / folder), chosen)
        found = truth.wrong(told)
        if found:  # some lose whom they lose by chance: the truth has to know more of them
            for _ in range(2 * runs):
                truth.run(sorted(found))
            found = truth.wrong(told)
        wrong += len(found.keys() & steady())
        lost = sum(bool(places) for places in told.values())
        print(
            f"Go {go}, {folder or 'simple cases and patterns'}: {len(told)} programs, {lost} with "
            f"lost goroutines, {len(found)} told otherwise than by Go {NEWEST}",
            flush=True,
        )
        for name, why in sorted(found.items()):
            chance = "" if name in steady() else " (by chance, as the runtime's own test has it)"
            print(f"    {name}: {why}{chance}", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
