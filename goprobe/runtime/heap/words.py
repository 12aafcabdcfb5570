"""The contents of the heap's scannable spans, read in few large reads.

Only spans that may hold pointers are read. A span's words lie together in one array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from goprobe.errors import UnreadableError
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import Memory
from goprobe.runtime.heap.spantable import Ints, SpanTable

_READ = 1 << 26
_WORD = 8
ABSENT = -1


class HeapWords(msgspec.Struct, frozen=True):
    """`start` is where each span's first word is in `words`; ABSENT where it was not read.

    `lost` are the addresses of spans that could not be read.
    """

    words: Words
    start: Ints
    lost: tuple[int, ...]

    def at(self, span: int, offset: int) -> int:
        """The word at a byte offset in a span that was read."""
        return int(self.words[int(self.start[span]) + offset // _WORD])


def scannable_bytes(spans: SpanTable, page: int) -> int:
    """How much `read_words` will read."""
    return int(spans.npages[spans.spanclass & 1 == 0].sum()) * page


def read_words(
    memory: Memory, spans: SpanTable, page: int, progress: Callable[[int], None] = lambda done: None
) -> HeapWords:
    """Read every scannable span. `progress` is told how many bytes have been read."""
    rows = np.flatnonzero(spans.spanclass & 1 == 0)
    sizes = spans.npages[rows] * page
    ends = np.cumsum(sizes)
    begins = ends - sizes
    words = np.empty(int(ends[-1]) // _WORD if len(rows) else 0, np.uint64)
    start = np.full(len(spans), ABSENT, np.int64)
    start[rows] = begins // _WORD
    lost: list[int] = []
    view = memoryview(words.view(np.uint8).data)
    for low, at, size, first, last in _runs(spans.base[rows], begins, sizes):
        try:
            memory.read_into(low, view[at : at + size])
        except UnreadableError:
            lost += _read_singly(memory, spans, rows[first:last], begins[first:last], page, view)
        progress(at + size)
    if lost:
        start[np.isin(spans.base, np.array(lost, np.uint64))] = ABSENT
    return HeapWords(words, start, tuple(lost))


def _runs(base: Words, begins: Ints, sizes: Ints) -> Iterator[tuple[int, int, int, int, int]]:
    """(address, place, size, first and last span) of runs of adjacent spans, bounded in size."""
    if not len(base):
        return
    ends = base + sizes.astype(np.uint64)
    cuts = np.concatenate(([0], np.flatnonzero(base[1:] != ends[:-1]) + 1, [len(base)]))
    for first, last in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        while first < last:
            most = int(begins[first]) + _READ
            until = max(int(np.searchsorted(begins[:last], most)), first + 1)
            until = min(until, last)
            size = int(begins[until - 1] + sizes[until - 1] - begins[first])
            yield int(base[first]), int(begins[first]), size, first, until
            first = until


def _read_singly(
    memory: Memory, spans: SpanTable, rows: Ints, begins: Ints, page: int, view: memoryview
) -> Iterator[int]:
    """Read spans one by one; yields the addresses of those that cannot be read."""
    for row, at in zip(rows.tolist(), begins.tolist(), strict=True):
        size = int(spans.npages[row]) * page
        try:
            memory.read_into(int(spans.base[row]), view[at : at + size])
        except UnreadableError:
            view[at : at + size] = bytes(size)
            yield int(spans.base[row])
