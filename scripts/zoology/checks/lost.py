"""Who is told to be lost for ever stays lost: it is still there when the program has gone on for a
while, stands where it stood, and the program's own list of goroutines has it so.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.error import HTTPError

from scripts.zoology.asking import Asker
from scripts.zoology.checks.runtime import stacks
from scripts.zoology.finding import Finding
from scripts.zoology.looks import Looks
from scripts.zoology.program import Program, Site, fetched

_ANOTHER = 2.0  # seconds between two pieces of work
_LEAKED = re.compile(r"^goroutine (\d+)(?: [^\n\[]*)?\[[^\]]*\(leaked\)", re.M)


def lost(program: Program, site: Site, ask: Asker, looks: Looks, stay: float) -> Iterator[Finding]:
    """`looks` were first; the program goes on working for `stay` seconds."""
    first = _lost(looks.report("leaked"))
    deadline = time.monotonic() + stay
    while time.monotonic() < deadline and program.works(site):
        time.sleep(_ANOTHER)
    later = _lost(ask("goroutines", str(site.pid), "--leaked", "--json").report)
    wrong = [
        f"goroutine {i} was told to be lost, at {place}, and {_now(later.get(i))} now"
        for i, place in first.items()
        if later.get(i) != place
    ]
    says = wrong[0] if wrong else f"{len(first)}, and {len(later)} at the end"
    yield Finding("lost ones stay lost", not wrong, says)
    if pages := program.pprof(site):
        yield _by_itself(pages, later)


def _by_itself(pages: str, told: Mapping[int, str]) -> Finding:
    """Whether the program's own profiles know of those, and of no others where it can tell."""
    what = "lost ones against the program's own"
    own = stacks(pages)
    if missing := [i for i in told if i not in own]:
        return Finding(what, False, f"goroutine {missing[0]} is not in its list")
    try:  # Go 1.27; 1.26 where it was built with that experiment
        profile = fetched(f"{pages}/goroutineleak?debug=2").decode("utf-8", "replace")
    except HTTPError:
        return Finding(what, True, f"all {len(told)} are in its list; it cannot tell who is lost")
    found = {int(number) for number in _LEAKED.findall(profile)}
    if found == told.keys():
        return Finding(what, True, f"it tells the same {len(found)}")
    return Finding(what, False, f"it tells {sorted(found)}, goprobe {sorted(told)}")


def _now(place: str | None) -> str:
    return f"stands at {place}" if place else "is not"


def _lost(report: Any) -> dict[int, str]:
    """Where each stands that is told to be lost, by its number."""
    return {
        number: _place(group)
        for group in report.get("groups", [])
        if group.get("leaked")
        for number in group["ids"]
    }


def _place(group: Any) -> str:
    return " < ".join(f"{f['function']}:{f['line']}" for f in group["frames"])
