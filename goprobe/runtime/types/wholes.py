"""What an object may be, of which only a part is known.

A pointer into an object tells the type of what it points at, and no more: a struct may hold a value
of that type at that place, or an array may be made of such structs. Of all types of the program
those are asked that fit the object's slot and hold the part where it was seen; the object's own
pointer words (see `bitmaps`) must be theirs. One that is alone is what the object is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import chain, islice

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.runtime.heap.sizeclasses import slot_sizes
from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.heap.typemasks import TypeMasks
from goprobe.runtime.types.catalog import Catalog
from goprobe.runtime.types.shape import DEPTH_LIMIT, GENERIC

_WORD = 8
_STRUCT = int(GoKind.STRUCT)
_ENTRIES_LIMIT = 1 << 14
_HOLDERS_LIMIT = 1 << 9  # of a type that so many hold nothing is learnt
_SIZE_LIMIT = 1 << 47
_WORDS_IN_MASK = 64
_KEPT_PLACES = 64  # of a part in one type
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


class _Entries(msgspec.Struct, frozen=True):
    """`count` values of a part from `offset` on, each in a whole: a type in `row`, or an `array` of
    such; `size` is the whole's (of an array that of an element)."""

    row: Ints
    array: NDArray[np.bool_]
    offset: Ints
    count: Ints
    size: Ints

    def __len__(self) -> int:
        return len(self.row)

    def covering(self, into: int, length: int, step: int) -> list[WholeType]:
        """The wholes that have `length` bytes of values of `step` bytes at a place."""
        start = np.where(self.array, into % np.maximum(self.size, 1), into) - self.offset
        good = (start >= 0) & (start % step == 0) & (start + length <= self.count * step)
        pairs = zip(self.row[good].tolist(), self.array[good].tolist(), strict=True)
        return [WholeType(row, array) for row, array in dict.fromkeys(pairs)]


_Place = tuple[int, bool, int, int, int]
"""The same of one."""


def _entries(rows: list[_Place]) -> _Entries:
    row, array, offset, count, size = np.array(rows, np.int64).reshape(-1, 5).T
    return _Entries(row, array != 0, offset, count, size)


