"""A Go binary as goprobe knows it before any process runs: code, types, layouts, roots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING

from goprobe.binary.cache import cached, room_of
from goprobe.binary.dwarf import dieindex, forms, gotypes, info
from goprobe.binary.dwarf.dieindex import FunctionEntry
from goprobe.binary.dwarf.info import DebugInfo
from goprobe.binary.dwarf.lines import LineRows
from goprobe.binary.elf.buildinfo import BuildInfo, GoVersion
from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.elf.functionsymbols import FunctionSymbols
from goprobe.binary.elf.parts import Derived
from goprobe.binary.pcln.find import open_line_table
from goprobe.binary.pcln.format import Function
from goprobe.binary.pcln.soundness import misnamed
from goprobe.binary.pcln.table import LineTable
from goprobe.binary.release import build_info
from goprobe.binary.stretches import Stretches
from goprobe.elfheaders import PT_LOAD
from goprobe.errors import NotGoError, UnreadableError
from goprobe.files import changed_after
from goprobe.runtime.layout import fields, layout
from goprobe.runtime.layout.layout import Facts, layout_from_debug, roots_from_debug

if TYPE_CHECKING:
    from goprobe.runtime.image.goimage import GoImage
    from goprobe.runtime.values.functionvars import FunctionVariables

_MOST_TOLD, _MOST_CHECKED = 4, 1 << 14
FACTS_ROOM = room_of(
    "facts", fields.__file__, layout.__file__, info.__file__, forms.__file__,
    dieindex.__file__, gotypes.__file__,
)  # fmt: skip


class GoProgram:
    """A binary opened once. All addresses are link-time addresses (add the load bias).

    `assume_go` ("1.27") names the Go release that it is read as, whatever it says itself. Raises
    NotGoError where it is no Go program that goprobe can read, UsageError for no release.
    """

    def __init__(self, elf: ElfFile, *, assume_go: str = "") -> None:
        self.elf = elf
        self.debug = DebugInfo(elf)
        self.info: BuildInfo = build_info(elf, self.debug, assume=assume_go)
        self._variables: dict[int, FunctionVariables] = {}
        self._looked_up: dict[int, Function] = {}
        self._sources: dict[str, bool] = {}
        self._facts: Facts | None = None
        self.plugins: dict[tuple[str, int, str, int], GoImage | None] = {}
        """Those that processes of it have loaded, opened once; None where that cannot be."""

    def source(self, file: str) -> str:
        """A source file that the debug information names; "" where it was changed after the
        program was built, and may show what the program is not made of."""
        if file not in self._sources:
            self._sources[file] = not changed_after(file, self.elf.status.st_mtime_ns)
        return file if self._sources[file] else ""

    def renew(self) -> None:
        """Another question begins: what it may cost to read the binary is whole again."""
        self.elf.budget.renew()

    @property
    def go(self) -> GoVersion:
        return self.info.go

    @property
    def stripped(self) -> bool:
        return not self.debug.present

    @property
    def facts(self) -> Facts:
        """Layouts and roots, those adopted first."""
        if self._facts is None:
            self._facts = self._described_facts()
        return self._facts

    def _described_facts(self) -> Facts:
        """Those of the debug information, from the cache where this binary was seen before."""
        if self.stripped:
            raise NotGoError(
                f"{self.elf.shown_as} is stripped: its runtime can be found only in a running "
                "process"
            )
        return cached(FACTS_ROOM, Derived(self.debug.source, str(self.go)), Facts, self._read_facts)

    def adopt(self, facts: Facts) -> None:
        """Take layouts and roots that were found otherwise, for a stripped binary."""
        self._facts = facts

    def _read_facts(self) -> Facts:
        return Facts(layout_from_debug(self.debug, str(self.go)), roots_from_debug(self.debug))

    @property
    def contradictions(self) -> tuple[str, ...]:
        """What the line table has told otherwise than the symbol table, or than it tells itself
        elsewhere, of what was looked up. Not to be asked for while a process stands: it takes
        milliseconds."""
        said = (f"{self.elf.shown_as} contradicts itself: {told}" for told in self._contradicted())
        return tuple(islice(said, _MOST_TOLD))

    def _contradicted(self) -> Iterator[str]:
        if not self._looked_up:
            return
        symbols = FunctionSymbols(self.elf)
        tables: dict[LineTable, list[tuple[int, Function]]] = {}
        for pc, function in self._looked_up.items():
            tables.setdefault(function.table, []).append((pc, function))
            bias = function.table.text - self.lines.text
            try:
                told = symbols.contradiction(pc - bias, function.entry - bias, function.name)
            except UnreadableError as error:
                told = f"of the function at {pc - bias:#x} {error.why}"
            if told:
                yield told
        for table, spots in tables.items():
            yield from misnamed(table, spots)

    def looked_up(self, pc: int, function: Function) -> None:
        """That a process's line table has this function at `pc` was told."""
        if len(self._looked_up) < _MOST_CHECKED:
            self._looked_up[pc] = function

    @cached_property
    def image(self) -> tuple[int, int]:
        """[low, high) of the loaded image at link-time addresses, in whole pages."""
        loads = [s for s in self.elf.segments if s.type == PT_LOAD]
        low = min((s.address for s in loads), default=0) & ~0xFFF
        high = max((s.address + s.size for s in loads), default=0)
        return low, (high + 0xFFF) & ~0xFFF

    @cached_property
    def stretches(self) -> Stretches:
        """What lies where in the image."""
        return Stretches(self.elf, PurePath(self.elf.shown_as).name)

    @cached_property
    def lines(self) -> LineTable:
        """Functions, files and lines by pc, from pclntab: there in every Go binary."""
        return open_line_table(self.elf)

    @cached_property
    def rows(self) -> LineRows:
        """The debug information's line table: statements and ends of prologues."""
        return LineRows(self.debug)

    def statements(self, functions: Iterable[Function]) -> list[int]:
        """The addresses at which the debug information says that statements begin, sorted: those
        of the functions' compilation units."""
        holding = (self.debug.units.with_code(function.entry) for function in functions)
        units = {unit.offset: unit for unit in holding if unit}
        rows = (row for unit in units.values() for row in self.rows.rows(unit))
        return sorted({row.address for row in rows if row.statement})

    def function_variables(self, function: FunctionEntry) -> FunctionVariables:
        """What is known of a function's variables, worked out once."""
        variables = self._variables.get(function.low)
        if variables is None:
            # Brings the decoder of instructions along, which most questions do not need.
            from goprobe.runtime.values.functionvars import FunctionVariables, StaticParts

            variables = self._variables[function.low] = FunctionVariables(
                StaticParts(self.elf, self.debug, self.lines, self.rows), function
            )
        return variables

    def parameter_names(self, function: str) -> tuple[str, ...]:
        """The parameters of a function, receiver first, results left out."""
        entry = self.debug.functions.get(function)
        offset = entry.offset if entry else self.debug.index.abstract.get(function, 0)
        return self.debug.parameter_names(offset) if offset else ()

    def declaration(self, function: str) -> tuple[str, int]:
        """File and line of a function's declaration; the file is "" where only inlined copies
        of it exist, the line 0 where it is not known."""
        with suppress(UnreadableError):  # the line table is corrupt there
            about = self.lines.function_named(function)
            if about:
                return about.file, about.start_line
        offset = self.debug.index.abstract.get(function, 0)
        return "", self.debug.declared_line(offset) if offset else 0

    def function_name(self, pc: int) -> str:
        """The function whose code covers a link-time address, "" where there is none."""
        with suppress(UnreadableError):  # the line table is corrupt there
            function = self.lines.function_at(pc)
            if function:
                self.looked_up(pc, function)
                return function.name
        symbol = self.elf.symbol_at(pc)
        return symbol.name if symbol else ""
