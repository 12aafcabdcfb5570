"""Which compilation unit the code at an address is of."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from goprobe.binary.dwarf.dieindex import Sections, Unit
from goprobe.binary.dwarf.loclist import range_list


class UnitCode:
    """The code of units, as they themselves say where it is."""

    def __init__(self, sections: Sections, units: Sequence[Unit]) -> None:
        self._units = units
        self._ranges = sorted(_ranges(sections, units))
        self._starts = [low for low, _, _ in self._ranges]

    def at(self, pc: int) -> Unit | None:
        """The unit whose code lies at a link-time address."""
        row = bisect_right(self._starts, pc) - 1
        if row < 0 or pc >= self._ranges[row][1]:
            return None
        return self._units[self._ranges[row][2]]


def _ranges(sections: Sections, units: Sequence[Unit]) -> Iterator[tuple[int, int, int]]:
    for number, unit in enumerate(units):
        listed = [(unit.low_pc, unit.high_pc)]
        if unit.ranges >= 0:
            listed = range_list(sections, unit, unit.ranges)
        yield from ((low, high, number) for low, high in listed if low < high)