class Wholes:
    """Answers for one catalogue, each kept."""

    def __init__(
        self,
        catalog: Catalog,
        masks: TypeMasks,
        name: Callable[[int], str],
        makes_arrays: Callable[[int], bool],
    ) -> None:
        """`name` is the full name of the type whose descriptor is at an address, `makes_arrays`
        whether the program may make arrays of such values."""
        self._catalog = catalog
        self._makes_arrays = makes_arrays
        self._masks = masks
        self._name = name
        self._entries: dict[tuple[int, SizeBounds, bool], _Entries | None] = {}
        self._places: dict[tuple[int, int], tuple[tuple[int, int], ...]] = {}
        self._allocated: dict[int, bool] = {}
        self._holders: dict[int, NDArray[np.bool_]] = {}
        self._many: dict[tuple[int, int], bool] = {}
        self._pointers: dict[int, tuple[int, int]] = {}
        self._fits: dict[tuple[WholeType, SizeBounds, int], bool] = {}

    def holding(
        self, part: int, slot: SizeBounds, into: int, length: int, mask: int | None
    ) -> tuple[WholeType, ...] | None:
        """Every whole that has `length` bytes of values of a type `into` bytes from its beginning.

        `mask` has a bit for each word of the object that may hold a pointer, None where that is
        not known. None: there are too many to look through.
        """
        if self._has_many_holders(part, slot.high):
            return None
        single, repeated = self._of(part, slot, False), self._of(part, slot, True)
        if single is None or repeated is None:
            return None
        step = self._step(part)
        return tuple(
            w
            for entries in (single, repeated)
            for w in entries.covering(into, length, step)
            if self._is_allocated(w.row) and (mask is None or self._has_mask(w, slot, mask))
        )

    def is_made(self, whole: WholeType, slot: SizeBounds) -> bool:
        """Whether the program makes such arrays, as far as is known. One without pointers of a type
        that nothing makes arrays of is memory of another type that parts are cut from by unsafe."""
        alone = not (whole.array and slot.noscan)
        return alone or self._makes_arrays(int(self._catalog.address[whole.row]))

    def has_structs(self, part: int, slot: SizeBounds) -> bool:
        """Whether any struct that gets such a slot holds a value of a type."""
        entries = self._of(part, slot, False)
        return entries is None or len(entries) > 0

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
            for w in entries.covering(into, length, self._step(part))
            if self._catalog.kind[w.row] == _STRUCT
            and self._is_allocated(w.row)
            and int(self._catalog.size[w.row]) > length
            and (mask is None or self._has_mask(w, slot, mask))
        )

    def fits(self, whole: WholeType, slot: SizeBounds, mask: int | None) -> bool:
        """Whether an object with such pointer words may be one of these."""
        return mask is None or self._has_mask(whole, slot, mask)

    def has_larger(self, row: int) -> bool:
        """Whether any type that is larger, or has nothing else in it, and may get the same slot
        begins with a value of this one."""
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
        is_struct = catalog.kind == _STRUCT
        before, now = every, catalog.beginnings
        for _ in range(DEPTH_LIMIT):
            near = (now != before) & (slots[now] == slots) & (noscan[now] == noscan)
            # Of the same size are only structs told: strings, say, have any number of names.
            near &= (catalog.size[now] < catalog.size) | (is_struct[now] & is_struct)
            for part, whole in zip(now[near].tolist(), every[near].tolist(), strict=True):
                larger.setdefault(part, []).append(whole)
            before, now = now, catalog.beginnings[now]
        return larger

    # Where a part lies in wholes

    def _step(self, part: int) -> int:
        return max(int(self._catalog.size[part]), 1)

    def _of(self, part: int, slot: SizeBounds, repeated: bool) -> _Entries | None:
        """The places of a part in values that get such a slot, or in arrays that do; None: there
        are too many."""
        key = (part, slot, repeated)
        if key not in self._entries:
            places = self._repeated(part, slot) if repeated else self._single(part, slot)
            rows = list(islice(places, _ENTRIES_LIMIT + 1))
            self._entries[key] = _entries(rows) if len(rows) <= _ENTRIES_LIMIT else None
        return self._entries[key]

    def _candidates(self, part: int, slot: SizeBounds) -> NDArray[np.bool_]:
        alike = (self._catalog.pointer_bytes == 0) == slot.noscan
        candidates: NDArray[np.bool_] = self._holders_of(part, slot.high) & alike
        return candidates

    def _single(self, part: int, slot: SizeBounds) -> Iterator[_Place]:
        sizes = self._catalog.size
        chosen = self._candidates(part, slot) & (sizes > slot.low) & (sizes <= slot.high)
        return self._entries_of(part, chosen, array=False)

    def _repeated(self, part: int, slot: SizeBounds) -> Iterator[_Place]:
        """Arrays of at least two elements."""
        sizes = self._catalog.size
        most = slot.high // np.maximum(sizes, 1)
        fits = (sizes > 0) & (most >= 2) & (most * sizes > slot.low)
        yield from self._entries_of(part, self._candidates(part, slot) & fits, array=True)
        if fits[part] and (self._catalog.pointer_bytes[part] == 0) == slot.noscan:
            yield part, True, 0, int(most[part]), slot.high

    def _entries_of(self, part: int, chosen: NDArray[np.bool_], *, array: bool) -> Iterator[_Place]:
        for row in np.flatnonzero(chosen).tolist():
            size = int(self._catalog.size[row])
            for offset, count in self._places_in(row, part):
                yield row, array, offset, count, size

    def _places_in(self, row: int, part: int) -> Iterable[tuple[int, int]]:
        """Where values of a part lie in values of a type: those of few, kept."""
        kept = self._places.get((row, part))
        if kept is not None:
            return kept
        every = self._catalog.places(row, part, self._holders_of(part, _SIZE_LIMIT))
        first = tuple(islice(every, _KEPT_PLACES + 1))
        if len(first) > _KEPT_PLACES:
            return chain(first, every)
        self._places[row, part] = first
        return first

    def _has_many_holders(self, part: int, most: int) -> bool:
        key = (part, most)
        if key not in self._many:
            self._many[key] = int(self._holders_of(part, most).sum()) > _HOLDERS_LIMIT
        return self._many[key]

    def _holders_of(self, part: int, most: int) -> NDArray[np.bool_]:
        if part not in self._holders:
            self._holders[part] = self._catalog.holders(part, _SIZE_LIMIT)
        return np.asarray(self._holders[part] & (self._catalog.size <= most), bool)

    # Pointer words

    def _has_mask(self, whole: WholeType, slot: SizeBounds, mask: int) -> bool:
        key = (whole, slot, mask)
        if key not in self._fits:
            self._fits[key] = self._may_have(whole, slot, mask)
        return self._fits[key]

    def _may_have(self, whole: WholeType, slot: SizeBounds, mask: int) -> bool:
        words = slot.high // _WORD
        if words > _WORDS_IN_MASK:
            return True
        own, pointers = self._pointers_of(whole.row)
        if not own:
            return mask == 0
        one = pointers & (1 << words) - 1
        if not whole.array:
            return one == (mask & (1 << own) - 1 if slot.redzones else mask)
        made, count = 0, 0
        while (count + 1) * own <= words:
            made |= one << count * own
            count += 1
            marked = mask & (1 << count * own) - 1 if slot.redzones else mask
            if made == marked and count * own * _WORD > slot.low:
                return True
        return False

    def _pointers_of(self, row: int) -> tuple[int, int]:
        """How many words a type has, and a bit for each of the first that holds a pointer."""
        if row not in self._pointers:
            known = self._masks.of(int(self._catalog.address[row]))
            first = known.pointers[known.pointers < _WORDS_IN_MASK].tolist()
            self._pointers[row] = known.words, sum(1 << at for at in first)
        return self._pointers[row]
