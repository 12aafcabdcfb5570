"""The process's memory as Go uses it: the kernel's mappings cut along Go's own borders."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from heapq import heappop, heappush
from itertools import islice, pairwise

import msgspec

from goprobe.analysis.locate.locator import Locator
from goprobe.errors import UnreadableError
from goprobe.model.address import Address
from goprobe.model.location import CMemory, Kind, Region, RuntimeUse
from goprobe.process.proc.maps import Mapping
from goprobe.runtime.world import World

ARENAS = "Go heap"
"""The label of the heap's arenas as a whole."""

_SPAN_CUT_LIMIT = 1 << 20


class _Piece(msgspec.Struct, frozen=True):
    low: int
    high: int
    kind: Kind
    label: str


def memory_map(locator: Locator, *, spans: bool = True) -> tuple[Region, ...]:
    """Every mapping of the process in address order, neighbours of one meaning joined. Without
    `spans` the heap's arenas are one: what takes no longer for a large heap than for a small one.
    """
    world = locator.world
    borders = _merged(_pieces(locator, spans=spans))
    regions: list[Region] = []
    for mapping in world.mappings:
        regions += [_region(mapping, p) for p in _cut(mapping, borders, locator)]
    return tuple(regions)


def _region(mapping: Mapping, piece: _Piece) -> Region:
    return Region(
        low=Address(piece.low),
        high=Address(piece.high),
        perms=mapping.perms,
        kind=piece.kind,
        label=piece.label,
        size=piece.high - piece.low,
    )


def _cut(mapping: Mapping, borders: list[_Piece], locator: Locator) -> Iterator[_Piece]:
    """The mapping in pieces: what Go says of parts of it, and for the rest what the mapping is."""
    at = mapping.low
    for piece in islice(borders, bisect_right(borders, at, key=lambda p: p.high), None):
        if piece.low >= mapping.high:
            break
        low, high = max(piece.low, at), min(piece.high, mapping.high)
        if low > at:
            yield from _rest(at, low, locator)
        yield _Piece(low, high, piece.kind, piece.label)
        at = high
    if at < mapping.high:
        yield from _rest(at, mapping.high, locator)


def _rest(low: int, high: int, locator: Locator) -> Iterator[_Piece]:
    """What none of Go's borders cuts: what the mapping is, or free pages of the heap."""
    location = locator.locate(low)
    what = str(location.detail.get("what") or location.detail.get("path") or location.name)
    heap = locator.world.heap
    arena = heap.arena_at(low) if what == RuntimeUse.FREE_PAGES else None
    if arena is None:
        yield _Piece(low, high, location.kind, what)
        return
    end = arena.end
    while end < high and (arena := heap.arena_at(end)):
        end = arena.end
    for start, stop, scavenged in heap.scavenged_runs(low, min(end, high)):
        yield _Piece(
            start,
            stop,
            location.kind,
            RuntimeUse.SCAVENGED_PAGES if scavenged else RuntimeUse.FREE_PAGES,
        )
    if end < high:  # no heap lies there, whatever the mapping says
        yield from _rest(end, high, locator)


def _merged(pieces: Iterable[_Piece]) -> list[_Piece]:
    """In address order; where some overlap the first has it; equal neighbours are joined."""
    merged: list[_Piece] = []
    for piece in _apart(sorted(enumerate(pieces), key=lambda ranked: ranked[1].low)):
        last = merged[-1] if merged else None
        if last and last.high == piece.low and (last.kind, last.label) == (piece.kind, piece.label):
            merged[-1] = _Piece(last.low, piece.high, last.kind, last.label)
        else:
            merged.append(piece)
    return merged


_Ranked = tuple[int, _Piece]


def _apart(ordered: list[_Ranked]) -> Iterator[_Piece]:
    """Pieces that do not overlap; each run of pieces that do is cut up by itself."""
    run: list[_Ranked] = []
    high = 0
    for ranked in ordered:
        if run and ranked[1].low >= high:
            yield from _cut_up(run)
            run = []
        run.append(ranked)
        high = max(high, ranked[1].high) if len(run) > 1 else ranked[1].high
    yield from _cut_up(run)


