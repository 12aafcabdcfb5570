"""What is on the heap and who runs, held against what the runtime itself says.

Programs with pprof pages tell MemStats before and after a collection, and every goroutine's
stack. All of them were started with GODEBUG=gctrace=1, which prints the bytes that each collection
found alive, in MB.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

from scripts.zoology.asking import Asker
from scripts.zoology.finding import Finding
from scripts.zoology.program import Program, Site, fetched

_MEMSTAT = re.compile(r"^# (\w+) = (\d+)$", re.M)
_TRACED = re.compile(r"^gc \d+ @.*?(\d+)->(\d+)->(\d+) MB", re.M)
_GOROUTINE = re.compile(r"^goroutine (\d+)(?: [^\n\[]*)?\[([^\],]*)[^\n]*\]:\n(.+?)\((?!\*)", re.M)
_MIB = 1 << 20
_COLLECTIONS = 3
"""So many, and nothing is left in sync.Pools or of finalizers that ran."""


def runtime(program: Program, site: Site, ask: Asker, patience: float) -> Iterator[Finding]:
    """`patience`: how long to wait for a collection where nobody can ask for one, if at all."""
    pages = program.pprof(site)
    if pages:
        yield from _memory(pages, ask, site.pid)
        yield _goroutines(pages, ask, site.pid)
    elif patience:
        yield _next_collection(site, ask, patience)


def _memory(pages: str, ask: Asker, pid: int) -> Iterator[Finding]:
    for _ in range(_COLLECTIONS):
        before = _memstats(pages)
    report = ask("heap", str(pid), "--types", "--retained", "--json").report
    after = _memstats(pages)
    if after["NumGC"] != before["NumGC"] + 1:
        yield Finding("census", None, "the program collected garbage meanwhile")
    else:
        # Between two collections nothing is freed: what was alive, and some of what was
        # allocated since.
        most = before["HeapAlloc"] + after["TotalAlloc"] - before["TotalAlloc"]
        told = report["census"]["bytes"]
        yield Finding(
            "census against MemStats",
            before["HeapAlloc"] <= told <= most,
            f"{told} bytes, the runtime {before['HeapAlloc']} to {most}",
        )
    told, alive = report["graph"]["reachable_bytes"], after["HeapAlloc"]
    yield Finding(
        "reachable against what a collection left",
        _near(told, alive, alive // 50 + _MIB // 4),
        f"{told} bytes, {alive} left",
    )


def _memstats(pages: str) -> dict[str, int]:
    """MemStats right after a collection that we ask for."""
    text = fetched(f"{pages}/heap?gc=1&debug=1").decode("utf-8", "replace")
    return {name: int(value) for name, value in _MEMSTAT.findall(text)}


def _near(a: int, b: int, room: int) -> bool:
    return abs(a - b) <= room


def _next_collection(site: Site, ask: Asker, patience: float) -> Finding:
    """Reachable bytes against what the next collection left, in MiB as the runtime rounds them.

    The runtime collects at least every two minutes (forcegcperiod, proc.go). Meanwhile the program
    may do something by itself: what is reachable afterwards is asked, too.
    """
    what = "reachable against what a collection left"
    for _ in range(_COLLECTIONS):
        seen = len(traced(site.said()))
        told = _reachable(ask, site.pid)
        deadline = time.monotonic() + patience
        while len(collections := traced(site.said())) <= seen:
            if time.monotonic() > deadline:
                return Finding(what, None, f"no collection within {patience:.0f} s")
            time.sleep(0.2)
        later = _reachable(ask, site.pid)
        # What is allocated during a collection counts as alive.
        before, after, left = (size * _MIB for size in collections[seen])
        room = left // 50 + 2 * _MIB + max(after - before, 0)
        least, most = min(told, later) - room, max(told, later) + room
        if least <= left:
            break
        # More was reachable: perhaps by sync.Pools, which every collection empties a little more.
    says = f"{told} bytes, {later} after it, {left >> 20} MiB left"
    return Finding(what, min(told, later) >= 0 and least <= left <= most, says)


def traced(output: str) -> list[tuple[int, int, int]]:
    """Of each collection that the runtime told of: MB before it, after it, and alive."""
    found = _TRACED.findall(output)
    return [(int(before), int(after), int(alive)) for before, after, alive in found]


def _reachable(ask: Asker, pid: int) -> int:
    report = ask("heap", str(pid), "--types", "--retained", "--json").report
    return int(report.get("graph", {}).get("reachable_bytes", -1))


def _goroutines(pages: str, ask: Asker, pid: int) -> Finding:
    """Goroutines that stand in the program's own list before and after, with one stack."""
    before = stacks(pages)
    report = ask("goroutines", str(pid), "--stacks", "--all", "--json").report
    after = stacks(pages)
    told: dict[int, Any] = {g["id"]: g for g in report.get("goroutines", [])}
    still = {i: top for i, top in before.items() if after.get(i) == top}
    wrong = [f"goroutine {i} is missing" for i in still if i not in told]
    for i, (_, function) in still.items():
        frames = [f["function"] for f in told.get(i, {}).get("frames", [])]
        if frames and function not in frames:
            wrong.append(f"goroutine {i} is in {function}, not in {frames[0]}")
    newest = max(before, default=0)
    wrong += [
        f"goroutine {i} is of the runtime by the program's own list"
        for i, g in told.items()
        if i <= newest and i not in before and not g["system"] and g["status"] != "dead"
    ]
    says = wrong[0] if wrong else f"{len(still)} stood still, and are told alike"
    return Finding("goroutines against the program's own", not wrong, says)


def stacks(pages: str) -> dict[int, tuple[str, str]]:
    """The program's own list."""
    return dump(fetched(f"{pages}/goroutine?debug=2").decode("utf-8", "replace"))


def dump(text: str) -> dict[int, tuple[str, str]]:
    """State and innermost function of each goroutine."""
    return {int(i): (state, function) for i, state, function in _GOROUTINE.findall(text)}
