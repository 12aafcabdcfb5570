"""`scripts/witness locals`: the variables of goroutines that are parked, in tests of Go's own
packages, as goprobe tells them and as GDB does.

A test stands still at a moment of chance; goprobe is asked, then GDB, of the very same memory.
Held against each other are numbers, strings, pointers and slices that both tell. GDB knows neither
what is not assigned yet nor what a call overwrote in a register: where the two differ somebody has
to look. 1 where they do.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import UNSET

from goprobe.analysis.locals.goroutineview import GoroutineView
from goprobe.analysis.locate.locator import Locator
from goprobe.model.value import State, Variable
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.stacks.frames import FrameView
from goprobe.runtime.stacks.stacks import Stacks
from goprobe.runtime.world import World
from goprobe.target.live import open_target, stopped_target
from scripts.peering.lines import built
from scripts.truths.kind import PLAIN, UNOPTIMIZED, Build
from scripts.truths.variables.gdbpeer import gdb_with_python

PACKAGES = ("net/http", "database/sql", "net/rpc", "context", "sync", "os/exec", "io", "time")
"""Whose tests park goroutines."""
_BUILDS: Mapping[str, Build] = {build.name: build for build in (PLAIN, UNOPTIMIZED)}
_SCRIPT = Path(__file__).parents[2] / "tests" / "gdb_parked.py"
_MOST = 40  # goroutines at a time, each standing somewhere else
_SECONDS = 120.0
_REASONS = 20


class _Whole(GoroutineView):
    """Every frame's variables, the standard library's, too."""

    def own_frames(self) -> Iterator[tuple[int, FrameView]]:
        yield from enumerate(self.frames)


@dataclass
class Tally:
    counts: Counter[str] = field(default_factory=Counter)
    differing: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why goprobe does not tell what GDB does."""


Frames = list[tuple[FrameView, list[Variable]]]
Told = dict[int, Frames]


