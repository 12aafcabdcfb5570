"""`python -m scripts.benchmarks [NAME]... [--runs N]`; exits with 1 where a budget is not met."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Iterable

import scripts.benchmarks
from scripts.benchmarks.shapes import measure_shapes
from scripts.benchmarks.timing import Figure

_NOT_BENCHMARKS = {"__main__", "bare", "manytypes", "shapes", "timing"}
_LONG = {"manypackages"}
"""They run when they are named."""


def names() -> list[str]:
    found = pkgutil.iter_modules(scripts.benchmarks.__path__)
    return sorted(m.name for m in found if m.name not in _NOT_BENCHMARKS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure goprobe.")
    parser.add_argument(
        "name", nargs="*", choices=[*names(), []], help="default: all but the long ones"
    )
    parser.add_argument("--runs", type=int, default=5, help="of each alternative (default 5)")
    parser.add_argument(
        "--shapes", nargs="*", metavar="SHAPE", help="heaps of every shape, instead"
    )
    options = parser.parse_args()
    if options.shapes is not None:
        return _told("heaps of every shape", measure_shapes(options.shapes))
    failed = 0
    for name in options.name or [n for n in names() if n not in _LONG]:
        module = importlib.import_module(f"scripts.benchmarks.{name}")
        failed |= _told(name, module.measure(options.runs))
    return failed


def _told(name: str, figures: Iterable[Figure]) -> int:
    """Shows them one by one as they come; 1 where one is not what it should be."""
    print(f"{name}:", flush=True)
    failed = 0
    for figure in figures:
        failed |= not figure.met
        print(f"  {figure}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
