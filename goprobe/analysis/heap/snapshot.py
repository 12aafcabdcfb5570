"""The whole heap of a process at one moment, with all that is needed to follow its pointers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import msgspec
import numpy as np
from msgspec.structs import replace

from goprobe.errors import CannotWorkError, UnreadableError
from goprobe.process.fork.plan import NoForkError
from goprobe.process.memory.layered import LayeredMemory
from goprobe.process.memory.memory import Memory
from goprobe.process.proc.headroom import headroom
from goprobe.process.proc.maps import read_maps
from goprobe.runtime.heap.allocated import Allocation, allocation
from goprobe.runtime.heap.census import Census, count
from goprobe.runtime.heap.censuscheck import settled
from goprobe.runtime.heap.spantable import HeapCopy, SpanTable, copy_again, copy_heap, decode_spans
from goprobe.runtime.heap.totals import HeapRoots
from goprobe.runtime.heap.words import HeapWords, read_words, scannable_bytes
from goprobe.runtime.roots.roots import Roots, join, queued_roots, special_roots
from goprobe.runtime.world import World
from goprobe.target.live import AnyTarget, Held, Target, allow, hold_child, hold_process

Progress = Callable[[str], None]

_TRIES = 3
_BYTES_AN_OBJECT = 230  # (m: 140 to 230, beside the words; most with --types --retained)
_STACKS_LIMIT = 1 << 31
_SHARE_OF_FREE = 0.9


class Sample(msgspec.Struct, frozen=True):
    """A part of the spans in use, chosen by chance; `share` of their bytes, 0 to 1."""

    share: float
    spans: SpanTable
    allocated: Allocation
    left_out: SpanTable


class HeapSnapshot(msgspec.Struct, frozen=True):
    """One moment of a heap. `world` reads that moment wherever it could have changed since.

    `how` is "stop" or "fork"; `warnings` say what is not of the same moment, or missing.
    """

    world: World
    census: Census
    manual: SpanTable
    words: HeapWords
    specials: Roots
    pause_us: int
    how: str
    warnings: tuple[str, ...]
    close: Callable[[], None] = lambda: None
    sample: Sample | None = None

    @property
    def spans(self) -> SpanTable:
        """The spans in use whose objects are looked at."""
        return self.sample.spans if self.sample else self.census.spans

    @property
    def allocated(self) -> Allocation:
        return self.sample.allocated if self.sample else self.census.allocated


def take(
    target: AnyTarget, *, timeout: float, progress: Progress, how: str = "", sample: bool = False,
    no_fork: str = "",
) -> HeapSnapshot:  # fmt: skip
    """The heap of a process at one moment. It has to be closed.

    `how` is "stop" (the process stands while its heap is copied), "fork" (it stands only while a
    copy-on-write child of it is made, which is read), or "" for a fork where one is safe; `no_fork`
    says why none is. Raises CopyLostError where the child did not live until the end, and
    CannotWorkError where the heap would not fit into memory, its bookkeeping cannot be read, or a
    fork that was asked for cannot be made. With `sample` as much of it is looked at as fits.
    """
    progress("counting the heap")
    rehearsed = _rehearse(target, refuse=not sample)
    progress("copying the heap")
    try:
        for _ in range(_TRIES - 1):
            snapshot = _take(target, timeout, how, rehearsed, sample, no_fork)
            if settled(snapshot.census) and not snapshot.census.mismatches:
                return snapshot
            # It fell between two instructions of an allocation, say: look again.
            snapshot.close()
            rehearsed = None
        return _take(target, timeout, how, None, sample, no_fork)
    except UnreadableError as error:
        raise CannotWorkError(
            f"the heap's bookkeeping of process {target.pid} cannot be read: {error.why}"
        ) from None


def _take(
    target: AnyTarget, timeout: float, how: str, rehearsed: HeapCopy | None, sample: bool,
    no_fork: str,
) -> HeapSnapshot:  # fmt: skip
    if target.is_core:
        return _standing(target, target.world(), target.core, "core", 0, sample)
    if how == "stop":
        return _from_stop(target, timeout, rehearsed, sample)
    try:
        if no_fork:
            raise NoForkError(no_fork)
        return _from_fork(target, timeout, rehearsed, sample)
    except NoForkError as error:
        if how == "fork":
            raise CannotWorkError(
                f"process {target.pid} cannot be forked: {error.why}",
                hint="--snapshot stop reads it while it stands",
            ) from None
        return _from_stop(target, timeout, rehearsed, sample, f"no fork was made: {error.why}")


def _roots(target: AnyTarget) -> HeapRoots:
    return HeapRoots.of(target.program.facts.roots, target.bias)


def _rehearse(target: AnyTarget, *, refuse: bool) -> HeapCopy | None:
    """Where everything lies, and whether there is room for it here."""
    layout = target.layout
    try:
        plan = copy_heap(target.reader(), layout, _roots(target))
    except UnreadableError:
        return None
    if refuse:
        check_room(count(plan, layout), layout.constants["_PageSize"])
    return plan


def _from_fork(
    target: Target, timeout: float, rehearsed: HeapCopy | None, sample: bool
) -> HeapSnapshot:
    """Read a copy-on-write child. Raises NoForkError."""
    ours = 0
    if rehearsed is not None:
        layout = target.layout
        ours = estimate(count(rehearsed, layout), layout.constants["_PageSize"])
    with ExitStack() as held_open:
        child = held_open.enter_context(hold_child(target, timeout=timeout, beside=ours))
        # The child may be read for long: keep it beyond this function.
        made = _standing(target, child.world, child.memory, "fork", child.pause_us, sample)
        return replace(made, close=held_open.pop_all().close)


def _standing(
    target: AnyTarget, world: World, memory: Memory, how: str, pause_us: int, sample: bool
) -> HeapSnapshot:
    """The heap of what stands still for as long as it takes: `memory` is its memory, uncached."""
    layout = target.layout
    copy = copy_heap(memory, layout, _roots(target))
    census = count(copy, layout)
    every = decode_spans(copy, layout)
    page = layout.constants["_PageSize"]
    chosen = _sampled(census, copy, page) if sample else None
    words = read_words(memory, chosen.spans if chosen else census.spans, page)
    specials = join((special_roots(world, census.spans), queued_roots(world)))
    manual = every.take(every.state == layout.constants["mSpanManual"])
    return HeapSnapshot(world, census, manual, words, specials, pause_us, how, (), sample=chosen)


def _from_stop(
    target: Target, timeout: float, plan: HeapCopy | None, sample: bool, *warnings: str
) -> HeapSnapshot:
    layout, roots = target.layout, _roots(target)
    if plan is not None:
        known = count(plan, layout)
        size = scannable_bytes(known.spans, layout.constants["_PageSize"]) + known.manual_bytes
        allow(target, "while its heap is copied", copied=size)
    with hold_process(target, timeout=timeout) as held:
        copy = copy_again(held.memory, layout, roots, plan) if plan else None
        census = count(copy, layout) if copy else None
        if copy is None or census is None or not census.allocated.readable.all():
            # A collection has moved the bitmaps since the rehearsal.
            copy = copy_heap(held.memory, layout, roots)
            census = count(copy, layout)
        return _copied(target, held, copy, census, sample, warnings)


def _copied(
    target: Target,
    held: Held,
    copy: HeapCopy,
    census: Census,
    sample: bool,
    warnings: tuple[str, ...],
) -> HeapSnapshot:
    """All that may change, while the target still stands; then it is let go."""
    layout = target.layout
    page = layout.constants["_PageSize"]
    every = decode_spans(copy, layout)
    manual = every.take(every.state == layout.constants["mSpanManual"])
    layered = LayeredMemory(held.memory)
    threads = held.world.threads
    world = target.world(layered, read_maps(target.pid), threads)
    chosen = _sampled(census, copy, page) if sample else None
    spans = chosen.spans if chosen else census.spans
    words = read_words(held.memory, spans, page)
    _lay_heap(layered, spans, words, page)
    _lay_sections(layered, world)
    _lay_spans(layered, manual, page)
    _lay_arenas(layered, world)
    specials = special_roots(world, census.spans)
    queued = queued_roots(world)
    held.release()
    return HeapSnapshot(
        world,
        census,
        manual,
        words,
        join((specials, queued)),
        held.pause_us,
        "stop",
        warnings,
        sample=chosen,
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


def _sampled(census: Census, copy: HeapCopy, page: int) -> Sample:
    """As many spans, chosen by chance, as half of the memory at hand has room for."""
    share = min(1.0, available_memory() / 2 / max(estimate(census, page), 1))
    kept = np.random.default_rng(0).random(len(census.spans)) < share
    spans = census.spans.take(kept)
    size = census.spans.npages
    return Sample(
        float(size[kept].sum() / max(size.sum(), 1)), spans, allocation(spans, copy.bits),
        census.spans.take(~kept),
    )  # fmt: skip


def check_room(census: Census, page: int) -> None:
    """Raises CannotWorkError where the graph of such a heap does not fit into our memory."""
    need = estimate(census, page)
    free = available_memory()
    if need > free * _SHARE_OF_FREE:
        raise CannotWorkError(
            f"following {census.objects} objects takes about {need >> 20} MiB of memory here, "
            f"and {free >> 20} MiB are available ({headroom().what})",
            hint="run goprobe where there is more memory, or look at a part with --sample",
        )


def estimate(census: Census, page: int) -> int:
    """Bytes that the graph of a heap will take."""
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
