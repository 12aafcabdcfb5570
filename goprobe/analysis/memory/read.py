"""What `goprobe memory` reads of a process at one moment, whatever the size of its heap."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeVar

import msgspec

from goprobe.analysis.memory.heappages import HeapSums
from goprobe.analysis.memory.state import runtime_state
from goprobe.errors import UndescribedError, UnreadableError
from goprobe.model.memory import RuntimeState
from goprobe.runtime.heap.pagebits import PageBits, read_page_bits
from goprobe.runtime.stats.books import Books
from goprobe.runtime.stats.godebugs import godebug_metrics
from goprobe.runtime.stats.memstats import Figures, mem_stats
from goprobe.runtime.stats.metrics import Metrics, metrics
from goprobe.runtime.world import ThreadState, World

T = TypeVar("T")


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """The runtime's figures of one stop; what could not be read is None or empty, and `not_told`
    says why. `threads` are the registers of it."""

    memstats: Figures
    metrics: Metrics
    state: RuntimeState | None
    sums: HeapSums | None
    pages: tuple[PageBits, ...]
    threads: Mapping[int, ThreadState]
    not_told: dict[str, str]


def read_moment(world: World) -> Moment:
    """Raises nothing where a part cannot be read."""
    books = Books(world.memory, world.layout, world.roots, world.heap)
    not_told: dict[str, str] = {}

    def part(name: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except (UnreadableError, UndescribedError, KeyError) as error:
            not_told[name] = str(error)
            return None

    stats = part("runtime.MemStats", lambda: mem_stats(books))
    values = metrics(books)
    settings = part("/godebug/", lambda: _settings(world)) or {}
    pages = part("pages of the heap", lambda: _pages(world, books))
    return Moment(
        memstats=stats or {},
        metrics=Metrics({**values.values, **settings}, values.not_told),
        state=part("state of the runtime", lambda: runtime_state(books)),
        sums=part("sums of the heap", lambda: _sums(books)),
        pages=pages or (),
        threads=world.threads,
        not_told=not_told | values.not_told,
    )


def _settings(world: World) -> dict[str, int]:
    program = world.program
    if not program.debug.present:
        raise UndescribedError("which settings there are is told by debug information only")
    return godebug_metrics(world.memory, world.layout, program.debug, world.bias)


def _pages(world: World, books: Books) -> tuple[PageBits, ...]:
    kept: list[tuple[int, int]] = []
    with suppress(UndescribedError, UnreadableError, KeyError):
        # pageCache: base, and a bit for each of its pages that is free (mpagecache.go)
        kept = [(p["pcache"], p.word("pcache", 1)) for p in books.processors]
    return read_page_bits(world.memory, world.layout, world.heap, kept)


def _sums(books: Books) -> HeapSums:
    heap, collected = books.flushed, books.memstats["numgc"] > 0
    objects = heap.object_bytes
    # Before the first collection heapMarked is made up (gcControllerState.init, mgcpacer.go).
    live = min(books.controller["heapMarked"], objects) if collected else 0
    return HeapSums(
        objects=objects,
        live=live,
        in_use=heap.in_heap,
        stacks=heap.in_stacks,
        books=heap.in_books,
    )
