"""What an object may be, of which only a part is known.

A pointer into an object tells the type of what it points at, and no more: a struct may hold a value
of that type at that place, or an array may be made of such structs. Of all types of the program
those are asked that fit the object's slot and hold the part where it was seen; the object's own
pointer words (see `bitmaps`) must be theirs. One that is alone is what the object is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.runtime.heap.sizeclasses import slot_sizes
from goprobe.runtime.heap.typemasks import TypeMasks
from goprobe.runtime.types.catalog import Catalog
from goprobe.runtime.types.shape import DEPTH_LIMIT, GENERIC

_WORD = 8
_STRUCT = int(GoKind.STRUCT)
_ENTRIES_LIMIT = 1 << 14
_HOLDERS_LIMIT = 1 << 9  # of a type that so many hold nothing is learnt
_SIZE_LIMIT = 1 << 47
_WORDS_IN_MASK = 64
_INSIDE = ("struct { F uintptr", "struct { key ", "map.group[", "map.bucket[")
_HELD_OTHERWISE = frozenset({("container/list.Element", "container/list.List")})
"""A type, and a larger one that begins with it, of which no value is reached by its beginning
alone: each element points at its list, too (src/container/list/list.go, Go 1.21 to 1.27)."""


class SizeBounds(msgspec.Struct, frozen=True):
    """What an object's span says: sizes above `low` up to `high` bytes get such a slot. `redzones`:
    there are further bytes behind each value, which the runtime marks as if more values stood there
    (mallocgc, malloc.go, Go 1.21 to 1.27)."""

    low: int
    high: int
    noscan: bool
    redzones: bool = False


class WholeType(msgspec.Struct, frozen=True):
    """A type in a row of the catalogue; of an array the type of its elements."""

    row: int
    array: bool


class _Entry(msgspec.Struct, frozen=True):
    """`count` values of the part from `offset` on, in a whole; `size` is the whole's (of an array
    that of an element)."""

    whole: WholeType
    offset: int
    count: int
    size: int


class Wholes:
    """Answers for one catalogue, each kept."""

    def __init__(self, catalog: Catalog, masks: TypeMasks, name: Callable[[int], str]) -> None:
        """`name` is the full name of the type whose descriptor is at an address."""
        self._catalog = catalog
        self._masks = masks
        self._name = name
        self._entries: dict[tuple[int, SizeBounds, bool], tuple[_Entry, ...] | None] = {}
        self._allocated: dict[int, bool] = {}
        self._holders: dict[int, NDArray[np.bool_]] = {}

    def holding(
        self, part: int, slot: SizeBounds, into: int, length: int, mask: int | None
    ) -> tuple[WholeType, ...] | None:
        """Every whole that has `length` bytes of values of a type `into` bytes from its beginning.

        `mask` has a bit for each word of the object that may hold a pointer, None where that is
        not known. None: there are too many to look through.
        """
        if int(self._holders_of(part, slot.high).sum()) > _HOLDERS_LIMIT:
            return None
        single, repeated = self._of(part, slot, False), self._of(part, slot, True)
        if single is None or repeated is None:
            return None
        wholes = self._covering((*single, *repeated), part, into, length)
        return tuple(
            w
            for w in wholes
            if self._is_allocated(w.row) and (mask is None or self._has_mask(w, slot, mask))
        )

    def has_structs(self, part: int, slot: SizeBounds) -> bool:
        """Whether any struct that gets such a slot holds a value of a type."""
        return self._of(part, slot, False) != ()

    def structs(
        self, part: int, slot: SizeBounds, into: int, length: int, mask: int | None
    ) -> tuple[int, ...] | None:
        """The rows of the structs of which an array of `length` bytes, `into` bytes into an object,
        may be only a part; None: there are too many to look through."""
        entries = self._of(part, slot, False)
        if entries is None:
            return None
        return tuple(
            w.row
            for w in self._covering(entries, part, into, length)
            if self._catalog.kind[w.row] == _STRUCT
            and self._is_allocated(w.row)
            and int(self._catalog.size[w.row]) > length
            and (mask is None or self._has_mask(w, slot, mask))
        )

    def fits(self, whole: WholeType, slot: SizeBounds, mask: int | None) -> bool:
        """Whether an object with such pointer words may be one of these."""
        return mask is None or self._has_mask(whole, slot, mask)

    def has_larger(self, row: int) -> bool:
        """Whether any larger type that may get the same slot begins with a value of this one."""
        return row in self._larger

    def larger(self, row: int, slot: SizeBounds, mask: int | None) -> tuple[int, ...]:
        """The rows of those that get such a slot, and have such pointer words."""
        sizes = self._catalog.size
        return tuple(
            whole
            for whole in self._larger.get(row, ())
            if slot.low < int(sizes[whole]) <= slot.high
            and (mask is None or self._has_mask(WholeType(whole, False), slot, mask))
            and self._is_allocated(whole)
            and (self._named(row), self._named(whole)) not in _HELD_OTHERWISE
        )

    def _named(self, row: int) -> str:
        return self._name(int(self._catalog.address[row]))

    def _is_allocated(self, row: int) -> bool:
        """Whether there may be objects of a type: not of those that the compiler makes for entries
        of maps and for closures, which nothing points into, and for generic code."""
        if row not in self._allocated:
            name = self._named(row)
            self._allocated[row] = not name.startswith(_INSIDE) and GENERIC not in name
        return self._allocated[row]

    @cached_property
    def _larger(self) -> dict[int, list[int]]:
        catalog = self._catalog
        slots, noscan = slot_sizes(catalog.size), catalog.pointer_bytes == 0
        every = np.arange(len(catalog))
        larger: dict[int, list[int]] = {}
        before, now = every, catalog.beginnings
        for _ in range(DEPTH_LIMIT):
            near = (now != before) & (slots[now] == slots) & (noscan[now] == noscan)
            near &= catalog.size[now] < catalog.size
            for part, whole in zip(now[near].tolist(), every[near].tolist(), strict=True):
                larger.setdefault(part, []).append(whole)
            before, now = now, catalog.beginnings[now]
        return larger

    # Where a part lies in wholes

    def _covering(
        self, entries: tuple[_Entry, ...], part: int, into: int, length: int
    ) -> set[WholeType]:
        step = max(int(self._catalog.size[part]), 1)
        return {e.whole for e in entries if _covers(e, into, length, step)}

    def _of(self, part: int, slot: SizeBounds, repeated: bool) -> tuple[_Entry, ...] | None:
        """The places of a part in values that get such a slot, or in arrays that do."""
        key = (part, slot, repeated)
        if key not in self._entries:
            entries: list[_Entry] = []
            for entry in self._repeated(part, slot) if repeated else self._single(part, slot):
                entries.append(entry)
                if len(entries) > _ENTRIES_LIMIT:
                    break
            self._entries[key] = tuple(entries) if len(entries) <= _ENTRIES_LIMIT else None
        return self._entries[key]

    def _candidates(self, part: int, slot: SizeBounds) -> NDArray[np.bool_]:
        alike = (self._catalog.pointer_bytes == 0) == slot.noscan
        candidates: NDArray[np.bool_] = self._holders_of(part, slot.high) & alike
        return candidates

    def _single(self, part: int, slot: SizeBounds) -> Iterator[_Entry]:
        sizes = self._catalog.size
        chosen = self._candidates(part, slot) & (sizes > slot.low) & (sizes <= slot.high)
        return self._entries_of(part, chosen, array=False)

    def _repeated(self, part: int, slot: SizeBounds) -> Iterator[_Entry]:
        """Arrays of at least two elements."""
        sizes = self._catalog.size
        most = slot.high // np.maximum(sizes, 1)
        fits = (sizes > 0) & (most >= 2) & (most * sizes > slot.low)
        yield from self._entries_of(part, self._candidates(part, slot) & fits, array=True)
        if fits[part] and (self._catalog.pointer_bytes[part] == 0) == slot.noscan:
            yield _Entry(WholeType(part, True), 0, int(most[part]), slot.high)

    def _entries_of(self, part: int, chosen: NDArray[np.bool_], *, array: bool) -> Iterator[_Entry]:
        within = self._holders_of(part, _SIZE_LIMIT)
        for row in np.flatnonzero(chosen).tolist():
            for offset, count in self._catalog.places(row, part, within):
                yield _Entry(WholeType(row, array), offset, count, int(self._catalog.size[row]))

    def _holders_of(self, part: int, most: int) -> NDArray[np.bool_]:
        if part not in self._holders:
            self._holders[part] = self._catalog.holders(part, _SIZE_LIMIT)
        return np.asarray(self._holders[part] & (self._catalog.size <= most), bool)

    # Pointer words

    def _has_mask(self, whole: WholeType, slot: SizeBounds, mask: int) -> bool:
        words = slot.high // _WORD
        if words > _WORDS_IN_MASK:
            return True
        known = self._masks.of(int(self._catalog.address[whole.row]))
        if not known.words:
            return mask == 0
        one: int = sum(1 << at for at in known.pointers.tolist() if at < words)
        if not whole.array:
            return mask == one
        made, count = 0, 0
        while (count + 1) * known.words <= words:
            made |= one << count * known.words
            count += 1
            if made == mask and count * known.words * _WORD > slot.low:
                return True
        return False


def _covers(entry: _Entry, into: int, length: int, step: int) -> bool:
    if entry.whole.array:
        into %= max(entry.size, 1)
    start = into - entry.offset
    return start >= 0 and start % step == 0 and start + length <= entry.count * step
