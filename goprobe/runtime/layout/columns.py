"""Many structs of one kind as columns, a field each: what a hundred thousand of them hold is worked
out with numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from goprobe.process.memory.copies import MISSING, Copy, Positions, Words, copy_ranges
from goprobe.process.memory.memory import Memory
from goprobe.runtime.layout.layout import StructLayout

_WORD = 8


class Columns:
    """Fields of the copied structs at some positions; 0 where there is none, or where the release
    has no such field."""

    def __init__(self, struct: StructLayout, copy: Copy, positions: Positions) -> None:
        self._fields = struct.fields
        self._words = copy.words
        missing = positions == MISSING
        self._missing = missing if missing.any() else None
        # What was copied may be less than one of the structs: the end of what is mapped.
        self._none = bool(missing.all())
        self._at = positions >> 3 if self._missing is None else np.where(missing, 0, positions) >> 3

    def __len__(self) -> int:
        return len(self._at)

    def __getitem__(self, name: str) -> Words:
        field = self._fields.get(name)
        if field is None:
            return np.zeros(len(self._at), np.uint64)
        values = self._word(field.offset)
        if field.size < _WORD:  # what lies behind it in its word is not its own
            shift, mask = field.offset % _WORD * 8, (1 << 8 * field.size) - 1
            values = values >> np.uint64(shift) & np.uint64(mask)
        return values

    def word(self, name: str, index: int) -> Words:
        """The index-th word from a field on; 0 of a field that is shorter."""
        field = self._fields.get(name)
        if field is None or field.size < _WORD * (index + 1):
            return np.zeros(len(self._at), np.uint64)
        return self._word(field.offset + _WORD * index)

    def _word(self, offset: int) -> Words:
        if self._none:
            return np.zeros(len(self._at), np.uint64)
        values: Words = self._words[self._at + (offset >> 3)]
        return values if self._missing is None else np.where(self._missing, np.uint64(0), values)


def read_columns(
    memory: Memory, struct: StructLayout, addresses: Words
) -> tuple[Columns, NDArray[np.bool_]]:
    """The structs at some addresses, and which of them can be read; the others' fields are 0."""
    size = -(-struct.span // _WORD) * _WORD
    copy = copy_ranges(memory, addresses[addresses != 0], size)
    at = copy.positions(addresses, size)
    return Columns(struct, copy, at), at != MISSING


def rows_of(wanted: Words, addresses: Words) -> Positions:
    """Where each of some addresses stands in others, each of which is there once; -1 for none."""
    if not len(addresses):
        return np.full(len(wanted), -1, np.int64)
    order = np.argsort(addresses, kind="stable")
    at = np.minimum(np.searchsorted(addresses[order], wanted), len(addresses) - 1)
    rows = order[at]
    return np.where(addresses[rows] == wanted, rows, -1)
