"""Which code is of which line of the source: by the debug information, or in a stripped program by
Go's own line table, which stays in it (runtime.pclntab)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from goprobe.binary.dwarf.dieindex import FunctionEntry
from goprobe.binary.dwarf.lines import LineRow
from goprobe.binary.pcln.format import Function
from goprobe.binary.pcln.table import LineTable
from goprobe.runtime.image.program import GoProgram

_NO_UNIT = 0xFFFFFFFF
_UNDESCRIBED = -1


class CodeLines:
    """Of one program."""

    def __init__(self, program: GoProgram) -> None:
        self._program = program

    def files(self) -> set[str]:
        """The files of the source, as the binary calls them."""
        program = self._program
        if program.stripped:
            return {file for _, files in _units(program.lines) for file in files}
        return {name for unit in program.debug.index.units for name in program.rows.files(unit)}

    def tables(self, wanted: Callable[[str], bool]) -> Iterator[tuple[LineRow, ...]]:
        """The rows of all that may have code of such a file, in runs that belong together."""
        program = self._program
        if not program.stripped:
            for unit in program.debug.index.units:
                if any(wanted(name) for name in program.rows.files(unit)):
                    yield program.rows.rows(unit)
            return
        table = program.lines
        units = {offset for offset, files in _units(table) if any(map(wanted, files))}
        for index, offset in enumerate(table.units_of_functions()):
            if offset in units:
                yield tuple(_rows(table, table.function(index)))

    def function_at(self, pc: int) -> FunctionEntry | None:
        """The function whose code holds a link-time address."""
        program = self._program
        if not program.stripped:
            return program.debug.function_at(pc)
        known = program.lines.function_at(pc)
        if known is None:
            return None
        return FunctionEntry(known.entry, known.end, _UNDESCRIBED, known.name)

    def is_optimised(self, function: FunctionEntry) -> bool:
        """Whether a function may have been compiled with the optimiser on."""
        program = self._program
        return program.info.optimized if program.stripped else program.debug.is_optimised(function)


def _units(table: LineTable) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every compilation unit with its files: one unit's lie behind the other's."""
    units = sorted(set(table.units_of_functions()) - {_NO_UNIT})
    for unit, after in pairwise((*units, len(table.unit_files()))):
        yield unit, tuple(table.file_name(unit, number) for number in range(after - unit))


def _rows(table: LineTable, function: Function) -> Iterator[LineRow]:
    """A function's, and where its code ends. Nothing there says where a statement begins: each
    row may."""
    files, lines = table.runs(function.pcfile), table.runs(function.pcln)
    starts = sorted({start for runs in (files, lines) for start, _, _ in runs})
    for start in starts:
        file = table.file_name(function.unit, files.value(start))
        yield LineRow(function.entry + start, file, max(lines.value(start), 0), True, False)
    yield LineRow(function.end, "", 0, False, False)
