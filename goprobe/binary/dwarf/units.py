"""The compilation units of a binary: which of them an entry is of, and which the code at a pc."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property

from goprobe.binary.dwarf.dieindex import Sections, Unit
from goprobe.binary.dwarf.loclist import range_list
from goprobe.errors import NotGoError


class Units:
    """Raises NotGoError for offsets that are no unit's."""

    def __init__(self, sections: Sections, units: Sequence[Unit]) -> None:
        self.all = units
        self._sections = sections
        self._last: Unit | None = None

    def at(self, offset: int) -> Unit:
        """The unit of what lies at an offset of .debug_info."""
        last = self._last
        if last is None or not last.offset <= offset < last.end:
            row = bisect_right(self.all, offset, key=lambda u: u.offset)
            if not row or offset >= self.all[row - 1].end:
                shown_as = self._sections.elf.shown_as
                raise NotGoError(f"{shown_as}: its debug information is corrupt")
            last = self._last = self.all[row - 1]
        return last

    def with_code(self, pc: int) -> Unit | None:
        """The unit whose code lies at a link-time address, as the units themselves say."""
        row = bisect_right(self._ranges, pc, key=lambda r: r[0]) - 1
        if row < 0 or pc >= self._ranges[row][1]:
            return None
        return self.all[self._ranges[row][2]]

    @cached_property
    def _ranges(self) -> list[tuple[int, int, int]]:
        return sorted(self._ranges_of_all())

    def _ranges_of_all(self) -> Iterator[tuple[int, int, int]]:
        for number, unit in enumerate(self.all):
            listed = [(unit.low_pc, unit.high_pc)]
            if unit.ranges >= 0:
                listed = range_list(self._sections, unit, unit.ranges)
            yield from ((low, high, number) for low, high in listed if low < high)
