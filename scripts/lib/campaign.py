"""The options that campaigns of random things share (`scripts/fuzz`, `scripts/truth`)."""

from __future__ import annotations

import argparse
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from tests.support.go import releases


def parser(
    name: str, about: str, kinds: Iterable[str], *, shrink: float
) -> argparse.ArgumentParser:
    """Without `kinds` whatever is named is taken (packages)."""
    made = argparse.ArgumentParser(prog=f"scripts/{name}", description=about)
    known = list(kinds)
    choices = [*known, []] if known else None
    made.add_argument("kind", nargs="*", choices=choices, help="default: all")
    made.add_argument("--seed", type=int, help="default: a fresh one, which is printed")
    made.add_argument("--first", type=int, default=0, help="number of the first one")
    made.add_argument("--minutes", type=float, help="begin nothing new after so long")
    made.add_argument("--go", help="releases, as 1.26,1.27 (default: all that are installed)")
    made.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    made.add_argument(
        "--shrink", type=float, default=shrink, help=f"seconds for each that fails ({shrink:g})"
    )
    made.add_argument("--keep", type=Path, default=Path(f"/tmp/goprobe-{name}"), help="for those")
    return made


def parsed(made: argparse.ArgumentParser) -> argparse.Namespace:
    """The options, with a seed, which is printed."""
    options = made.parse_args()
    if options.seed is None:
        options.seed = secrets.randbelow(1 << 32)
    print(f"seed {options.seed}", flush=True)
    return options


def wanted_releases(options: argparse.Namespace) -> list[str]:
    return options.go.split(",") if options.go else list(releases())
