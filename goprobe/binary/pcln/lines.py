"""From source to machine code by the line table alone: files, and the pcs of a line.

The table has no "statement" marks as DWARF has: a line's places are where a run of instructions
of that line begins.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from functools import cached_property

import msgspec

from goprobe.binary.pcln.format import FUNCDATA_INL_TREE, PCDATA_INL_TREE_INDEX, Function
from goprobe.binary.pcln.table import LineTable
from goprobe.errors import UnreadableError

_UNIT_LIMIT = 1 << 16


class LinePlace(msgspec.Struct, frozen=True):
    """Machine code of one source line: [pc, end) in `function`, which may be another function's
    body inlined into it (`inlined`: index of the call in its inline tree, -1 for its own).

    `first`: the lowest address of that line in that body, where a breakpoint belongs.
    """

    function: Function
    pc: int
    end: int
    inlined: int
    first: bool


class Lines:
    """Lookups by source position in one table. Corrupt functions are left out."""

    def __init__(self, table: LineTable) -> None:
        self.table = table

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Every source file that the table knows, sorted."""
        return tuple(sorted({name for name, _ in self._file_offsets}))

    @cached_property
    def _file_offsets(self) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        at = 0
        for name in self.table.file_bytes().split(b"\0"):
            if name and len(found) <= self.table.header.files:
                found.append((name.decode("utf-8", "replace"), at))
            at += len(name) + 1
        return found

    def matching(self, file: str) -> list[str]:
        """The files that `file` names: the whole path, or its last parts (`pkg/file.go`)."""
        tail = "/" + file.lstrip("./")
        return [name for name in self.files if name == file or name.endswith(tail)]

    @cached_property
    def _functions_by_unit(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for index, unit in enumerate(self.table.units_of_functions()):
            found.setdefault(unit, []).append(index)
        return found

    def _numbers(self, file: str) -> Iterator[tuple[int, int]]:
        """(compilation unit, number) under which units know a file."""
        offset = next((at for name, at in self._file_offsets if name == file), -1)
        known = sorted(self._functions_by_unit)
        positions = [i for i, at in enumerate(self.table.unit_files()) if at == offset]
        for position in positions:
            owner = max((u for u in known if u <= position), default=-1)
            if owner >= 0 and position - owner < _UNIT_LIMIT:
                yield owner, position - owner

    def places(self, file: str, line: int) -> list[LinePlace]:
        """Where the code of `file:line` is, in address order; `file` as `files` has it."""
        found: list[LinePlace] = []
        for unit, number in self._numbers(file):
            for index in self._functions_by_unit[unit]:
                try:
                    function = self.table.function(index)
                    found += self._in_function(function, number, line)
                except UnreadableError:
                    continue
        return sorted(found, key=lambda p: p.pc)

    def _in_function(self, function: Function, number: int, line: int) -> Iterator[LinePlace]:
        files = self.table.runs(function.pcfile)
        if number not in files.values:
            return
        indices = self.table.pcdata_runs(function, PCDATA_INL_TREE_INDEX)
        seen: set[int] = set()
        for start, end, value in self.table.runs(function.pcln):
            if value != line:
                continue
            for at, stop in _cut(start, end, files.ends, indices.ends):
                if files.value(at) == number:
                    body = indices.value(at)
                    yield LinePlace(
                        function, function.entry + at, function.entry + stop, body, body not in seen
                    )
                    seen.add(body)

    def lines_of(self, file: str) -> list[int]:
        """The lines of a file that have code, in order."""
        found: set[int] = set()
        for unit, number in self._numbers(file):
            for index in self._functions_by_unit[unit]:
                try:
                    found.update(self._lines_in(self.table.function(index), number))
                except UnreadableError:
                    continue
        return sorted(found)

    def _lines_in(self, function: Function, number: int) -> Iterator[int]:
        files = self.table.runs(function.pcfile)
        if number not in files.values:
            return
        for start, end, line in self.table.runs(function.pcln):
            for at, _ in _cut(start, end, files.ends):
                if line > 0 and files.value(at) == number:
                    yield line

    def inlined_bodies(self, name: str) -> Iterator[tuple[Function, int, int]]:
        """Where a function was inlined: (the function it is in, first pc, end) of each run."""
        wanted = self.table.name_offset(name)
        for function in self.table.functions() if wanted >= 0 else ():
            try:
                if self.table.funcdata(function, FUNCDATA_INL_TREE):
                    yield from self._bodies_in(function, wanted)
            except UnreadableError:
                continue

    def _bodies_in(self, function: Function, wanted: int) -> Iterator[tuple[Function, int, int]]:
        ours: dict[int, bool] = {}
        for start, end, index in self.table.pcdata_runs(function, PCDATA_INL_TREE_INDEX):
            if index >= 0 and index not in ours:
                ours[index] = self.table.inlined_call(function, index).name_offset == wanted
            if ours.get(index):
                yield function, function.entry + start, function.entry + end


def _cut(start: int, end: int, *borders: array[int]) -> Iterator[tuple[int, int]]:
    """[start, end) cut at the run ends of other tables."""
    inside = sorted({b for ends in borders for b in ends if start < b < end})
    yield from zip([start, *inside], [*inside, end], strict=True)
