"""Location lists and range lists: at which pcs a variable lies where.

DWARF 4 (.debug_loc, .debug_ranges) and 5 (.debug_loclists, .debug_rnglists); sections 2.6.2 and
2.17.3 of the DWARF 5 standard.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from goprobe.binary.dwarf.dieindex import Sections, Unit
from goprobe.binary.dwarf.forms import uleb
from goprobe.budget import STEP

_LIMIT = 65536
_ALWAYS = 1 << 64
# DW_LLE_… and DW_RLE_…, DWARF 5, 7.7.3 and 7.25.
_END, _BASE_X, _START_END_X, _START_LENGTH_X, _OFFSETS = 0, 1, 2, 3, 4
_LOC_DEFAULT, _LOC_BASE, _LOC_START_END, _LOC_START_LENGTH = 5, 6, 7, 8
_RNG_BASE, _RNG_START_END, _RNG_START_LENGTH = 5, 6, 7


class LocationEntry(msgspec.Struct, frozen=True):
    """At pcs [low, high) (link-time) the variable is where `expression` says."""

    low: int
    high: int
    expression: bytes

    @property
    def always(self) -> bool:
        """Whether that is no list's: one place for the whole of the variable's life."""
        return self.high == _ALWAYS


def location_list(
    sections: Sections, unit: Unit, value: int | bytes | str | None
) -> tuple[LocationEntry, ...]:
    """The places of a DW_AT_location; empty where there are none or the list is corrupt."""
    if isinstance(value, bytes):
        return (LocationEntry(0, _ALWAYS, value),) if value else ()
    if not isinstance(value, int):
        return ()
    try:
        if unit.version >= 5:
            at = _list_start(sections.get("loclists"), unit.loclists_base, value)
            return tuple(_walk5(sections, unit, sections.get("loclists"), at, True))
        return tuple(_walk4(sections, sections.get("loc"), value, unit.low_pc, True))
    except IndexError:
        return ()


def range_list(sections: Sections, unit: Unit, value: int) -> list[tuple[int, int]]:
    """The ranges [low, high) of a DW_AT_ranges (link-time addresses)."""
    try:
        if unit.version >= 5:
            data = sections.get("rnglists")
            at = _list_start(data, unit.rnglists_base, value)
            entries = _walk5(sections, unit, data, at, False)
        else:
            entries = _walk4(sections, sections.get("ranges"), value, unit.low_pc, False)
    except IndexError:
        return []
    return [(e.low, e.high) for e in entries]


def _list_start(data: bytes, base: int, value: int) -> int:
    # Go and GCC use DW_FORM_sec_offset mostly and DW_FORM_loclistx/rnglistx sometimes; an index
    # is smaller than the offset of any list, which lies behind a table header of 12 bytes.
    if base and value < base:
        return base + int.from_bytes(data[base + 4 * value : base + 4 * value + 4], "little")
    return value


def _walk4(
    sections: Sections, data: bytes, at: int, base: int, expressions: bool
) -> list[LocationEntry]:
    entries: list[LocationEntry] = []
    for _ in range(_LIMIT):
        sections.budget.spend(STEP)
        low = int.from_bytes(data[at : at + 8], "little")
        high = int.from_bytes(data[at + 8 : at + 16], "little")
        if at + 16 > len(data) or not (low or high):
            break
        at += 16
        if low == _ALWAYS - 1:
            base = high
            continue
        expression = b""
        if expressions:
            size = int.from_bytes(data[at : at + 2], "little")
            expression = data[at + 2 : at + 2 + size]
            sections.budget.spend(len(expression))
            at += 2 + size
        entries.append(LocationEntry(base + low, base + high, expression))
    return entries


def _walk5(
    sections: Sections, unit: Unit, data: bytes, at: int, expressions: bool
) -> list[LocationEntry]:
    entries: list[LocationEntry] = []
    base = unit.low_pc
    address: Callable[[int], int] = lambda i: sections.indexed_address(unit.addr_base, i)  # noqa: E731
    word: Callable[[int], int] = lambda at: int.from_bytes(data[at : at + 8], "little")  # noqa: E731
    # Ranges lack the default-location entry, so their codes are one lower from there on.
    shift = 0 if expressions else 1
    for _ in range(_LIMIT):
        sections.budget.spend(STEP)
        kind = data[at]
        at += 1
        if kind >= _LOC_DEFAULT:
            kind += shift
        low, high = 0, _ALWAYS
        if kind == _END:
            break
        if kind == _BASE_X:
            index, at = uleb(data, at)
            base = address(index)
            continue
        if kind == _LOC_BASE:
            base, at = word(at), at + 8
            continue
        if kind in (_START_END_X, _START_LENGTH_X, _OFFSETS):
            a, at = uleb(data, at)
            b, at = uleb(data, at)
            low = base + a if kind == _OFFSETS else address(a)
            high = {_OFFSETS: base + b, _START_LENGTH_X: low + b}.get(kind) or address(b)
        elif kind == _LOC_START_END:
            low, high, at = word(at), word(at + 8), at + 16
        elif kind == _LOC_START_LENGTH:
            low, at = word(at), at + 8
            size, at = uleb(data, at)
            high = low + size
        elif kind != _LOC_DEFAULT:
            break
        expression = b""
        if expressions:
            size, at = uleb(data, at)
            expression = data[at : at + size]
            sections.budget.spend(len(expression))
            at += size
        entries.append(LocationEntry(low, high, expression))
    return entries
