"""The whole heap of a process at one moment, with all that is needed to follow its pointers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

import msgspec
import numpy as np
from msgspec.structs import replace

from goprobe.analysis.heap.census import no_bookkeeping
from goprobe.counts import counted
from goprobe.errors import CannotWorkError, CopyLostError, UnreadableError, telling
from goprobe.process.fork.plan import NoForkError
from goprobe.process.memory.layered import LayeredMemory
from goprobe.process.memory.memory import Memory
from goprobe.process.proc.headroom import headroom
from goprobe.process.proc.maps import read_maps
from goprobe.runtime.heap.allocated import Allocation, allocation
from goprobe.runtime.heap.bookkeeping import Bookkeeping, at_rest
from goprobe.runtime.heap.census import Census
from goprobe.runtime.heap.spantable import HeapCopy, SpanTable
from goprobe.runtime.heap.words import HeapWords, read_words, scannable_bytes
from goprobe.runtime.profiles.memoryprofile import MemoryProfile, memory_profile
from goprobe.runtime.profiles.since import since
from goprobe.runtime.roots.groups import Roots
from goprobe.runtime.roots.heldwords import Held, nothing_held
from goprobe.runtime.roots.roots import noted_roots
from goprobe.runtime.world import World
from goprobe.target.live import (
    PATIENCE,
    AnyTarget,
    StoppedTarget,
    Target,
    allow,
    forked_child,
    runtime_clock,
    stopped_target,
)

Progress = Callable[[str], None]
T = TypeVar("T")

_TRIES = 3
_BYTES_AN_OBJECT = 120  # (m: 80 to 120, beside the words; most with --types --retained)
_STACKS_LIMIT = 1 << 31
_SHARE_OF_FREE = 0.9


class Sample(msgspec.Struct, frozen=True):
    """A part of the spans in use, chosen by chance; `share` of their bytes, 0 to 1."""

    share: float
    spans: SpanTable
    allocated: Allocation
    left_out: SpanTable


class HeapSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One moment of a heap. `world` reads that moment wherever it could have changed since.

    `at` is when that was on the runtime's clock, 0 where it is not known: of a core.
    `noted` finds the roots that the runtime notes beside the objects. `held` says
    what is known of variables of frames that stand anywhere. `how` is "stop", "fork" or "core";
    `warnings` say what is not of the same moment, or missing.
    """

    world: World
    census: Census
    words: HeapWords
    noted: Callable[[], Roots]
    how: str
    pause_us: int = 0
    at: int = 0
    warnings: tuple[str, ...] = ()
    close: Callable[[], None] = lambda: None
    sample: Sample | None = None
    profile: MemoryProfile | None = None
    held: Held = nothing_held

    @property
    def spans(self) -> SpanTable:
        """The spans in use whose objects are looked at."""
        return self.sample.spans if self.sample else self.census.spans

    @property
    def allocated(self) -> Allocation:
        return self.sample.allocated if self.sample else self.census.allocated


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How a snapshot is to be taken.

    `how` is "stop" (the process stands while its heap is copied), "fork" (it stands only while a
    copy-on-write child of it is made, which is read), or "" for a fork where one is safe; `no_fork`
    says why none is. With `profile` the runtime's own profile is read, too, what was sampled after
    `earlier` alone where that is given. With `sample` as much
    of the heap is looked at as fits into memory. `timeout` (seconds) bounds the wait for the
    process to stand.
    """

    how: str = ""
    sample: bool = False
    profile: bool = False
    earlier: MemoryProfile | None = None
    no_fork: str = ""
    timeout: float = PATIENCE


def asked_of(
    target: AnyTarget,
    manner: Manner,
    progress: Progress,
    question: Callable[[HeapSnapshot], T],
) -> T:
    """The answer to a question on the heap at one moment, asked once more of the process as it
    stands where a copy of it was let go of too early. Raises what `take` and `question` raise."""

    def ask(manner: Manner) -> T:
        snapshot = take(target, manner, progress)
        try:
            with telling(f"the heap of process {target.pid}"):
                return question(snapshot)
        finally:
            snapshot.close()

    try:
        return ask(manner)
    except CopyLostError as lost:
        if manner.how == "fork":
            raise
        why = f"a copy was let go of before it had been read: {lost.why}"
        return ask(replace(manner, no_fork=why))


def take(
    target: AnyTarget, manner: Manner | None = None, progress: Progress = lambda message: None
) -> HeapSnapshot:
    """The heap of a process at one moment. It has to be closed.

    Raises CopyLostError where the child did not live until the end, and CannotWorkError where the
    heap would not fit into memory, its bookkeeping cannot be read, or a fork that was asked for
    cannot be made.
    """
    manner = manner or Manner()
    progress("counting the heap")
    books = Bookkeeping.of(target.layout, target.program.facts.roots, target.bias)
    rehearsed = _rehearse(target, books, refuse=not manner.sample)
    progress("copying the heap")
    try:
        for _ in range(_TRIES - 1):
            snapshot = _take(target, books, manner, rehearsed)
            if at_rest(snapshot.census) and (not snapshot.profile or snapshot.profile.settled):
                return snapshot
            snapshot.close()
            rehearsed = None
        return _take(target, books, manner, None)
    except UnreadableError as error:
        raise no_bookkeeping(target, error) from None


def _take(
    target: AnyTarget, books: Bookkeeping, manner: Manner, rehearsed: HeapCopy | None
) -> HeapSnapshot:
    if target.is_core:
        return of_standing(target.world(), target.core, how="core", manner=manner)
    if manner.how == "stop":
        return _from_stop(target, books, manner, rehearsed)
    try:
        if manner.no_fork:
            raise NoForkError(manner.no_fork)
        return _from_fork(target, books, manner, rehearsed)
    except NoForkError as error:
        if manner.how == "fork":
            raise CannotWorkError(
                f"process {target.pid} cannot be forked: {error.why}",
                hint="--snapshot stop reads it while it stands",
            ) from None
        return _from_stop(target, books, manner, rehearsed, f"no fork was made: {error.why}")


def _rehearse(target: AnyTarget, books: Bookkeeping, *, refuse: bool) -> HeapCopy | None:
    """Where everything lies, and whether there is room for it here."""
    try:
        rehearsed = books.copy(target.reader())
    except UnreadableError:
        return None
    if refuse:
        check_room(books.count(rehearsed))
    return rehearsed


def _from_fork(
    target: Target, books: Bookkeeping, manner: Manner, rehearsed: HeapCopy | None
) -> HeapSnapshot:
    """Read a copy-on-write child. Raises NoForkError."""
    ours = estimate(books.count(rehearsed)) if rehearsed is not None else 0
    with ExitStack() as held_open:
        child = held_open.enter_context(forked_child(target, timeout=manner.timeout, beside=ours))
        # The child may be read for long: keep it beyond this function.
        made = of_standing(child.world, child.memory, how="fork", manner=manner)
        return replace(made, at=child.at, pause_us=child.pause_us, close=held_open.pop_all().close)


def of_standing(
    world: World,
    memory: Memory,
    *,
    how: str = "stop",
    manner: Manner | None = None,
    refuse: bool = False,
) -> HeapSnapshot:
    """The heap of what stands still for as long as it takes: `memory` is its memory, uncached. With
    `refuse` raises CannotWorkError where there is no room for its graph here."""
    books = Bookkeeping.of(world.layout, world.roots)
    copy = books.copy(memory)
    census = books.count(copy)
    if refuse:
        check_room(census)
    manner = manner or Manner()
    part = _sampled(census, copy) if manner.sample else None
    return HeapSnapshot(
        world=world,
        census=census,
        words=HeapWords(memory, part.spans if part else census.spans, census.page),
        noted=partial(noted_roots, world, census.spans),
        how=how,
        sample=part,
        profile=_profile(world, census, manner) if manner.profile else None,
    )


def _profile(world: World, census: Census, manner: Manner) -> MemoryProfile:
    return since(manner.earlier, memory_profile(world, census.spans))


def _from_stop(
    target: Target, books: Bookkeeping, manner: Manner, rehearsed: HeapCopy | None, *warnings: str
) -> HeapSnapshot:
    """Copy all of it that may change while the target stands."""
    if rehearsed is not None:
        known = books.count(rehearsed)
        size = scannable_bytes(known.spans, known.page) + known.manual_bytes
        allow(target, "while its heap is copied", copied=size)
    with stopped_target(target, timeout=manner.timeout) as stopped:
        at = runtime_clock()
        copy = books.copy(stopped.memory, rehearsed)
        census = books.count(copy)
        if rehearsed is not None and not census.allocated.readable.all():
            # A collection has moved the bitmaps since the rehearsal.
            copy = books.copy(stopped.memory)
            census = books.count(copy)
        sample = _sampled(census, copy) if manner.sample else None
        snapshot = _copied(target, stopped, census, sample)
        if manner.profile:
            snapshot = replace(snapshot, profile=_profile(snapshot.world, census, manner))
        stopped.release()
        return replace(snapshot, at=at, pause_us=stopped.pause_us, warnings=warnings)


def _copied(
    target: Target, stopped: StoppedTarget, census: Census, sample: Sample | None
) -> HeapSnapshot:
    layered, page = LayeredMemory(stopped.memory), census.page
    world = target.world(layered, read_maps(target.pid), stopped.world.threads)
    spans = sample.spans if sample else census.spans
    words = read_words(stopped.memory, spans, page)
    _lay_heap(layered, spans, words, page)
    _lay_sections(layered, world)
    _lay_spans(layered, census.manual, page)
    _lay_arenas(layered, world)
    noted = noted_roots(world, census.spans)
    return HeapSnapshot(
        world=world, census=census, words=words, noted=lambda: noted, how="stop", sample=sample
    )


def _lay_heap(layered: LayeredMemory, spans: SpanTable, words: HeapWords, page: int) -> None:
    rows = np.flatnonzero(words.start >= 0)
    if not len(rows):
        return
    base, begin = spans.base[rows], words.start[rows] * 8
    size = spans.npages[rows] * page
    ends = base + size.astype(np.uint64)
    cuts = np.flatnonzero(base[1:] != ends[:-1]) + 1
    view = memoryview(words.words.view(np.uint8).data)
    for run in np.split(np.arange(len(rows)), cuts):
        at, last = int(begin[run[0]]), run[-1]
        layered.lay(int(base[run[0]]), view[at : int(begin[last] + size[last])])


def _lay_sections(layered: LayeredMemory, world: World) -> None:
    """Variables of every module: the program's own and its plugins'."""
    ranges = []
    for module in world.modules:
        for section in ("noptrdata", "data", "bss", "noptrbss"):
            low, high = module.span(section)
            if 0 < high - low < 1 << 30:
                ranges.append((low, high - low))
    done = 0
    for low, size in sorted(ranges):
        if low >= done:
            layered.copy(low, size)
            done = low + size


def _lay_spans(layered: LayeredMemory, spans: SpanTable, page: int) -> None:
    have = 0
    for base, pages in zip(spans.base.tolist(), spans.npages.tolist(), strict=True):
        have += pages * page
        if have > _STACKS_LIMIT:
            return
        layered.copy(base, pages * page)


def _lay_arenas(layered: LayeredMemory, world: World) -> None:
    size = world.layout.struct("heapArena").size
    for arena in world.heap.arenas:
        layered.copy(arena.address, size)


def _sampled(census: Census, copy: HeapCopy) -> Sample:
    """As many spans, chosen by chance, as half of the memory at hand has room for."""
    share = min(1.0, available_memory() / 2 / max(estimate(census), 1))
    kept = np.random.default_rng(0).random(len(census.spans)) < share
    spans = census.spans.take(kept)
    size = census.spans.npages
    return Sample(
        share=float(size[kept].sum() / max(size.sum(), 1)),
        spans=spans,
        allocated=allocation(spans, copy.bits),
        left_out=census.spans.take(~kept),
    )


def check_room(census: Census) -> None:
    """Raises CannotWorkError where the graph of such a heap does not fit into our memory."""
    need = estimate(census)
    free = available_memory()
    if need > free * _SHARE_OF_FREE:
        raise CannotWorkError(
            f"following {counted(census.objects, 'object')} takes about {need >> 20} MiB of memory "
            f"here, and {free >> 20} MiB are available ({headroom().what})",
            hint="run goprobe where there is more memory, or look at a part with --sample",
        )


def estimate(census: Census) -> int:
    """Bytes that the graph of a heap will take."""
    page = census.page
    pages = int(census.spans.npages.sum()) + census.manual_bytes // page
    return (
        census.objects * _BYTES_AN_OBJECT
        + scannable_bytes(census.spans, page)
        + census.manual_bytes
        + 4 * pages
    )


def available_memory() -> int:
    """What we may take, in bytes: of the machine, of our memory cgroups, by our own limits."""
    return headroom().bytes
