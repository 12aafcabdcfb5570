"""What an object can be by its size and its pointer words alone.

Every type that is allocated has a descriptor, and the runtime writes down where an object of it
holds pointers (see `bitmaps`). Where one type only, of all that the program has, gets such a slot
and has its pointers there, the object is of that type. Closures are told by their code instead;
their types are not all listed.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from goprobe.runtime.heap.spantable import Ints
from goprobe.runtime.heap.typemasks import TypeMasks
from goprobe.runtime.types.catalog import Catalog
from goprobe.runtime.types.shape import GENERIC
from goprobe.runtime.types.wholes import SizeBounds, WholeType

_WORD = 8
_CLOSURE = "struct { F uintptr"


class ByMask:
    """Answers for one catalogue, each kept. `complete`: there are no types but those in it."""

    def __init__(
        self, catalog: Catalog, masks: TypeMasks, name: Callable[[int], str], *, complete: bool
    ) -> None:
        self._catalog = catalog
        self._masks = masks
        self._name = name
        self._complete = complete
        self._found: dict[tuple[SizeBounds, int], WholeType | None] = {}

    def alone(self, slot: SizeBounds, mask: int) -> WholeType | None:
        """The only thing that can be in a slot and have pointers at the words of a mask."""
        if not self._complete or mask <= 0:
            return None
        key = (slot, mask)
        if key not in self._found:
            self._found[key] = self._alone(slot, mask)
        return self._found[key]

    def _alone(self, slot: SizeBounds, mask: int) -> WholeType | None:
        only: WholeType | None = None
        for row, count in zip(*self._candidates(slot, mask.bit_length() * _WORD), strict=True):
            whole = WholeType(int(row), int(count) > 1)
            if self._has(whole.row, int(count), mask) and self._is_allocated(whole.row):
                if only is not None:
                    return None
                only = whole
        return only

    def _candidates(self, slot: SizeBounds, reach: int) -> tuple[Ints, Ints]:
        """Rows of types, and how many of their values lie in the slot, whose last pointer is
        there; of arrays those counts that get such a slot."""
        size, prefix = self._catalog.size, self._catalog.pointer_bytes
        behind = reach - prefix
        count = behind // np.maximum(size, 1) + 1
        fits = (prefix > 0) & (behind >= 0) & (behind % np.maximum(size, 1) == 0)
        fits &= (count * size > slot.low) & (count * size <= slot.high)
        rows = np.flatnonzero(fits)
        return rows, count[rows]

    def _has(self, row: int, count: int, mask: int) -> bool:
        known = self._masks.of(int(self._catalog.address[row]))
        one: int = sum(1 << at for at in known.pointers.tolist())
        return bool(known.words) and mask == sum(one << i * known.words for i in range(count))

    def _is_allocated(self, row: int) -> bool:
        name = self._name(int(self._catalog.address[row]))
        return not name.startswith(_CLOSURE) and GENERIC not in name
