"""Locals: the random programs of `variables` with no debugger near. Each stands where it has come
to, parked or on the processor, and says that; `goroutines --locals` is asked; the program goes on.

The values are those that the witness prints at the same places.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from msgspec import UNSET

import goprobe
from goprobe.model.attached import CallSite, GoroutineState
from scripts.truths.answer import Answer, Peers, not_told, wrong
from scripts.truths.choices import Choices
from scripts.truths.kind import PIE, PLAIN, RACE, STRIPPED, UNOPTIMIZED, Build, Case, Program
from scripts.truths.variables.ask import held_against
from scripts.truths.variables.program import HELPERS, STILL, STIR, write
from scripts.truths.variables.visits import Level, witnessed
from tests.support.go import Running, running

_HERE = Path(__file__).parent
_PARK = (_HERE / "park.go.txt").read_text()
_CHECK, _PARKING = "func cp(site int) {\n\tsites += site\n\tstir()\n", "\tpark(site)\n"
_MOST_STOPS = 24
_STANDS_IN = "main.park"


@dataclass(frozen=True, slots=True)
class Locals:
    name: str = "locals"
    builds: tuple[Build, ...] = (UNOPTIMIZED, PLAIN, PIE, RACE, STRIPPED)

    def write(self, choices: Choices, go: str, build: Build) -> Program:
        twins = write(choices, go)
        assert _CHECK in HELPERS
        files = {
            "go.mod": f"module truth\n\ngo {twins.language}\n",
            "helpers.go": HELPERS.replace(_CHECK, _CHECK + _PARKING),
            "stir.go": STIR if twins.stirs else STILL,
            "park.go": _PARK,
            "main.go": twins.traced,
        }
        return Program(files, {"twins": twins})

    def ask(self, case: Case) -> Iterator[Answer]:
        passed = [levels for levels in witnessed(case) if "main.cp" in levels[0].site.stops]
        asked = set(_spread(passed))
        if not passed:
            return
        with running(case.binary) as program:
            for number, levels in enumerate(passed):
                if not asked:
                    return
                site = levels[0].site.number
                told = program.read_line()
                if not told.startswith("at "):
                    yield wrong("the next stop", truth=f"site {site}", told=told)
                    return
                if number in asked:
                    asked.discard(number)
                    yield from _standing(case, program, f"site {site}, visit {number}", levels)
                program.say("")

    def peers(self, case: Case) -> Peers:
        """As `variables` has them, of the same programs."""
        return {}


def _spread(passed: list[list[Level]]) -> list[int]:
    """Which visits are asked at: of each site the first ones, of all not too many."""
    counts: dict[int, int] = {}
    order = []
    for number, levels in enumerate(passed):
        site = levels[0].site.number
        counts[site] = counts.get(site, 0) + 1
        order.append((counts[site], number))
    return sorted(number for _, number in sorted(order)[:_MOST_STOPS])


def _standing(case: Case, program: Running, here: str, levels: list[Level]) -> Iterator[Answer]:
    try:
        with goprobe.attach(program.pid) as process:
            report = process.goroutines(stacks=True, locals=True)
    except goprobe.GoprobeError as error:
        yield wrong("goprobe answers", truth="it does", told=str(error))
        return
    standing = [g for g in report.goroutines if _stands(g)]
    lost = [g for g in report.goroutines if g.frames_end is not UNSET and g.status == "running"]
    if not standing and lost:  # in the race detector's C, say
        yield not_told(here, f"frames: {lost[0].frames_end}"[:80])
        return
    if len(standing) != 1:
        yield wrong(f"{here}: who stands there", truth="one goroutine", told=str(len(standing)))
        return
    state = standing[0]
    if state.why_no_locals and case.build is not STRIPPED:
        yield not_told(here, state.why_no_locals[:80])
    frames = _frames_of(state)
    told = [v for f in frames if f.variables is not UNSET for v in f.variables]
    yield from held_against(case, here, frames, told, tuple(levels))


def _frames_of(state: GoroutineState) -> tuple[CallSite, ...]:
    return state.frames if state.frames is not UNSET else ()


def _stands(state: GoroutineState) -> bool:
    return any(frame.function == _STANDS_IN for frame in _frames_of(state))


KIND = Locals()
