"""The contents of the heap's scannable spans, read in few large reads.

Only spans that may hold pointers are read. A span's words lie together in one array. Where the
heap stands still for as long as it is looked at, words are there only while somebody looks at
them: most of a heap is pointers, and those are looked at once.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.errors import UnreadableError
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import Memory
from goprobe.runtime.heap.grouping import contained
from goprobe.runtime.heap.spantable import Ints, SpanTable

_READ = 1 << 26
_PART_MOST = 1 << 21  # words that are looked at together
_SMALL_MOST = 1 << 19  # fewer words are kept: it makes no difference
_HELD_MOST = 1 << 21  # words of which fewer are held on to while single ones are looked at
_WORD = 8
_HUGE = 1 << 21
_LEAST_AROUND, _READ_SHARE = 3, 16  # pages
_OVER_AGAIN_MOST, _OBJECTS_A_PAGE = 4, 8
"""All words are read over so often, and a page more for so many objects that were looked at."""
ABSENT = -1


class WordPart(msgspec.Struct, frozen=True):
    """Words `low` to `high`, which are there: those of the spans in `rows`, or a piece of a single
    object's."""

    rows: Ints
    low: int
    high: int


class HeapWords:
    """`start` is where each span's first word is in `words`; ABSENT where it was not read.

    `there` says of each page of `words` whether it was read: who looks at single words gets them by
    `at`, which reads what is missing.
    """

    def __init__(self, memory: Memory, spans: SpanTable, page: int) -> None:
        self._memory = memory
        self._base, self._objects = spans.base, spans.nelems
        self._rows = np.flatnonzero(spans.spanclass & 1 == 0)
        pages = spans.npages[self._rows]
        self.page_words = page // _WORD
        self.start: Ints = np.full(len(spans), ABSENT, np.int64)
        self._ends = np.cumsum(pages) * self.page_words
        self.start[self._rows] = self._ends - pages * self.page_words
        self._first = self.start.copy()
        count = int(self._ends[-1]) if len(pages) else 0
        # Of its own, so that pages of it can be given back.
        self._room = mmap.mmap(-1, max(count, 1) * _WORD, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.words: Words = np.frombuffer(self._room, np.uint64)[:count]
        self.owner = np.repeat(self._rows.astype(np.int32), pages)
        """Of each page the row of its span."""
        self.there: NDArray[np.bool_] = np.zeros(len(self.owner), bool)
        self.kept = False
        self._read_again = 0

    def keep(self, progress: Callable[[int], None] = lambda done: None) -> None:
        """Read all of them, now."""
        self._in_large_pages(0, len(self.words))
        self._load(np.flatnonzero(~self.there), progress)
        self.kept = True

    def parts(self, spans: Ints | None = None) -> Iterator[WordPart]:
        """All words, or those of some spans (rows, ascending), some at a time; those that need not
        be kept are given back."""
        if len(self.words) <= _SMALL_MOST:
            self.keep()
        begins, ends = self._first[self._rows], self._ends
        for first, last in self._runs(spans):
            while first < last:
                until = int(np.searchsorted(ends, begins[first] + _PART_MOST, "right"))
                until = min(max(until, first + 1), last)
                yield from self._parts(first, until)
                first = until

    def _runs(self, spans: Ints | None) -> list[tuple[int, int]]:
        """Places in `_rows` that lie one behind the other: [first, last) of each such run."""
        if spans is None:
            return [(0, len(self._rows))]
        at = np.flatnonzero(contained(self._rows, spans))
        cuts = np.flatnonzero(at[1:] != at[:-1] + 1) + 1
        return [(int(run[0]), int(run[-1]) + 1) for run in np.split(at, cuts) if len(run)]

    def _parts(self, first: int, until: int) -> Iterator[WordPart]:
        rows = self._rows[first:until]
        low, last = int(self._first[rows[0]]), int(self._ends[until - 1])
        # However long it claims to be, a span of several objects is looked at as a whole.
        most = _PART_MOST if self._objects[rows[0]] == 1 else last - low
        for at in range(low, last, most):
            high = min(at + most, last)
            pages = np.arange(at // self.page_words, high // self.page_words)
            self._in_large_pages(at, high)
            self._load(pages[~self.there[pages]])
            yield WordPart(rows[self.start[rows] != ABSENT], at, high)
            self._give_back(at, high)

    def at(self, places: Ints) -> Words:
        """The words at some places."""
        if self.kept or not len(places):
            return self.words[places]
        pages = places // self.page_words
        wanted = self._marked(pages)
        missing = int(np.count_nonzero(wanted & ~self.there))
        if not self.make_room(missing) or missing <= self.pages_most // 2:
            self._bring(wanted)
            return self.words[places]
        # Not all of them at once: some pages at a time, and each word out of its own.
        words, numbers = np.empty(len(places), np.uint64), np.flatnonzero(wanted)
        for first in range(0, len(numbers), self.pages_most):
            some = numbers[first : first + self.pages_most]
            self._read_again += self._held
            self.forget()
            self._load(some)
            here = (pages >= some[0]) & (pages <= some[-1])
            words[here] = self.words[places[here]]
        return words

    def bring(self, places: Ints) -> None:
        """Have the words at some places there."""
        self._bring(self._marked(places // self.page_words))

    def _marked(self, pages: Ints) -> NDArray[np.bool_]:
        wanted = np.zeros(len(self.there), np.bool_)
        wanted[pages] = True
        return wanted

    def _bring(self, wanted: NDArray[np.bool_]) -> None:
        wanted &= ~self.there
        if wanted.any():
            # Who asks for a few asks for those around them: the more, the more there have been.
            around = _LEAST_AROUND + self._held // _READ_SHARE
            first, last = int(wanted.argmax()), len(wanted) - int(wanted[::-1].argmax())
            wanted[max(first - around, 0) : first] = True
            wanted[last : last + around] = True
            self._load(np.flatnonzero(wanted & ~self.there))

    def make_room(self, pages: int, looked_at: int = 0) -> bool:
        """Give back what is there, if so many pages more would be too much. False where that was
        done too often for as many objects as were `looked_at`: the same words are wanted again and
        again, and all stay."""
        if self._held + pages <= self.pages_most:
            return True
        if self._read_again > _OVER_AGAIN_MOST * len(self.there) + looked_at // _OBJECTS_A_PAGE:
            return False
        self._read_again += self._held
        self.forget()
        return True

    @property
    def _held(self) -> int:
        """How many pages are there now."""
        return int(np.count_nonzero(self.there))

    @property
    def pages_most(self) -> int:
        """So many may be held while single words are looked at."""
        return max(len(self.there) // 4, _HELD_MOST // self.page_words)

    def forget(self) -> None:
        """Give back what was read: who asks for more of it waits once more."""
        self._give_back(0, len(self.words))

    def _give_back(self, low: int, high: int) -> None:
        if high > low and not self.kept:
            self._room.madvise(mmap.MADV_DONTNEED, low * _WORD, (high - low) * _WORD)
            with suppress(OSError):
                self._room.madvise(mmap.MADV_NOHUGEPAGE, low * _WORD, (high - low) * _WORD)
            self.there[low // self.page_words : high // self.page_words] = False

    def _in_large_pages(self, low: int, high: int) -> None:
        """What is going to be read as a whole takes as few pages as can be: to fault in small ones
        takes three times as long as to copy what is in them (m: 0.5 s against 0.15 s of 600 MB)."""
        low, high = -(-low * _WORD // _HUGE) * _HUGE, high * _WORD // _HUGE * _HUGE
        if high > low:
            with suppress(OSError):  # not all kernels have them
                self._room.madvise(mmap.MADV_HUGEPAGE, low, high - low)

    def _load(self, missing: Ints, progress: Callable[[int], None] = lambda done: None) -> None:
        """Read some pages."""
        if not len(missing):
            return
        words, row = self.page_words, self.owner[missing]
        base = self._base[row] + ((missing * words - self._first[row]) * _WORD).astype(np.uint64)
        size = words * _WORD
        view = memoryview(self.words.view(np.uint8).data)
        near = (base[1:] == base[:-1] + np.uint64(size)) & (missing[1:] == missing[:-1] + 1)
        cuts = np.concatenate(([0], np.flatnonzero(~near) + 1, [len(missing)])).tolist()
        most = max(_READ // size, 1)
        for begin, end in pairwise(cuts):
            for at in range(begin, end, most):
                count = min(most, end - at)
                place = int(missing[at]) * size
                part = view[place : place + count * size]
                try:
                    self._memory.read_into(int(base[at]), part)
                except UnreadableError:
                    self._load_singly(int(base[at]), part, missing[at : at + count])
                progress(place + count * size)
        self.there[missing] = True

    def _load_singly(self, base: int, part: memoryview, pages: Ints) -> None:
        """Read pages one by one; a span of which one cannot be read is ABSENT."""
        size = self.page_words * _WORD
        for i, page in enumerate(pages.tolist()):
            own = part[i * size : (i + 1) * size]
            try:
                self._memory.read_into(base + i * size, own)
            except UnreadableError:
                own[:] = bytes(size)
                self.start[self.owner[page]] = ABSENT


def scannable_bytes(spans: SpanTable, page: int) -> int:
    """How much there is to read."""
    return int(spans.npages[spans.spanclass & 1 == 0].sum()) * page


def read_words(
    memory: Memory, spans: SpanTable, page: int, progress: Callable[[int], None] = lambda done: None
) -> HeapWords:
    """Read every scannable span. `progress` is told how many bytes have been read."""
    words = HeapWords(memory, spans, page)
    words.keep(progress)
    return words
