"""Where control may come to another line of the source: of whole functions, by their line tables.

A place is told by its chain: the functions of the source that stand there, the physical one first,
each with its line (the call's line for all but the last), as `Code.source` has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import msgspec

from goprobe.analysis.trace.goscopes import root_of
from goprobe.arch.instructions import LONGEST, Transfer, transfers
from goprobe.binary.pcln.format import FUNCDATA_INL_TREE, PCDATA_INL_TREE_INDEX, Function
from goprobe.binary.pcln.inlining import without_position
from goprobe.errors import UnreadableError
from goprobe.runtime.image.code import Code
from goprobe.runtime.image.program import GoProgram

_DEFERS = "runtime.deferproc"
_CODE_LIMIT = 1 << 20

Chain = tuple[tuple[str, int], ...]


class Landing(msgspec.Struct, frozen=True):
    """An address that control may come to otherwise than from the code of the same chain."""

    address: int
    chain: Chain


DEFERRING = (
    "runtime.deferreturn", "runtime.gopanic", "runtime.Goexit", "runtime.runOpenDeferFrame",
    "runtime.deferCallSave",
)  # fmt: skip
"""They call deferred functions (runtime/panic.go, Go 1.21 to 1.27; the last two up to 1.21)."""


class SourceLines:
    """Of one program, at its addresses in the process (`bias`); what was looked up is kept."""

    def __init__(self, program: GoProgram, bias: int) -> None:
        self._program = program
        self._bias = bias
        self._table = program.lines.rebased(bias) if bias else program.lines
        self._code = Code(self._table)
        self._wrappers: dict[int, bool] = {}
        self._landings: dict[int, tuple[Landing, ...]] = {}
        self._transfers: dict[int, tuple[Transfer, ...]] = {}

    def function_at(self, pc: int) -> Function | None:
        return self._code.function_at(pc)

    def chain(self, pc: int) -> Chain:
        return tuple((f.function, f.line) for f in reversed(self._code.source(pc)))

    def is_wrapper(self, pc: int) -> bool:
        """Whether the compiler has made the function that stands there."""
        if pc not in self._wrappers:
            source = self._code.source(pc)
            self._wrappers[pc] = bool(source) and source[0].wrapper
        return self._wrappers[pc]

    def group(self, root: str) -> Iterator[Function]:
        """The code of a function and of the bodies of its loops over functions."""
        for name in (root, *self._bodies.get(root, ())):
            yield from self._table.functions_named(name)

    @cached_property
    def _bodies(self) -> dict[str, list[str]]:
        bodies: dict[str, list[str]] = {}
        for name in self._table.names():
            if "-range" in name and (root := root_of(name)) != name:
                bodies.setdefault(root, []).append(name)
        return bodies

    def landings(self, function: Function) -> tuple[Landing, ...]:
        landings = self._landings.get(function.entry)
        if landings is None:
            landings = self._landings[function.entry] = tuple(self._landed(function))
        return landings

    def _landed(self, function: Function) -> Iterator[Landing]:
        table, low = self._table, function.entry
        starts = {t.target for t in self.transfers(function) if not t.call and t.target}
        for offset in (function.pcln, function.pcfile):
            starts |= {low + start for start, _, _ in table.runs(offset)}
        if table.funcdata(function, FUNCDATA_INL_TREE):
            runs = table.pcdata_runs(function, PCDATA_INL_TREE_INDEX)
            starts |= {low + start for start, _, _ in runs}
            starts -= set(without_position(table, function, low, function.end))
        for at in sorted(at for at in starts if low <= at < function.end):
            if chain := self.chain(at):
                yield Landing(at, chain)

    def transfers(self, function: Function) -> tuple[Transfer, ...]:
        """The branches and calls of a function."""
        low = function.entry
        if low not in self._transfers:
            size = min(function.end - low, _CODE_LIMIT)
            try:
                code = self._program.elf.read(low - self._bias, size)
            except UnreadableError:
                code = b""
            self._transfers[low] = tuple(transfers(code, low))
        return self._transfers[low]

    def instruction(self, pc: int) -> bytes:
        """The bytes of the one at an address, and some behind it; none where there is no code."""
        for size in (LONGEST, 1):  # a short one may be the very last
            try:
                return self._program.elf.read(pc - self._bias, size)
            except UnreadableError:
                continue
        return b""

    @cached_property
    def deferring(self) -> tuple[int, ...]:
        """Where the runtime calls deferred functions."""
        functions = (f for name in DEFERRING for f in self._table.functions_named(name))
        return tuple(t.at for f in functions for t in self.transfers(f) if t.call and not t.target)

    def recoveries(self, function: Function) -> Iterator[int]:
        """Where a function goes on that has recovered a panic: at its call of runtime.deferreturn,
        or behind that of deferproc, which seems to return again (runtime/panic.go, recovery)."""
        if function.deferreturn:
            yield function.entry + function.deferreturn
            for transfer in self.transfers(function):
                target = self.function_at(transfer.target) if transfer.call else None
                if target and target.name.startswith(_DEFERS):
                    yield transfer.next

    def body(self, function: Function) -> int:
        """Where a function's body begins, behind its prologue."""
        debug, low = self._program.debug, function.entry - self._bias
        entry = debug.function_at(low)
        if entry is None:
            return function.entry
        unit = debug.unit_at(entry.offset)
        return self._program.rows.after_prologue(entry.low, entry.high, unit) + self._bias
