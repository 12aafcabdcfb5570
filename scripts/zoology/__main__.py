"""`python -m scripts.zoology [NAME]...`; exits with 1 where a check fails."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import signal
import sys
from collections import Counter
from pathlib import Path

import scripts.zoology.programs
from scripts.zoology import CI
from scripts.zoology.keeper import NotKeptError
from scripts.zoology.looks import Looks
from scripts.zoology.packages import NotBroughtError
from scripts.zoology.program import Program
from scripts.zoology.table import Row, table
from scripts.zoology.visit import Visit, visit

_PATIENCE, _PATIENCE_IN_CI = 130.0, 5.0
"""Seconds that a check may wait for the program to collect its garbage by itself."""


def programs() -> dict[str, Program]:
    """All programs by name: each module of `programs` has some."""
    modules = (m.name for m in pkgutil.iter_modules(scripts.zoology.programs.__path__))
    found = (importlib.import_module(f"scripts.zoology.programs.{name}") for name in modules)
    return {program.name: program for module in found for program in module.PROGRAMS}


def main() -> int:
    known = programs()
    parser = argparse.ArgumentParser(prog="scripts/zoo", description=__doc__)
    parser.add_argument("name", nargs="*", choices=[*known, []], help="default: all")
    parser.add_argument("--ci", action="store_true", help="the part that CI runs")
    parser.add_argument(
        "--stay", type=float, default=0.0, metavar="SECONDS",
        help="how long each works on, before who was lost is asked for once more",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="name the programs, run none")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep goprobe's answers there")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # end them all
    names = options.name or (CI if options.ci else tuple(known))
    if options.list:
        for name in names:
            print(f"{name:14} {known[name].package.folder}")
        return 0
    patience = _PATIENCE_IN_CI if options.ci else _PATIENCE
    tries = 2 if options.ci else 1  # real processes, by time and chance: twice in a row is a fault
    rows: list[Row] = []
    counts = Counter[str]()
    try:
        for name in names:
            _look(known[name], patience, options.stay, tries, options.keep, rows, counts)
    finally:  # what was seen so far is told, also where there is no time for the rest
        print(table(rows))
        print(
            f"{len(rows)} of {len(names)} programs looked at, {counts['skipped']} skipped, "
            f"{counts['failed']} with a check that failed",
            flush=True,
        )
    return 1 if counts["failed"] else 0


def _look(
    program: Program,
    patience: float,
    stay: float,
    tries: int,
    keep: Path | None,
    rows: list[Row],
    counts: Counter[str],
) -> None:
    try:
        seen = _visited(program, patience, stay, tries)
    except NotBroughtError as error:
        print(f"{program.name}: skipped: {error}", flush=True)
        counts["skipped"] += 1
        return
    except NotKeptError as error:
        print(f"{program.name}: FAILED: {error}", flush=True)
        counts["failed"] += 1
        return
    rows.append(seen.row)
    counts["failed"] += bool(seen.row.failed)
    if keep:
        _keep(keep / program.name, seen.looks)


def _visited(program: Program, patience: float, stay: float, tries: int) -> Visit:
    for left in reversed(range(tries)):
        try:
            seen = visit(program, patience, stay)
        except NotKeptError:
            if not left:
                raise
            continue
        _tell(program.name, seen)
        if not seen.row.failed:
            break
    return seen


def _tell(name: str, seen: Visit) -> None:
    print(f"{name}:")
    for user, finding in seen.findings:
        print(f"  {user:5}{finding}")
    sys.stdout.flush()


def _keep(folder: Path, looks: Looks) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for what, ran in looks.ran.items():
        (folder / f"{what.strip('-').replace(' ', '-')}").write_bytes(ran.out)
    told = [(r.command, r.code, r.seconds, r.cpu, r.memory, r.err) for r in looks.all]
    (folder / "commands").write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    sys.exit(main())