def main() -> int:
    parser = argparse.ArgumentParser(prog="witness locals", description=__doc__)
    parser.add_argument("package", nargs="*", default=PACKAGES)
    parser.add_argument("--go", action="append", help="the release (default: 1.21 and 1.27)")
    parser.add_argument("--build", action="append", choices=[*_BUILDS], help="(default: both)")
    parser.add_argument("--stops", type=int, default=2, help="of each test (default: 2)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    options = parser.parse_args()
    whole, choice = Tally(), random.Random(options.seed)
    for go in options.go or ("1.21", "1.27"):
        for build in options.build or _BUILDS:
            for package in options.package:
                tally = Tally()
                with tempfile.TemporaryDirectory(prefix="goprobe-witness-") as folder:
                    binary = built(package, go, _BUILDS[build].flags, Path(folder)).binary
                    for _ in range(options.stops):
                        _stop(binary, choice.uniform(0.05, 1.5), Path(folder), tally)
                _say(f"Go {go}, {build}, {package}", tally)
                whole.counts += tally.counts
                whole.differing += tally.differing
                whole.reasons += tally.reasons
    _say("all", whole, named=False)
    print("what GDB alone tells, by goprobe's reason:")
    for reason, count in whole.reasons.most_common(_REASONS):
        print(f"{count:6} {reason}")
    return 1 if whole.differing else 0


def _say(what: str, tally: Tally, *, named: bool = True) -> None:
    counts = ", ".join(f"{count} {kind}" for kind, count in tally.counts.most_common())
    print(f"{what}: {counts}", flush=True)
    for line in tally.differing if named else ():
        print(f"    {line}", flush=True)


def _stop(binary: Path, after: float, folder: Path, tally: Tally) -> None:
    """One moment of the test, by both."""
    with subprocess.Popen(
        [binary, "-test.short", "-test.count=1000"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            time.sleep(after)
            process.send_signal(signal.SIGSTOP)
            if process.poll() is not None:
                tally.counts["tests that had ended"] += 1
                return
            target = open_target(process.pid)
            with stopped_target(target) as stopped:
                ours, parked = _ours(stopped.world)
            theirs = _gdb(process.pid, parked, folder)
            for g in parked:
                _compare(ours[g.id], theirs.get(str(g.id), []), tally)
        finally:
            process.kill()


def _ours(world: World) -> tuple[Told, list[Goroutine]]:
    """What goprobe tells, of goroutines that each stand somewhere else."""
    stacks, locator = Stacks(world), Locator(world)
    told: Told = {}
    parked: dict[tuple[int, ...], Goroutine] = {}
    for g in world.goroutines.known:
        if g.status != "waiting" or len(parked) >= _MOST:
            continue
        view = _Whole(world, g, stacks, locator, {}, {})
        place = tuple(frame.pc for frame in view.frames)
        if place in parked or len(place) < 2:
            continue
        parked[place] = g
        frames: Frames = [(frame, []) for frame in view.frames]
        for variable in view.variables():
            frames[variable.frame][1].append(variable)
        told[g.id] = frames
    return told, list(parked.values())


def _gdb(pid: int, parked: Sequence[Goroutine], folder: Path) -> Mapping[str, Any]:
    gdb = gdb_with_python()
    assert gdb, "no GDB with its Python: put one on PATH"
    plan = [[g.id, g.sp, g.pc, g.bp] for g in parked]
    out = folder / "parked.json"
    given = f"python parked = {plan!r}; out = {str(out)!r}; script = {str(_SCRIPT)!r}"
    command = [*gdb.command, "-nx", "-batch", "-p", str(pid), "-ex", given]
    ran = subprocess.run(
        [*command, "-x", _SCRIPT], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if not out.exists():
        raise SystemExit(f"GDB told nothing: {ran.stdout[-500:]}{ran.stderr[-1500:]}")
    found: Mapping[str, Any] = json.loads(out.read_text())
    return found


def _compare(ours: Frames, theirs: Sequence[Mapping[str, Any]], tally: Tally) -> None:
    """Frames are the same where their pcs, functions' lines and numbers at that pc are."""
    known: dict[tuple[int, int], Mapping[str, Any]] = {}
    for frame in theirs:
        known.setdefault((frame["pc"], frame["line"]), frame)
    for view, variables in ours:
        same = known.get((view.pc, view.line))
        if same is None:
            tally.counts["frames that GDB has not"] += bool(variables)
            continue
        values = {(v["name"], v["line"]): v for v in same["variables"]}
        for variable in variables:
            other = values.get((variable.name, variable.line))
            _one(view, variable, other or {}, tally)


def _one(view: FrameView, variable: Variable, other: Mapping[str, Any], tally: Tally) -> None:
    told, by_gdb = _ours_of(variable), _theirs_of(other)
    if not told or not by_gdb:
        who = "goprobe" if told else "GDB" if by_gdb else "nobody"
        why = f" ({variable.state})" if who == "GDB" else ""
        tally.counts[f"told by {who} alone{why}" if who != "nobody" else "told by nobody"] += 1
        if who == "GDB":
            tally.reasons[f"{variable.state}: {variable.why}"] += 1
    elif told == by_gdb:
        tally.counts["the same"] += 1
    else:
        tally.counts["differ"] += 1
        place = f"{view.function} {Path(view.file).name}:{view.line} pc {view.pc:#x}"
        name = f"{variable.name} (line {variable.line}, {variable.type})"
        tally.differing.append(f"{place}: {name}: goprobe {told}, GDB {by_gdb}")


def _ours_of(variable: Variable) -> str:
    """A number, a string, a pointer's address, or where a slice begins and how long it is; "" for
    all else, and for what is not told."""
    value = variable.value
    if variable.state not in (State.LIVE, State.REGISTER) or value is UNSET or value.unreadable:
        return ""
    if variable.type.startswith("[]") and variable.data is not UNSET:
        return f"{variable.data.address} {value.len} {value.cap}"
    return _plain(value.text, variable.type)


def _theirs_of(other: Mapping[str, Any]) -> str:
    value = other.get("value")
    if value is None:
        return ""
    if "cap" in value and "data" in other:
        return f"{other['data']['address']} {value['len']} {value['cap']}"
    return _plain(value["text"], other.get("type", ""))


def _plain(text: str, kind: str) -> str:
    return "" if kind.startswith(("struct", "map", "[", "func", "chan")) else text


if __name__ == "__main__":
    sys.exit(main())
