"""The stacks of threads as far as only their stack pointers tell: of C's own threads, and of what
lies beyond the bounds that Go's runtime estimates of its threads'.

A mapping that a stack pointer is in may hold more than that stack: the kernel joins neighbours that
are alike, be they two threads' stacks or a stack and what malloc has mapped.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import msgspec

from goprobe.analysis.identify.ground import Ground
from goprobe.errors import UnreadableError
from goprobe.process.maps import Mapping
from goprobe.runtime.systemstacks import SystemStack

_RED_ZONE = 128  # below its stack pointer a function may use so much (System V ABI, amd64)
# Above where a thread that Go made began lie the frames of C's start routine, and the C library's
# own data of the thread. Of C's threads the runtime knows only where they call Go.
_BEGINNING = 1 << 12


class CStack(msgspec.Struct, frozen=True):
    """[low, high) is taken for the stack of a `thread`, whose stack pointer is `sp`."""

    low: int
    high: int
    thread: int
    sp: int


def c_stacks(ground: Ground) -> tuple[CStack, ...]:
    """In address order, apart from each other."""
    world = ground.world
    known = {s.thread: s for s in world.system_stacks.all() if s.estimated}
    within: dict[Mapping, list[tuple[int, int]]] = {}
    for tid, registers in world.threads.items():
        mapping = ground.mapping_at(registers.rsp)
        if mapping is not None and _may_be_stack(ground, mapping, registers.rsp):
            within.setdefault(mapping, []).append((registers.rsp, tid))
    found = (s for m, threads in within.items() for s in _shared_out(m, sorted(threads), known))
    return tuple(sorted(found, key=lambda s: s.low))


def _may_be_stack(ground: Ground, mapping: Mapping, sp: int) -> bool:
    """Not where all of the mapping is known to be something else: Go's heap, an image's variables
    (C may stand on an array of its own), the kernel's or brk's memory."""
    # Newer kernels show names that programs give to anonymous memory: "[anon: Go: heap]".
    if mapping.is_file or (mapping.path and not mapping.path.startswith("[anon:")):
        return False
    if ground.in_own_image(sp) or ground.images.library_at(sp):
        return False
    try:
        return ground.world.heap.arena_at(sp) is None
    except UnreadableError:
        return True


def _shared_out(
    mapping: Mapping, threads: list[tuple[int, int]], known: dict[int, SystemStack]
) -> Iterator[CStack]:
    """A mapping to the threads with a stack pointer in it: from each to the next one's stack."""
    lows = [mapping.low, *(_low_of(sp, known.get(tid)) for sp, tid in threads[1:]), mapping.high]
    for (sp, tid), (low, high) in zip(threads, pairwise(lows), strict=True):
        go = known.get(tid)
        if go is not None and sp in go and not go.foreign:
            high = min(high, max(go.high + _BEGINNING, sp))
        if low < high:
            yield CStack(low, high, tid, sp)


def _low_of(sp: int, go: SystemStack | None) -> int:
    return go.low if go is not None and sp in go else sp - _RED_ZONE
