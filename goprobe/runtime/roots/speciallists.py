"""The lists of specials that hang on spans (mspan.specials), followed side by side.

Source: src/runtime/mheap.go (special), Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from goprobe.process.memory.copies import MISSING as NOT_COPIED, Words, copy_ranges
from goprobe.process.memory.memory import Memory
from goprobe.runtime.heap.grouping import contained, distinct
from goprobe.runtime.heap.objects import Ids, parts_of
from goprobe.runtime.heap.spantable import SpanTable
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.roots.specialloops import MISSING, walk

_LIMIT = 1 << 24
_PAGE, _WORD = 4096, 8
_AT_ONCE = 1 << 9  # spans: of small objects a quarter of a million
_MANY_PAGES = 1 << 10
_AHEAD = 4  # pages: structs are made one behind the other
_ROOM = 1 << 17

_Part = tuple[Words, NDArray[np.uint8], Words, Ids]
"""Where each special is, its kind, how far into its span it leads, the span's row."""


class Specials(msgspec.Struct, frozen=True):
    """Where some specials are, the kind of each, and the address that it is about. `broken` says
    how a list leads astray; `stray` is how many are of objects that cannot be there."""

    at: Words
    kind: NDArray[np.uint8]
    about: Words
    stray: int
    broken: str


def follow(pages: Pages, layout: Layout, spans: SpanTable) -> Iterator[Specials]:
    """Every special of some spans, those of some spans at a time. `pages` are given back behind
    each, and what was read of them."""
    every = np.flatnonzero(spans.specials).astype(np.int32)
    seen: list[Words] = []
    count = 0
    for first in range(0, len(every), _AT_ONCE):
        some = _of_spans(pages, layout, spans, every[first : first + _AT_ONCE], _LIMIT - count)
        count += len(some.at)
        seen.append(some.at)
        if first + _AT_ONCE >= len(every) and len(seen) > 1 and not some.broken:
            some = replace(some, broken=_repeated(seen, count))
        yield some
        pages.forget()
        if count > _LIMIT:
            return


def _of_spans(pages: Pages, layout: Layout, spans: SpanTable, rows: Ids, most: int) -> Specials:
    struct = layout.struct("special")
    following, kind, offset = (struct.fields[name] for name in ("next", "kind", "offset"))
    mask = -1 if offset.size == _WORD else (1 << 8 * offset.size) - 1
    heads = spans.specials[rows].astype(np.uint64).view(np.int64)
    places, offsets = np.empty((2, _ROOM), np.int64)
    kinds, owners = np.empty(_ROOM, np.uint8), np.empty(_ROOM, np.int32)
    parts: list[_Part] = []
    broken = ring = ""
    count, looked = 0, 1
    while len(heads) and not ring:
        pages.read_on(heads.view(np.uint64), struct.size)
        state, left, why = (
            np.zeros(3, np.int64),
            np.empty_like(heads),
            np.empty(len(heads), np.int8),
        )
        left_rows = np.empty_like(rows)
        while state[0] < len(heads) and not ring:
            new = walk(
                state, heads, rows, *pages.tables, struct.size,
                following.offset, kind.offset, offset.offset, mask,
                places, kinds, offsets, owners, left, left_rows, why,
            )  # fmt: skip
            at, into = (column[:new].astype(np.uint64) for column in (places, offsets))
            parts.append((at, kinds[:new].copy(), into, owners[:new].copy()))
            count += new
            if count >= looked or count > most:
                looked = 2 * count
                ring = _repeated([at for at, *_ in parts], count, most)
        aside = slice(int(state[2]))
        lost = why[aside] == MISSING
        if lost.any():
            astray = int(left[aside][lost].view(np.uint64)[0])
            broken = f"a list of special leads to {astray:#x}, where none can be read"
        heads, rows = left[aside][~lost], left_rows[aside][~lost]
    ring = ring or _repeated([at for at, *_ in parts], count, most)
    return _joined(parts, spans, layout.constants["_PageSize"], broken or ring)


def _repeated(parts: list[Words], count: int, most: int = _LIMIT) -> str:
    """How lists run in a ring, or into each other; they would have no end."""
    every = np.sort(np.concatenate([np.zeros(0, np.uint64), *parts]))
    again = np.flatnonzero(every[1:] == every[:-1])
    if len(again) or count > most:
        once_more = int(every[again[0]] if len(again) else every[-1])
        return f"a list of special comes to {once_more:#x} once more"
    return ""


def _joined(parts: list[_Part], spans: SpanTable, page: int, broken: str) -> Specials:
    """Each special once, in the order of the lists."""
    none = np.zeros(0, np.uint64)
    columns = [(none, none.astype(np.uint8), none, none.astype(np.int32)), *parts]
    at, kind, offset, rows = (np.concatenate([c[i] for c in columns]) for i in range(4))
    parts.clear()
    if broken:  # a list that comes to what another one has
        _, once = np.unique(at, return_index=True)
        once.sort()
        at, kind, offset, rows = at[once], kind[once], offset[once], rows[once]
    inside = offset < (spans.npages[rows] * page).astype(np.uint64)
    about = spans.base[rows] + offset
    stray = int((~inside).sum())
    if stray:
        at, kind, about = at[inside], kind[inside], about[inside]
    return Specials(at, kind, about, stray, broken)


