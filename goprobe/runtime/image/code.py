"""All Go code of a process: the program's line table and those of its plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from goprobe.binary.pcln.format import Function, SourceFrame
from goprobe.binary.pcln.table import LineTable
from goprobe.errors import NotGoError, UnreadableError
from goprobe.process.memory.memory import Memory
from goprobe.runtime.image.modules import Module, line_table_of

_KEPT = 1 << 16


class Spot(msgspec.Struct, frozen=True):
    """What unwinding needs to know of one pc: `size` is that of the frame there, -1: unknown."""

    function: Function
    name: str
    size: int


class Code:
    """Looks up pcs of one process. `main` is the program's own table at live addresses; `witness`
    is told of each function that is found in it.

    What was looked up is kept: many goroutines stand at the same few pcs.
    """

    def __init__(
        self,
        main: LineTable,
        modules: Iterable[Module] = (),
        memory: Memory | None = None,
        witness: Callable[[int, Function], None] = lambda pc, function: None,
    ) -> None:
        self._tables: list[tuple[int, int, LineTable | Module]] = [(main.low, main.high, main)]
        for module in modules:
            if not module.bad and not module.minpc <= main.low < module.maxpc:
                self._tables.append((module.minpc, module.maxpc, module))
        self._memory = memory
        self._witness = witness
        self._spots: dict[int, Spot | None] = {}
        self._sources: dict[int, tuple[SourceFrame, ...]] = {}

    def table_at(self, pc: int) -> LineTable | None:
        """The line table of the module whose code holds `pc`; None for what is not Go's code."""
        for index, (low, high, table) in enumerate(self._tables):
            if low <= pc < high:
                return table if isinstance(table, LineTable) else self._open(index, table)
        return None

    def _open(self, index: int, module: Module) -> LineTable | None:
        if self._memory is None:
            return None
        try:
            table = line_table_of(self._memory, module)
        except (UnreadableError, NotGoError):
            return None
        self._tables[index] = (module.minpc, module.maxpc, table)
        return table

    def function_at(self, pc: int) -> Function | None:
        """The function whose code holds `pc`; None for what is not Go's code, or is corrupt."""
        spot = self.spot(pc)
        return spot.function if spot else None

    def spot(self, pc: int) -> Spot | None:
        if pc in self._spots:
            return self._spots[pc]
        if len(self._spots) >= _KEPT:
            self._spots.clear()
        spot = self._spots[pc] = self._look(pc)
        return spot

    def _look(self, pc: int) -> Spot | None:
        table = self.table_at(pc)
        try:
            function = table.function_at(pc) if table else None
            if table is None or function is None:
                return None
            if table is self._tables[0][2]:
                self._witness(pc, function)
            return Spot(function, function.name, table.frame_size(function, pc))
        except UnreadableError:
            return None

    def source(self, pc: int) -> tuple[SourceFrame, ...]:
        """The functions of the source at `pc`, innermost first; () where it is no Go code."""
        frames = self._sources.get(pc)
        if frames is None:
            if len(self._sources) >= _KEPT:
                self._sources.clear()
            frames = self._sources[pc] = self._source(pc)
        return frames

    def _source(self, pc: int) -> tuple[SourceFrame, ...]:
        spot = self.spot(pc)
        if spot is None:
            return ()
        try:
            return tuple(spot.function.table.inline_stack(spot.function, pc))
        except UnreadableError:
            return (SourceFrame(spot.name, "", 0, False, spot.function.start_line),)
