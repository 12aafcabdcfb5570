"""`python -m scripts.benchmarks [NAME]... [--runs N]`; exits with 1 where a budget is not met."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys

import scripts.benchmarks

_NOT_BENCHMARKS = {"__main__", "bare", "timing"}


def names() -> list[str]:
    found = pkgutil.iter_modules(scripts.benchmarks.__path__)
    return sorted(m.name for m in found if m.name not in _NOT_BENCHMARKS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure goprobe.")
    parser.add_argument("name", nargs="*", choices=[*names(), []], help="default: all")
    parser.add_argument("--runs", type=int, default=5, help="of each alternative (default 5)")
    options = parser.parse_args()
    met = True
    for name in options.name or names():
        print(f"{name}:", flush=True)
        for figure in importlib.import_module(f"scripts.benchmarks.{name}").measure(options.runs):
            met &= figure.met
            print(f"  {figure}", flush=True)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