class Pages:
    """Memory page by page, each read once: small structs of one kind lie close together."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._clear()

    def forget(self) -> None:
        """Give back what was read, where that is much."""
        if len(self._numbers) > _MANY_PAGES:
            self._clear()

    def _clear(self) -> None:
        self._numbers = np.zeros(0, np.uint64)
        self._row = np.zeros(0, np.int32)
        self._words = np.zeros((1, _PAGE // _WORD), np.uint64)
        self._there = np.zeros(1, np.bool_)

    def rows(self, at: Words) -> Ids:
        """Of each address the page that holds it, for `words` and `there`."""
        page = at // np.uint64(_PAGE)
        fresh = page[~contained(page, self._numbers)]
        if len(fresh):
            self._read(distinct(fresh))
        return self._row[np.searchsorted(self._numbers, page).astype(np.int32)]

    def read_on(self, at: Words, size: int) -> None:
        """The pages that hold structs of such a size at some addresses, and those behind them."""
        page = at // np.uint64(_PAGE)
        ends = (at + np.uint64(size - 1)) // np.uint64(_PAGE)
        ahead = (
            page[~contained(page, self._numbers)] + np.arange(1, _AHEAD, dtype=np.uint64)[:, None]
        )
        wanted = distinct(np.concatenate((page, ends, ahead.ravel())))
        fresh = wanted[~contained(wanted, self._numbers)]
        if len(fresh):
            self._read(fresh)

    @property
    def tables(self) -> tuple[NDArray[np.int64], Ids, NDArray[np.int64], NDArray[np.bool_]]:
        """Numbers, where the words of each are, those, and which are there: for a loop, until more
        is read."""
        words = self._words.reshape(-1).view(np.int64)
        return self._numbers.view(np.int64), self._row, words, self._there

    def words(self, rows: Ids, at: Words) -> Words:
        """The words that hold some addresses, in some pages."""
        return self._words[rows, (at % np.uint64(_PAGE) // np.uint64(_WORD)).astype(np.int64)]

    def there(self, rows: Ids) -> NDArray[np.bool_]:
        """Which of some pages could be read."""
        return self._there[rows]

    def _read(self, pages: Words) -> None:
        known, count = len(self._numbers), len(self._numbers) + len(pages)
        if count > len(self._there):
            more = max(count, len(self._there) * 5 // 4) - len(self._there)
            # In place, and by a little: there is no room for very many twice.
            self._words.resize((len(self._there) + more, _PAGE // _WORD), refcheck=False)
            self._there = np.concatenate((self._there, np.zeros(more, np.bool_)))
        base = pages * np.uint64(_PAGE)
        copy = copy_ranges(self._memory, base, _PAGE)
        place = copy.positions(base, _PAGE)
        rows = known + np.flatnonzero(place != NOT_COPIED)
        within = (place[rows - known] // _WORD)[:, np.newaxis] + np.arange(_PAGE // _WORD)
        self._words[rows] = copy.words[within]
        self._there[rows] = True
        self._numbers = np.concatenate((self._numbers, pages))
        self._row = np.concatenate((self._row, np.arange(known, count, dtype=np.int32)))
        order = np.argsort(self._numbers, kind="stable")
        self._numbers, self._row = self._numbers[order], self._row[order]


class Fields:
    """Fields of many structs of one kind; `missing`: those that cannot be read."""

    def __init__(self, pages: Pages, layout: Layout, name: str, at: Words) -> None:
        self._pages = pages
        self._struct = layout.struct(name)
        self.at = at
        self.missing = at % np.uint64(_WORD) != 0
        self._first = self._last = pages.rows(at)
        ends = at + np.uint64(self._struct.size - 1)
        across = np.flatnonzero(ends // np.uint64(_PAGE) != at // np.uint64(_PAGE))
        if len(across):
            self._last = self._first.copy()
            self._last[across] = pages.rows(ends[across])
        self.missing |= ~(pages.there(self._first) & pages.there(self._last))

    def __getitem__(self, path: str) -> Words:
        """0 of structs that cannot be read."""
        field = self._struct.fields[path]
        return self.number(field.offset, min(field.size, _WORD))

    def number(self, offset: int, size: int = _WORD) -> Words:
        """What stands at an offset of each."""
        numbers = np.empty(len(self.at), np.uint64)
        for part in parts_of(len(self.at)):
            at = self.at[part] + np.uint64(offset)
            same = at // np.uint64(_PAGE) == self.at[part] // np.uint64(_PAGE)
            words = self._pages.words(np.where(same, self._first[part], self._last[part]), at)
            words = words >> np.uint64(offset % _WORD * 8) & np.uint64((1 << 8 * size) - 1)
            numbers[part] = np.where(self.missing[part], np.uint64(0), words)
        return numbers
