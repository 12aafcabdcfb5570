"""`goprobe explore` on a heap of a million objects: how long each key takes until the screen shows
what it did, under textual's pilot; and what looking again holds up."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from statistics import median

from textual.pilot import Pilot

from goprobe.explore.app import Explorer
from goprobe.explore.asked import Asked
from scripts.benchmarks.heap import heap_of
from scripts.benchmarks.manytypes import many_structs
from scripts.benchmarks.timing import Figure
from tests.support.go import build, running

_MILLION = 1_000_000
_LIMIT_MS = 100.0
_PATIENCE = 300.0
_KEYS = {
    "down": ("down",) * 5,
    "up": ("up",) * 3,
    "pagedown": ("pagedown",) * 2,
    "end and home": ("ctrl+end", "ctrl+home"),
    "enter and out": ("enter", "enter", "down", "enter", "backspace", "backspace", "backspace"),
    "lists": ("2", "3", "4", "5", "1"),
    "search": ("2", "slash", "n", "o", "d", "enter", "slash", "escape", "1"),
    "sort": ("s", "s", "s", "s"),
    "mark": ("space", "space"),
    "help": ("question_mark", "escape"),
}


def measure(runs: int) -> Iterator[Figure]:
    with heap_of(_MILLION) as program:
        yield from _figures("a million objects", program.pid, runs)
    with running(build(many_structs()), "wide", str(_MILLION), timeout=300) as program:
        yield from _figures("of 5,000 types", program.pid, runs)


def _figures(heap: str, pid: int, runs: int) -> Iterator[Figure]:
    took, held = asyncio.run(_played(str(pid), runs))
    for what, seconds in took.items():
        yield Figure(f"{heap}, {what}: median", median(seconds) * 1000, "ms")
        yield Figure(f"{heap}, {what}: worst", max(seconds) * 1000, "ms", _LIMIT_MS)
    yield Figure(f"{heap}, looking again: longest without a screen", held, "ms", _LIMIT_MS)


async def _played(pid: str, runs: int) -> tuple[dict[str, list[float]], float]:
    """Seconds of each key, and the longest (ms) for which nothing else went on while it looked."""
    took: dict[str, list[float]] = defaultdict(list)
    app = Explorer(Asked((pid,)))
    async with app.run_test(size=(120, 40)) as pilot:
        await _until(pilot, lambda: bool(app.views))
        for _ in range(runs):
            for what, keys in _KEYS.items():
                for key in keys:
                    began = time.perf_counter()
                    await pilot.press(key)
                    await pilot.pause()
                    took[what].append(time.perf_counter() - began)
        began = time.perf_counter()
        await pilot.press("r")
        took["look again"].append(time.perf_counter() - began)
        held = await _longest(lambda: not app._busy)
        began = time.perf_counter()
        await pilot.press("o")
        took["open an object"].append(time.perf_counter() - began)
    return took, held


async def _longest(done: Callable[[], bool]) -> float:
    longest, before = 0.0, time.perf_counter()
    end = before + _PATIENCE
    while not done() and before < end:
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    return longest * 1000


async def _until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not look in time"
        await pilot.pause(0.05)
    await pilot.pause()
