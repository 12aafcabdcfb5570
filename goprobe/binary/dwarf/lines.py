"""The line table of the debug information: where statements begin, and where prologues end.

DWARF 4 and 5, section 6.2. Go marks the end of each function's prologue (prologue_end) and the
pcs worth stopping at (is_stmt); pclntab, which serves everything else, has neither.
"""

from __future__ import annotations

import posixpath
import struct
from collections.abc import Iterator

import msgspec

from goprobe.binary.dwarf.dieindex import Sections, Unit
from goprobe.binary.dwarf.forms import FORM_DATA16, FORM_STRING, read_form, sleb, uleb
from goprobe.binary.dwarf.info import DebugInfo
from goprobe.budget import STEP, Budget

_ROW_LIMIT = 1 << 24  # bytes of a line program that are read: a row takes one at least
_FILE_LIMIT = 1 << 16
_BYTE = STEP  # what a byte of a line program costs: it may make a row, which is kept
_END_SEQUENCE, _SET_ADDRESS = 1, 2  # DW_LNE_…, DWARF 5, 7.22


class LineRow(msgspec.Struct, frozen=True):
    """A row of the line table: `address` is a link-time address, `file` an absolute path."""

    address: int
    file: str
    line: int
    statement: bool
    prologue_end: bool


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
        self._rows: dict[int, tuple[LineRow, ...]] = {}
        self._files: dict[int, tuple[str, ...]] = {}

    def rows(self, unit: Unit) -> tuple[LineRow, ...]:
        """A unit's rows in the order of its program; empty where it has none or it is corrupt."""
        if unit.stmt_list not in self._rows:
            self._rows[unit.stmt_list] = self._read(unit)
        return self._rows[unit.stmt_list]

    def _read(self, unit: Unit) -> tuple[LineRow, ...]:
        if unit.stmt_list < 0:
            return ()
        try:
            header = self._header(unit)
            return tuple(_run(self._sections.get("line"), header, self._sections.budget))
        except (IndexError, KeyError, ValueError, struct.error):
            return ()

    def files(self, unit: Unit) -> tuple[str, ...]:
        """The files that a unit's line table names."""
        if unit.stmt_list not in self._files:
            try:
                files = self._header(unit).files if unit.stmt_list >= 0 else ()
            except (IndexError, KeyError, ValueError, struct.error):
                files = ()
            self._files[unit.stmt_list] = files
        return self._files[unit.stmt_list]

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
        return _Header(
            files,
            0 if version >= 5 else 1,
            start,
            end,
            minimum,
            statement,
            line_base,
            line_range,
            opcode_base,
            lengths,
        )

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
        entries: list[tuple[str, int]] = []
        for _ in range(min(total, _FILE_LIMIT)):
            self._sections.budget.spend(STEP * (1 + len(formats)))
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
            entries.append((name, directory))
        return entries, at


def _string(data: bytes, at: int) -> tuple[str, int]:
    value, at = read_form(data, at, FORM_STRING, 0, lambda _f, _o: "")
    return str(value), at


def _files4(data: bytes, at: int, comp_dir: str) -> tuple[str, ...]:
    directories = [comp_dir]
    while data[at] and len(directories) < _FILE_LIMIT:
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


def _run(data: bytes, header: _Header, budget: Budget) -> Iterator[LineRow]:
    """The rows of a line program. Most of a first trace's time goes here, so: one loop, locals."""
    files, first = header.files, header.first_file
    base, line_base, line_range = header.opcode_base, header.line_base, header.line_range
    minimum, end = header.minimum, min(header.end, header.start + _ROW_LIMIT)
    address, file, line, statement, prologue_end = 0, 1, 1, header.statement, False
    at = header.start
    budget.spend(_BYTE * max(end - at, 0))
    while at < end:
        op = data[at]
        at += 1
        if op >= base or op == 1:
            if op != 1:
                advance, step = divmod(op - base, line_range)
                address += advance * minimum
                line += line_base + step
            index = file - first
            name = files[index] if 0 <= index < len(files) else "?"
            yield LineRow(address, name, line, statement, prologue_end)
            prologue_end = False
        elif op == 0:
            size, at = uleb(data, at)
            if data[at] == _END_SEQUENCE:
                address, file, line, statement, prologue_end = 0, 1, 1, header.statement, False
            elif data[at] == _SET_ADDRESS:
                address = int.from_bytes(data[at + 1 : at + 9], "little")
            at += size
        elif op == 2:
            value, at = uleb(data, at)
            address += value * minimum
        elif op == 3:
            value, at = sleb(data, at)
            line += value
        elif op == 4:
            file, at = uleb(data, at)
        elif op == 6:
            statement = not statement
        elif op == 8:
            address += (255 - base) // line_range * minimum
        elif op == 9:
            address += int.from_bytes(data[at : at + 2], "little")
            at += 2
        elif op == 10:
            prologue_end = True
        elif op not in (7, 11):
            for _ in range(header.lengths[op - 1]):
                _, at = uleb(data, at)
