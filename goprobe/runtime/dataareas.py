"""What stands in a program's data, told by its form: slice headers, lists of blocks.

A stripped program does not say where its runtime's globals are; `stripped.py` asks this for words
that may be theirs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64

Words = NDArray[np.uint64]

_STRIDE = 8  # bytes: pointers of Go's globals are aligned
_EMPTY_BLOCKS = 64  # a list so long without one of the heap's addresses is none of the runtime's


class Area(msgspec.Struct, frozen=True):
    """A stretch of the module's data: `words` is what stands at [low, …)."""

    low: int
    words: Words

    def address(self, index: int | np.integer[Any]) -> int:
        return self.low + _STRIDE * int(index)


def slices(area: Area, limit: int) -> NDArray[np.int64]:
    """Indexes of words that look like a slice header: pointer, len <= cap, not empty."""
    words = area.words
    if len(words) < 3:
        return np.empty(0, np.int64)
    pointer, length, capacity = words[:-2], words[1:-1], words[2:]
    plausible = (
        (pointer > 4096)
        & (pointer < 1 << 47)
        & (pointer & np.uint64(7) == 0)
        & (length > 0)
        & (length <= capacity)
        & (capacity <= limit)
    )
    return np.flatnonzero(plausible)


def aligned(areas: Sequence[Area]) -> Iterator[tuple[int, list[int]]]:
    """Structs of five words whose third leads to a page and the others to pages or nowhere:
    each one's address and words."""
    for area in areas:
        words = area.words
        paged = (words < 1 << 47) & (words & np.uint64(4095) == 0)
        here = paged[1:-3] & paged[2:-2] & (words[2:-2] > 4096) & paged[3:-1] & paged[4:]
        for index in np.flatnonzero(here):
            yield area.address(index), [int(w) for w in words[index : index + 5]]


def covering(memory: Memory, areas: Sequence[Area], addresses: Words, size: int) -> list[int]:
    """The words from which blocks of `size` bytes, each with the next one's address at its
    beginning, hold all of `addresses`.

    A word that is followed by an offset into the block is an allocator's own position in it
    (persistentAlloc, malloc.go), not the list that is looked for.
    """
    starts: list[int] = []
    addresses = np.sort(addresses)
    for area in areas:
        words = area.words
        plausible = (words > 4096) & (words < 1 << 47) & (words & np.uint64(4095) == 0)
        plausible[:-1] &= words[1:] - np.uint64(1) >= size  # 0 wraps around
        starts += (
            area.address(index)
            for index in np.flatnonzero(plausible).tolist()
            if inside(memory, int(words[index]), addresses, size, 0) == len(addresses)
        )
    return starts


def inside(memory: Memory, low: int, addresses: Words, size: int, link: int) -> int:
    """How many of some addresses, which ascend, lie in the blocks of a list. Each block's next one
    is told `link` bytes into it."""
    inside, seen = 0, set[int]()
    while 0 < low < 1 << 47 and low % 4096 == 0 and low not in seen and len(seen) < 1 << 14:
        seen.add(low)
        ends = np.array((low, low + size), np.uint64)
        before, until = np.searchsorted(addresses, ends).tolist()
        inside += until - before
        if not inside and len(seen) >= _EMPTY_BLOCKS:
            break
        try:
            low = u64(memory, low + link)
        except UnreadableError:
            break
    return inside
