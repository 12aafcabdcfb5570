"""Memory that is not Go's, in which a program may keep what Go's collector does not see.

A channel whose address C has, or a page that the program mapped itself, may be used by who is given
it: the collector would say that nobody holds it. So the addresses of what lost goroutines wait on
are looked for there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from goprobe.analysis.heap.blocked import Candidate
from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.locate.locator import Locator
from goprobe.errors import CannotWorkError, NotPermittedError
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import read_available
from goprobe.process.proc.pagemap import resident
from goprobe.process.proc.procfs import PAGE_SIZE
from goprobe.runtime.world import World

_CHUNK = 1 << 24
_MOST = 1 << 32
_WORD = 8
_BRIDGE = re.compile(r"\b(_Cfunc_|_C2func_|_cgoexp_)")
_GO_S_OWN = ("net.", "os/user.", "runtime/cgo.", "plugin.")

Stretch = tuple[int, int]


class Elsewhere:
    """Says which lost goroutines wait on what has its address in memory that is not Go's."""

    def __init__(self, graph: HeapGraph, live: bool) -> None:
        self._graph = graph
        self._live = live

    def __call__(self, lost: Sequence[Candidate]) -> Mapping[int, str]:
        world, objects = self._graph.world, self._graph.objects
        whose: dict[int, list[int]] = {}
        for candidate in lost:
            for wait in candidate.waits:
                whose.setdefault(wait.node, []).append(candidate.g.id)
        nodes = np.array(sorted(whose), np.int64)
        if not len(nodes):
            return {}
        stretches = list(not_of_go(world))
        if self._live:
            stretches = _in_memory(world, stretches)
        if sum(high - low for low, high in stretches) > _MOST:
            why = "the process has too much memory that is not Go's to look for what it waits on"
            return {candidate.g.id: why for candidate in lost if candidate.waits}
        low = objects.base[nodes]
        high = low + objects.size_of(nodes).astype(np.uint64)
        unsure: dict[int, str] = {}
        for place, row in _found(world, stretches, low, high):
            for number in whose[int(nodes[row])]:
                unsure[number] = (
                    f"the address of what it waits on is kept outside Go, at {place:#x}"
                )
        return unsure


def not_of_go(world: World) -> Iterator[Stretch]:
    """Memory that may be written and is neither the program's own, nor its runtime's, nor a
    thread's stack."""
    locator = Locator(world)
    known = [(a.base, a.end) for a in world.heap.arenas]
    known += [(r.low, r.high) for r in locator.regions]
    known += [(s.low, s.high) for s in locator.system_stacks]
    known += [(s.low, s.high) for s in locator.c_stacks]
    sections = ("data", "bss", "noptrdata", "noptrbss")
    code = [module.span(section) for module in world.modules for section in sections]
    own = {m.path for m in world.mappings if any(_meet((m.low, m.high), part) for part in code)} - {
        ""
    }
    own_pages = _maps_pages(world)
    for mapping in world.mappings:
        if not mapping.is_file and not mapping.path.startswith("[heap") and not own_pages:
            continue
        special = mapping.path.startswith(("[stack", "[v"))
        if mapping.perms.startswith("rw") and not special and mapping.path not in own:
            yield from _without((mapping.low, mapping.high), known + code)


def _in_memory(world: World, stretches: Sequence[Stretch]) -> list[Stretch]:
    """Without anonymous pages that were never written to. (The race detector alone maps hundreds of
    megabytes of which it uses few.)"""
    files = [(m.low, m.high) for m in world.mappings if m.is_file]
    of_files = [s for s in stretches if any(_meet(s, file) for file in files)]
    anonymous = sorted({*stretches} - {*of_files})
    try:
        there = resident(world.pid, [(low, high - low) for low, high in anonymous])
    except (CannotWorkError, NotPermittedError):
        return list(stretches)
    parts = (runs.between(*s) for s in anonymous for runs in (there.runs, there.swapped))
    return [*of_files, *(part for some in parts for part in some)]


def _maps_pages(world: World) -> bool:
    """Whether the program gets anonymous memory of its own. The runtime has some that nothing
    tells (the collector's queues of spans: mgcmark_greenteagc.go, Go 1.26 and 1.27), which holds
    addresses of objects: where all of it is the runtime's it says nothing."""
    mappers = ("syscall.(*mmapper).Mmap", "golang.org/x/sys/unix.(*mmapper).Mmap")
    return _has_c_of_its_own(world) or any(map(world.lines.function_named, mappers))


def _has_c_of_its_own(world: World) -> bool:
    """Whether C that is not the race detector's lives in the process. That keeps the addresses of
    what goroutines synchronise on (runtime/race.go), and wakes nobody by them; cgo's bridges are
    functions named after what they lead to (cmd/cgo/out.go). Go 1.21 to 1.27."""
    if not world.lines.function_named("runtime.racefini"):
        return world.has_c
    return any(
        _BRIDGE.search(name) and not name.startswith(_GO_S_OWN) for name in world.lines.names()
    )


def _meet(one: Stretch, other: Stretch) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _without(whole: Stretch, parts: Iterable[Stretch]) -> Iterator[Stretch]:
    at, end = whole
    for low, high in sorted(p for p in parts if p[0] < end and at < p[1]):
        if low > at:
            yield at, low
        at = max(at, high)
    if at < end:
        yield at, end


def _found(
    world: World, stretches: Iterable[Stretch], low: Words, high: Words
) -> Iterator[tuple[int, int]]:
    """Where a word lies that points into one of the objects [low, high), and into which."""
    for start, words in _words(world, stretches):
        near = np.flatnonzero((words >= low[0]) & (words < high[-1]))
        row = np.searchsorted(low, words[near], "right") - 1
        inside = words[near] < high[row]
        places = start + near[inside] * _WORD
        yield from zip(places.tolist(), row[inside].tolist(), strict=True)


def _words(world: World, stretches: Iterable[Stretch]) -> Iterator[tuple[int, Words]]:
    """All that can be read there, with where it begins."""
    for start, end in stretches:
        at = start
        while at < end:
            raw = read_available(world.memory, at, min(_CHUNK, end - at))
            yield at, np.frombuffer(raw, np.uint64, len(raw) // _WORD)
            at += len(raw) or PAGE_SIZE