def _cut_up(run: list[_Ranked]) -> Iterator[_Piece]:
    if len(run) == 1:
        yield run[0][1]
        return
    edges = sorted({edge for _, piece in run for edge in (piece.low, piece.high)})
    waiting = deque(run)
    here: list[tuple[int, int, _Piece]] = []  # a heap by rank
    for low, high in pairwise(edges):
        while waiting and waiting[0][1].low <= low:
            rank, piece = waiting.popleft()
            heappush(here, (rank, piece.low, piece))
        while here and here[0][2].high <= low:
            heappop(here)
        if here:
            yield _Piece(low, high, here[0][2].kind, here[0][2].label)


def _arenas(world: World) -> Iterator[_Piece]:
    for low, high in world.heap.arena_ranges():
        yield _Piece(low, high, Kind.HEAP, ARENAS)


def _pieces(locator: Locator, *, spans: bool) -> Iterator[_Piece]:
    """In the order in which `Locator` asks: what says most of an address first."""
    world = locator.world
    if not spans:
        with suppress(UnreadableError):
            yield from _arenas(world)
    yield from _of_threads(locator, estimated=False)
    yield from _sections(world, locator)
    if spans:
        with suppress(UnreadableError):
            yield from _spans(locator)
    for region in locator.regions:
        mapping = locator.mapping_at(region.low)
        if mapping is not None and not mapping.perms.startswith("---"):
            yield _Piece(region.low, region.high, Kind.RUNTIME, region.what)
    yield from _of_threads(locator, estimated=True)
    for other in locator.beside:
        yield from _pieces(other, spans=spans)
    for stack in locator.c_stacks:
        label = f"C stack of thread {stack.thread}"
        yield _Piece(stack.low, stack.high, Kind.SYSTEM_STACK, label)
    for piece in locator.of_malloc:
        what = CMemory.ARENA if piece.of_arena else CMemory.LARGE_BLOCK
        yield _Piece(piece.low, piece.high, Kind.C_HEAP, what)
    for library in locator.images.libraries:
        # The kernel may have joined its zeroed variables with other memory.
        for low, high in library.where.zeroed:
            yield _Piece(low, high, Kind.LIBRARY, library.path)


def _of_threads(locator: Locator, *, estimated: bool) -> Iterator[_Piece]:
    for stack in locator.system_stacks:
        if stack.estimated == estimated:
            whose = f"of thread {stack.thread}" if stack.thread else "kept for a thread of C's"
            label = f"{stack.which} stack {whose}"
            yield _Piece(stack.low, stack.high, Kind.SYSTEM_STACK, label)


def _sections(world: World, locator: Locator) -> Iterator[_Piece]:
    for stretch in world.program.stretches.all:
        begin, end = stretch.low + world.bias, stretch.high + world.bias
        for low, high in world.image.cut(begin, end):
            yield _Piece(low, high, stretch.kind, stretch.name)


def _spans(locator: Locator) -> Iterator[_Piece]:
    heap = locator.world.heap
    stacks = sorted(_stacks(locator), key=lambda p: p.low)
    for span in sorted(heap.all_spans(), key=lambda s: s.base)[:_SPAN_CUT_LIMIT]:
        if heap.in_use(span):
            yield _Piece(span.base, span.end, Kind.HEAP, "heap spans in use")
        elif heap.is_manual(span):
            first = bisect_left(stacks, span.base, key=lambda p: p.low)
            at = span.base
            for stack in islice(stacks, first, None):
                if stack.low >= span.end:
                    break
                if stack.low > at:
                    yield _Piece(at, stack.low, Kind.RUNTIME, RuntimeUse.FREE_STACKS)
                if stack.high > at:
                    yield stack
                    at = stack.high
            if at < span.end:
                yield _Piece(at, span.end, Kind.RUNTIME, RuntimeUse.FREE_STACKS)


def _stacks(locator: Locator) -> Iterator[_Piece]:
    """Every stack: in programs without C the threads' own lie in spans too."""
    yield from _of_threads(locator, estimated=False)
    for g in locator.world.goroutines.known:
        if g.low:
            dead = " (dead)" if g.dead else ""
            yield _Piece(g.low, g.high, Kind.GOROUTINE_STACK, f"stack of goroutine {g.id}{dead}")
