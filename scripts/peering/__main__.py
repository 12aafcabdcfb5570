"""`scripts/peer`: what goprobe and GDB tell of the same variables at random lines of packages' own
tests. Where they differ a person looks, for GDB may be the one that is wrong: a value of what is
not assigned yet, a register that has another's. 1 where a line that the line table calls a
statement is refused; differences alone are news, not a failure."""

from __future__ import annotations

import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from goprobe.errors import GoprobeError
from goprobe.toolchain.find import GdbTool
from scripts.lib import campaign
from scripts.lib.profilewitness import PACKAGES
from scripts.peering.asking import Told, by_gdb, by_goprobe
from scripts.peering.comparing import Pair, pairs
from scripts.peering.lines import BUILDS, Tests, built, chosen
from scripts.truths.variables.gdbpeer import gdb_with_python

DIFFERS = "values that differ"
GDB_ALONE = "values GDB alone told"
_REASONS = 12


def main() -> int:
    parser = campaign.parser("peer", str(__doc__), (), shrink=0)
    parser.add_argument("--lines", type=int, default=12, help="in each package (12)")
    parser.add_argument("--folder", default="/", help="where packages are named (default: /)")
    parser.add_argument("--build", choices=BUILDS, help="default: all in turn")
    options = campaign.parsed(parser)
    tool = gdb_with_python()
    if tool is None:
        print("no GDB with Python here: nothing to hold goprobe against", file=sys.stderr)
        return 3
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    deadline = time.monotonic() + options.minutes * 60 if options.minutes else None
    gos = campaign.wanted_releases(options)
    for number, package in enumerate(options.kind or PACKAGES, options.first):
        if deadline is not None and time.monotonic() > deadline:
            break
        go = gos[number % len(gos)]
        build = options.build or tuple(BUILDS)[number // len(gos) % len(BUILDS)]
        print(f"{package} Go {go} {build}", flush=True)
        with tempfile.TemporaryDirectory(prefix="goprobe-peer-") as folder:
            try:
                tests = built(package, go, BUILDS[build], Path(folder), options.folder)
            except GoprobeError as error:
                print(f"  {error.message}")
                continue
            dice = random.Random(f"{options.seed} {package}")
            _compare(tests, chosen(tests, options.lines, dice), tool, counts, reasons)
    print(", ".join(f"{number} {what}" for what, number in sorted(counts.items())))
    print(f"{GDB_ALONE}, by goprobe's reason:")
    for reason, number in reasons.most_common(_REASONS):
        print(f"{number:6}  {reason}")
    return 1 if counts["lines refused"] else 0


def _compare(
    tests: Tests,
    wheres: Sequence[str],
    tool: GdbTool,
    counts: Counter[str],
    reasons: Counter[str],
) -> None:
    """What differs is asked of both once more: what differs by the run says nothing."""
    asked = by_goprobe(tests, wheres)
    for where, why in asked.refused.items():
        counts["lines refused"] += 1
        print(f"  REFUSED {where}: {why}", flush=True)
    if asked.ended:
        print(f"  ended: {asked.ended}", flush=True)
    told = by_gdb(tool, tests, asked.frames)
    counts["lines stopped at"] += len({frame.where for frame in asked.frames})
    suspects = []
    for frame in (f for f in asked.frames if f.variables):  # a library's callers are told none
        found = list(pairs(frame, told.get(frame.pc, ())))
        counts["frames" if found else "frames that are not comparable"] += 1
        for pair in found:
            counts[_outcome(pair)] += 1
            if _outcome(pair) == GDB_ALONE:
                reasons[_reason(pair.why)] += 1
            if _outcome(pair) == DIFFERS:
                suspects.append((frame, pair))
    if suspects:
        _again(tests, suspects, tool, counts)


def _again(
    tests: Tests, suspects: Sequence[tuple[Told, Pair]], tool: GdbTool, counts: Counter[str]
) -> None:
    wheres = list(dict.fromkeys(frame.where for frame, _ in suspects))
    frames = by_goprobe(tests, wheres).frames
    theirs = by_gdb(tool, tests, frames)
    again = {(f.where, f.number): list(pairs(f, theirs.get(f.pc, ()))) for f in frames}
    for frame, pair in suspects:
        if pair in again.get((frame.where, frame.number), ()):
            place = f"{frame.where} frame {frame.number} {frame.function} line {frame.line}"
            print(f"  {place}, stop's pc {frame.pc:#x}: {pair.name}", flush=True)
            print(f"    goprobe {pair.ours} ({pair.why})\n    GDB     {pair.theirs}", flush=True)
        else:
            counts[DIFFERS] -= 1
            counts["differ by the run"] += 1


def _reason(why: str) -> str:
    """Without what is of this place only."""
    return re.sub(r"\b(0x)?\d[\da-f]*\b", "N", why)[:90]


def _outcome(pair: Pair) -> str:
    if pair.ours is None:
        return "values told by neither" if pair.theirs is None else GDB_ALONE
    if pair.theirs is None:
        return "values goprobe alone told"
    return "values equal" if pair.ours == pair.theirs else DIFFERS


if __name__ == "__main__":
    sys.exit(main())
