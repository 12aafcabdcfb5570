"""`goprobe explore` on a heap of a million objects: seconds of the processor for each key until the
screen shows what it did, under textual's pilot (which waits a while of its own at each key); and
the longest for which looking again keeps keys waiting."""

from __future__ import annotations

import asyncio
import time
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
    took, held, opened = asyncio.run(_played(str(pid), runs))
    for what, keys in took.items():
        yield Figure(f"{heap}, {what}: median key", median(keys) * 1000, "ms")
        yield Figure(f"{heap}, {what}: worst key", max(keys) * 1000, "ms", _LIMIT_MS)
    yield Figure(f"{heap}, looking again: longest without keys", held, "ms", _LIMIT_MS)
    yield Figure(f"{heap}, an object is shown after", opened, "s")


async def _played(pid: str, runs: int) -> tuple[dict[str, list[float]], float, float]:
    """Seconds of each key, the least of all runs; the longest (ms) for which no key was heard while
    it looked; and seconds until an object was there."""
    took: dict[str, list[float]] = {}
    app = Explorer(Asked((pid,)))
    async with app.run_test(size=(120, 40)) as pilot:
        await _until(pilot, lambda: bool(app.views))
        for _ in range(runs):
            for what, keys in _KEYS.items():
                now = [await _pressed(pilot, key) for key in keys]
                took[what] = [min(pair) for pair in zip(took.get(what, now), now, strict=True)]
            for what, key in (("look again", "r"), ("open an object", "o")):
                taken = await _pressed(pilot, key)
                took[what] = [min(taken, *took.get(what, ()))] if what in took else [taken]
                began = time.monotonic()
                if key == "r":
                    held = await _longest(lambda: not app._busy)
                else:
                    await _until(pilot, lambda: len(app.screen_stack) > 1)
                    opened = time.monotonic() - began
                    await pilot.press("escape")
    return took, held, opened


async def _pressed(pilot: Pilot[None], key: str) -> float:
    began = time.process_time()
    await pilot.press(key)
    await pilot.pause()
    return time.process_time() - began


async def _longest(done: Callable[[], bool]) -> float:
    longest, before = 0.0, time.process_time()
    end = time.monotonic() + _PATIENCE
    while not done() and time.monotonic() < end:
        await asyncio.sleep(0.001)
        now = time.process_time()
        longest, before = max(longest, now - before), now
    return longest * 1000


async def _until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _PATIENCE
    while not holds():
        assert time.monotonic() < end, "it did not look in time"
        await pilot.pause(0.05)
    await pilot.pause()
