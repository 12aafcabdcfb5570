"""The runs of a pc-value table: which value (line, file, stack depth …) holds at which pcs.

Encoding: pairs of (zig-zag value delta, pc delta) as varints, ended by a zero value delta.
Source: src/runtime/symtab.go, step and pcvalue (the same from Go 1.18 to 1.27).
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from goprobe.budget import STEP, Budget

STEP_LIMIT = 1 << 20
"""A function of the largest size that Go links has fewer steps; a corrupt table may have more."""

_VARINT_LIMIT = 10
_CODE_LIMIT = 1 << 32
_MOST = 0x7FFFFFFF
_PAST = "a number runs past the table's end"


class Runs(msgspec.Struct, frozen=True):
    """`values[i]` holds up to `ends[i]`, a pc relative to the function's entry."""

    ends: array[int]
    values: array[int]

    def value(self, offset: int) -> int:
        """The value at a pc `offset` bytes after the entry, -1 where the table has none."""
        at = bisect_right(self.ends, offset)
        return self.values[at] if at < len(self.values) else -1

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """(start, end, value) of every run, in pc order."""
        start = 0
        for end, value in zip(self.ends, self.values, strict=True):
            yield start, end, value
            start = end


NO_RUNS = Runs(array("Q"), array("q"))


def decode_runs(table: bytes | memoryview, at: int, budget: Budget) -> Runs:
    """The table that begins at `table[at]`. Raises ValueError where it is corrupt."""
    ends, values = array("Q"), array("q")
    value, pc, step = -1, 0, 0
    try:
        for step in range(STEP_LIMIT):
            # Nearly all of these numbers are of one byte.
            delta, at = table[at], at + 1
            if delta >= 0x80:
                delta, at = varint(table, at - 1)
            if not delta and step:
                return Runs(ends, values)
            value += -(delta & 1) ^ (delta >> 1)
            if not -1 <= value <= _MOST:
                value = _int32(value)
            advance, at = table[at], at + 1
            if advance >= 0x80:
                advance, at = varint(table, at - 1)
            pc += advance
            if pc >= _CODE_LIMIT:
                break
            ends.append(pc)
            values.append(value)
        raise ValueError("a pc-value table without an end")
    except IndexError:
        raise ValueError(_PAST) from None
    finally:
        budget.spend(STEP * step)


def varint(table: bytes | memoryview, at: int) -> tuple[int, int]:
    """The number of 32 bits at `table[at]`, and where it ends. Raises ValueError where it does not
    (readvarint, symtab.go; readvarintUnsafe, panic.go)."""
    value = shift = 0
    for position in range(at, min(at + _VARINT_LIMIT, len(table))):
        byte = table[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFF, position + 1
        shift += 7
    raise ValueError(_PAST)


def _int32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value
