"""What is resident, held against /proc/PID/smaps, mapping by mapping."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from scripts.zoology.finding import Finding
from scripts.zoology.looks import Looks

_HEAD = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) ")
_PAGE = 4096


def kernel(looks: Looks) -> Iterator[Finding]:
    yield _resident(looks)
    yield _within(looks)
    yield _stacks(looks)


def _resident(looks: Looks) -> Finding:
    """Each mapping within a page of smaps, or between the two looks at it."""
    before, after = map(_mappings, looks.smaps)
    regions = looks.report("maps").get("map", [])
    wrong: list[str] = []
    compared = total = 0
    for (low, high), rss in before.items():
        if (low, high) not in after:
            continue  # it grew, shrank or went away while we looked
        least, most = sorted((rss, after[low, high]))
        inside = [r for r in regions if low <= int(r["low"], 16) and int(r["high"], 16) <= high]
        if sum(int(r["high"], 16) - int(r["low"], 16) for r in inside) != high - low:
            continue  # a region of several mappings; the sum of all tells
        told = sum(r["rss"] for r in inside)
        compared += 1
        total += told
        if not least - _PAGE < told < most + _PAGE:
            wrong.append(f"{low:#x}-{high:#x}: {told} bytes, smaps {least} to {most}")
    says = wrong[0] if wrong else f"{compared} mappings, {total >> 20} MiB, within a page each"
    return Finding("resident per mapping", bool(compared) and not wrong, says)


def _within(looks: Looks) -> Finding:
    """All of it, within a page a mapping; and no region holds more than its size."""
    before, after = map(_mappings, looks.smaps)
    regions: list[Any] = looks.report("maps").get("map", [])
    told = sum(r["rss"] for r in regions)
    least, most = sorted((sum(before.values()), sum(after.values())))
    room = _PAGE * max(len(before), len(after))
    fat = [r for r in regions if r["rss"] > r["size"]]
    says = f"{told} bytes, smaps {least} to {most}"
    if fat:
        says = f"{fat[0]['label']} has {fat[0]['rss']} bytes resident of {fat[0]['size']}"
    return Finding("resident in all", least - room <= told <= most + room and not fat, says)


def _stacks(looks: Looks) -> Finding:
    """A thread's stack pointer points into a stack, and into no other thread's."""
    wrong: list[str] = []
    locations = looks.report("threads").get("locations", [])
    for (thread, sp), location in zip(looks.threads.items(), locations, strict=False):
        whose = location["detail"].get("thread", thread)
        if sp and ("stack" not in location["kind"] or whose != thread):
            wrong.append(f"thread {thread} is at {sp:#x}: {location['kind']}, {location['name']}")
    says = wrong[0] if wrong else f"{len(looks.threads)} threads"
    return Finding("stacks of threads", bool(locations) and not wrong, says)


def _mappings(smaps: str) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    place = (0, 0)
    for line in smaps.splitlines():
        if head := _HEAD.match(line):
            place = (int(head[1], 16), int(head[2], 16))
        elif line.startswith("Rss:"):
            found[place] = int(line.split()[1]) * 1024
    return found
