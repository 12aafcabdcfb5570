"""The line table of the debug information: where statements begin, and where prologues end.

DWARF 4 and 5, section 6.2. Go marks the end of each function's prologue (prologue_end) and the
pcs worth stopping at (is_stmt); pclntab, which serves everything else, has neither.
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from goprobe.binary.dwarf import DebugInfo
from goprobe.binary.dwarfforms import FORM_DATA16, FORM_STRING, read_form, sleb, uleb
from goprobe.binary.dwarfindex import Sections, Unit

_ROW_LIMIT = 1 << 24
_FILE_LIMIT = 1 << 16


class Row(msgspec.Struct, frozen=True):
    """A row of the line table: `address` is a link-time address, `file` an absolute path."""

    address: int
    file: str
    line: int
    statement: bool
    prologue_end: bool


@dataclass
class _State:
    address: int = 0
    file: int = 1
    line: int = 1
    statement: bool = True
    prologue_end: bool = False


class _Header(msgspec.Struct, frozen=True):
    files: tuple[str, ...]
    first_file: int
    start: int
    end: int
    minimum: int
    statement: bool
    line_base: int
    line_range: int
    opcode_base: int
    lengths: bytes


class LineRows:
    """Reads the line programs of units as they are asked for."""

    def __init__(self, debug: DebugInfo) -> None:
        self._debug = debug
        self._sections = Sections(debug.elf)
        self._rows: dict[int, tuple[Row, ...]] = {}

    def rows(self, unit: Unit) -> tuple[Row, ...]:
        """A unit's rows in the order of its program; empty where it has none or it is corrupt."""
        if unit.stmt_list not in self._rows:
            self._rows[unit.stmt_list] = self._read(unit)
        return self._rows[unit.stmt_list]

    def _read(self, unit: Unit) -> tuple[Row, ...]:
        if unit.stmt_list < 0:
            return ()
        try:
            header = self._header(unit)
            return tuple(_run(self._sections.get("line"), header))
        except (IndexError, ValueError, struct.error):
            return ()

    def files(self, unit: Unit) -> tuple[str, ...]:
        """The files that a unit's line table names."""
        if unit.stmt_list < 0:
            return ()
        try:
            return self._header(unit).files
        except (IndexError, ValueError, struct.error):
            return ()

    def after_prologue(self, low: int, high: int, unit: Unit) -> int:
        """Where the body of the function at [low, high) begins: prologue_end, else `low`."""
        for row in self.rows(unit):
            if row.prologue_end and low <= row.address < high:
                return row.address
        return low

    def _header(self, unit: Unit) -> _Header:
        data, at = self._sections.get("line"), unit.stmt_list
        (length, version) = struct.unpack_from("<IH", data, at)
        end = at + 4 + length
        at += 6
        if version >= 5:
            at += 2
        (header_length,) = struct.unpack_from("<I", data, at)
        at += 4
        start = at + header_length
        minimum = data[at]
        at += 2 if version >= 4 else 1
        statement, line_base = bool(data[at]), struct.unpack_from("<b", data, at + 1)[0]
        line_range, opcode_base = data[at + 2], data[at + 3]
        lengths = data[at + 4 : at + 3 + opcode_base]
        at += 3 + opcode_base
        if not line_range or end > len(data):
            raise ValueError("a corrupt line table")
        files = self._files5(data, at) if version >= 5 else _files4(data, at, unit.comp_dir)
        return _Header(files, 0 if version >= 5 else 1, start, end, minimum, statement,
                       line_base, line_range, opcode_base, lengths)  # fmt: skip

    def _files5(self, data: bytes, at: int) -> tuple[str, ...]:
        directories, at = self._entries5(data, at)
        files, _ = self._entries5(data, at)
        names = [d for d, _ in directories]
        return tuple(
            posixpath.join(names[index] if index < len(names) else "", name)
            for name, index in files
        )

    def _entries5(self, data: bytes, at: int) -> tuple[list[tuple[str, int]], int]:
        formats = []
        count = data[at]
        at += 1
        for _ in range(count):
            content, at = uleb(data, at)
            form, at = uleb(data, at)
            formats.append((content, form))
        total, at = uleb(data, at)
        found: list[tuple[str, int]] = []
        for _ in range(min(total, _FILE_LIMIT)):
            name, directory = "", 0
            for content, form in formats:
                if form == FORM_DATA16:
                    at += 16
                    continue
                value, at = read_form(data, at, form, 0, self._sections.string)
                if content == 1 and isinstance(value, str):
                    name = value
                elif content == 2 and isinstance(value, int):
                    directory = value
            found.append((name, directory))
        return found, at


def _string(data: bytes, at: int) -> tuple[str, int]:
    value, at = read_form(data, at, FORM_STRING, 0, lambda _f, _o: "")
    return str(value), at


def _files4(data: bytes, at: int, comp_dir: str) -> tuple[str, ...]:
    directories = [comp_dir]
    while data[at]:
        name, at = _string(data, at)
        directories.append(posixpath.join(comp_dir, name))
    at += 1
    files: list[str] = []
    while data[at] and len(files) < _FILE_LIMIT:
        name, at = _string(data, at)
        index, at = uleb(data, at)
        _, at = uleb(data, at)
        _, at = uleb(data, at)
        base = directories[index] if index < len(directories) else ""
        files.append(posixpath.join(base, name))
    return tuple(files)


def _run(data: bytes, header: _Header) -> Iterator[Row]:
    state = _State(statement=header.statement)
    at, count = header.start, 0

    def row() -> Row:
        index = state.file - header.first_file
        file = header.files[index] if 0 <= index < len(header.files) else "?"
        made = Row(state.address, file, state.line, state.statement, state.prologue_end)
        state.prologue_end = False
        return made

    while at < header.end and count < _ROW_LIMIT:
        count += 1
        op = data[at]
        at += 1
        if op >= header.opcode_base:
            adjusted = op - header.opcode_base
            state.address += adjusted // header.line_range * header.minimum
            state.line += header.line_base + adjusted % header.line_range
            yield row()
        elif op == 0:
            size, at = uleb(data, at)
            sub = data[at]
            if sub == 2:
                state.address = int.from_bytes(data[at + 1 : at + 9], "little")
            at += size
            if sub == 1:
                state = _State(statement=header.statement)
        else:
            at = _standard(op, data, at, header, state)
            if op == 1:
                yield row()


def _standard(op: int, data: bytes, at: int, header: _Header, state: _State) -> int:
    if op == 2:
        value, at = uleb(data, at)
        state.address += value * header.minimum
    elif op == 3:
        value, at = sleb(data, at)
        state.line += value
    elif op == 4:
        state.file, at = uleb(data, at)
    elif op == 6:
        state.statement = not state.statement
    elif op == 8:
        state.address += (255 - header.opcode_base) // header.line_range * header.minimum
    elif op == 9:
        state.address += int.from_bytes(data[at : at + 2], "little")
        at += 2
    elif op == 10:
        state.prologue_end = True
    elif op not in (1, 7, 11):
        for _ in range(header.lengths[op - 1]):
            _, at = uleb(data, at)
    return at
