"""The census against what real programs say of themselves, and against broken bookkeeping."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest
from msgspec.structs import replace

from goprobe.process.memory.copies import copy_ranges
from goprobe.runtime.heap.census import Census, count
from goprobe.runtime.heap.spantable import HeapCopy, copy_heap
from goprobe.runtime.heap.totals import HeapRoots
from goprobe.runtime.world import World
from tests.support.go import Running, build, matrix, running
from tests.support.heap import TESTDATA, standing_world


def _copy(world: World) -> HeapCopy:
    return copy_heap(world.memory, world.layout, HeapRoots.of(world.roots))


def _by_size(census: Census) -> Counter[int]:
    found: Counter[int] = Counter()
    for each in census.classes:
        found[each.size] += each.objects
    return found


def _said(program: Running) -> dict[int, int]:
    """Live objects by size class, as the program printed them; MemStats has no large ones."""
    lines = [line.split() for line in program.lines if line.startswith("class ")]
    return {int(size): int(live) for _, size, live in lines if size != "0"}


@pytest.mark.parametrize("go", matrix())
def test_it_equals_the_program_own_memstats(go: str) -> None:
    binary = build(TESTDATA / "standing.go", go=go)
    with running(binary) as program, standing_world(program.pid, binary) as world:
        census = count(_copy(world), world.layout)
        assert census.mismatches == ()
        assert census.unreadable == ()
        said, counted = _said(program), _by_size(census)
        assert {size: counted[size] for size in said} == said
        assert census.objects == int(program["objects"])
        assert census.bytes == int(program["bytes"])
        assert census.span_bytes == int(program["inuse"])


def test_scribbled_bookkeeping_is_bounded_and_told() -> None:
    binary = build(TESTDATA / "standing.go")
    with running(binary) as program, standing_world(program.pid, binary) as world:
        good = _copy(world)
        layout = world.layout
    whole = count(good, layout)
    random = Random(7)
    told = 0
    for damage in (1, 10, 100, 1000, 10_000):
        for _ in range(5):
            spans, bits = bytearray(good.spans.buffer), bytearray(good.bits.buffer)
            for _ in range(damage):
                for buffer in (spans, bits):
                    buffer[random.randrange(len(buffer))] = random.choice((0, 1, 0x7F, 0xFF))
            broken = HeapCopy(
                good.pointers,
                replace(good.spans, buffer=spans),
                replace(good.bits, buffer=bits),
                good.sweepgen,
                good.totals,
                good.arenas,
            )
            census = count(broken, layout)
            assert len(census.spans) + len(census.unreadable) <= len(good.pointers)
            # A damaged span may claim more, smaller objects, but never more than fit its pages.
            assert census.objects <= 64 * whole.objects
            told += len(census.mismatches) + len(census.unreadable)
    assert told > 1000


def test_bitmaps_that_were_not_copied_are_mismatches() -> None:
    binary = build(TESTDATA / "standing.go")
    with running(binary) as program, standing_world(program.pid, binary) as world:
        copy, layout = _copy(world), world.layout
    without = replace(copy, bits=copy_ranges(world.memory, np.zeros(0, np.uint64), 8))
    census = count(without, layout)
    assert {m.why for m in census.mismatches} == {"its allocation bits cannot be read"}
    assert len(census.mismatches) == len(census.spans)
