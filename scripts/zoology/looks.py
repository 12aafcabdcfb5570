"""Every attach command, once: what goprobe says of a program that stands at rest."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.zoology.asking import Asker, Ran

_OBJECTS = 3
_PROBES = 48
_NEVER_MAPPED = ("0x10", "0xffff800000000000")


@dataclass(slots=True)
class Looks:
    """`ran` holds each command by what it asks; `first` is the first of all, with no cache."""

    first: Ran
    ran: dict[str, Ran] = field(default_factory=dict)
    smaps: tuple[str, str] = ("", "")
    """/proc/PID/smaps before and after `maps`."""
    threads: dict[int, int] = field(default_factory=dict)
    """Where the stack pointers of threads were that waited before and after `threads`."""

    @property
    def all(self) -> list[Ran]:
        return [self.first, *self.ran.values()]

    def report(self, what: str) -> Any:
        return self.ran[what].report if what in self.ran else {}


def look(ask: Asker, pid: int, *, briefly: bool = False) -> Looks:
    """Ask everything of a process; `briefly` leaves out what only writes the same otherwise."""
    number = str(pid)
    looks = Looks(ask("heap", number, "--json"))
    before = _smaps(pid)
    looks.ran["maps"] = ask("maps", number, "--json")
    looks.smaps = (before, _smaps(pid))
    looks.ran["goroutines"] = ask("goroutines", number, "--stacks", "--all", "--json")
    looks.ran["leaked"] = ask("goroutines", number, "--leaked", "--json")
    looks.ran["types"] = ask("heap", number, "--types", "--retained", "--json")
    looks.ran["dangling"] = ask("heap", number, "--dangling", "--json")
    if not briefly:
        looks.ran["heap"] = ask("heap", number, "--json")
        looks.ran["unreachable"] = ask("heap", number, "--unreachable", "--json")
        looks.ran["pprof"] = ask("heap", number, "--format", "pprof")
        for command in ("maps", "goroutines", "heap"):
            looks.ran[f"{command} in words"] = ask(command, number)
    regions = looks.report("maps").get("map", [])
    looks.ran["where"] = ask("where", number, *_addresses(regions), "--json")
    waiting = _stack_pointers(pid)
    looks.ran["threads"] = ask("where", number, *map(hex, waiting.values()), "--json")
    still = _stack_pointers(pid)
    looks.threads = {t: sp if still.get(t) == sp else 0 for t, sp in waiting.items()}
    for i, address in enumerate(_objects(looks.report("where"))[: 1 if briefly else _OBJECTS]):
        asked = [f"--{what}={address}" for what in ("object", "path", "referrers")]
        looks.ran[f"object {i}"] = ask("heap", number, *asked, "--json")
    return looks


def _smaps(pid: int) -> str:
    with open(f"/proc/{pid}/smaps") as file:
        return file.read()


def _stack_pointers(pid: int) -> dict[int, int]:
    """Of each thread that waits in the kernel, as the kernel tells (proc(5), syscall)."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            words = (task / "syscall").read_text().split()
        except OSError:
            continue  # it has ended
        if len(words) > 2:
            found[int(task.name)] = int(words[-2], 16)
    return found


def _addresses(regions: list[Any]) -> list[str]:
    """One address of each kind of region, many of the heap, and some where nothing is."""
    chance = random.Random(0)
    chosen: dict[str, int] = {}
    heap: list[tuple[int, int]] = []
    for region in regions:
        low, high = int(region["low"], 16), int(region["high"], 16)
        if high - low > 16 and region["rss"]:
            chosen.setdefault(region["kind"], low + (high - low) // 2)
        if region["kind"] == "heap" and region["rss"]:
            heap.append((low, high))
    if heap:
        sizes = [high - low for low, high in heap]
        for low, high in chance.choices(heap, sizes, k=_PROBES):
            chosen[f"heap {len(chosen)}"] = chance.randrange(low, high) & ~7
    return [hex(address) for address in chosen.values()] + list(_NEVER_MAPPED)


def _objects(report: Any) -> list[str]:
    """Allocated objects among the addresses asked for, of sizes as different as there are."""
    of_size: dict[int, str] = {}
    for location in report.get("locations", []):
        detail = location["detail"]
        if location["kind"] == "heap" and detail.get("allocated"):
            of_size.setdefault(detail["object_size"], detail["object"])
    sizes = sorted(of_size)
    chosen = (
        {sizes[i * (len(sizes) - 1) // max(_OBJECTS - 1, 1)] for i in range(_OBJECTS)}
        if sizes
        else set()
    )
    return [of_size[size] for size in sorted(chosen)]
