"""`python -m scripts.zoology [NAME]...`; exits with 1 where a check fails."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import signal
import sys
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
    skipped = failed = 0
    for name in names:
        try:
            seen = _visited(known[name], patience, tries)
        except NotBroughtError as error:
            print(f"{name}: skipped: {error}", flush=True)
            skipped += 1
            continue
        except NotKeptError as error:
            print(f"{name}: FAILED: {error}", flush=True)
            failed += 1
            continue
        rows.append(seen.row)
        failed += bool(seen.row.failed)
        if options.keep:
            _keep(options.keep / name, seen.looks)
    print(table(rows))
    print(f"{len(rows)} programs looked at, {skipped} skipped, {failed} with a check that failed")
    return 1 if failed else 0


def _visited(program: Program, patience: float, tries: int) -> Visit:
    for left in reversed(range(tries)):
        try:
            seen = visit(program, patience)
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
