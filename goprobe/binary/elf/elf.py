"""An ELF executable on disk: header, sections, segments, symbols, build id.

Only what goprobe needs of ELF64 little-endian, every length bounded by the file's size.
Addresses are the file's own link-time addresses; a PIE's load bias is the caller's to add.
"""

from __future__ import annotations

import mmap
import os
import struct
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from operator import itemgetter
from pathlib import Path

import msgspec

from goprobe.binary.elf.inflate import inflater, name_of
from goprobe.budget import BASE, STEP, Budget
from goprobe.counts import counted
from goprobe.elfheaders import (
    EM_X86_64,
    ET_DYN,
    HEADER_SIZE,
    PT_LOAD,
    PT_NOTE,
    SEGMENT_SIZE,
    ElfHeader,
    is_elf,
    is_ours,
    read_header,
    read_segment,
)
from goprobe.errors import NotGoError, UsageError
from goprobe.files import open_regular

SHT_SYMTAB = 2  # these and what follows: elf(5)
SHT_NOTE = 7
SHT_NOBITS = 8
SHF_WRITE = 1
SHF_ALLOC = 2
SHF_EXECINSTR = 4
SHF_TLS = 0x400
SHF_COMPRESSED = 0x800

_MACHINES = {3: "x86 (32-bit)", 40: "ARM", 183: "arm64", 243: "RISC-V", 21: "ppc64", 8: "MIPS"}
_ADDRESS_END = 1 << 56  # of programs, with five levels of page tables
_SECTION_NAME_LIMIT = 256
_NAME_LIMIT = 1 << 16
_PASSES = 8  # how often any byte of the file may be looked at: all of escape --deep takes two
_FOUND_AT_ONCE = 16  # bytes that are looked through as fast as one is looked at
_SHRINKS = 8  # times: debug information hardly shrinks to less than a quarter
_INFLATED_BASE, _INFLATED_RATIO = 128 << 20, 32  # bytes
_COMPRESSION_HEADER = struct.Struct("<IIQQ")  # Elf64_Chdr
_NOTES_LIMIT, _NOTE_LIMIT = 64, 1 << 16
_NT_GNU_BUILD_ID, _NT_GO_BUILD_ID = 3, 4  # elf.h; cmd/link/internal/ld/elf.go
_STT = {1: "object", 2: "func", 6: "tls"}  # STT_…, elf(5)


class Section(msgspec.Struct, frozen=True):
    """A section header; `size` is the size in the file (compressed where SHF_COMPRESSED)."""

    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int

    @property
    def end(self) -> int:
        return self.address + self.size


class Symbol(msgspec.Struct, frozen=True):
    """A symbol of .symtab; `kind` is "object", "func", "tls" or "other"."""

    name: str
    address: int
    size: int
    kind: str


_SymbolRow = tuple[int, int, int, int]
"""Address, size, where its name is, and what it is."""


def _digest(data: bytes | mmap.mmap) -> str:
    import hashlib  # rarely needed, and slow to load

    return hashlib.sha256(data).hexdigest()


def name_at(data: bytes, at: int, limit: int = _NAME_LIMIT) -> bytes:
    """The string at an offset of a string table, b"" where it has no end within `limit`."""
    end = data.find(b"\0", at, at + limit)
    return data[at:end] if 0 <= at <= end else b""


class ElfFile:
    """An opened ELF file, memory-mapped. `path` names it to the user.

    `budget` is what reading its contents may cost, in all; readers of its parts spend it.

    Raises UsageError (no such file, a directory, another architecture) and NotGoError (not an
    ELF file, or one that is cut short).
    """

    def __init__(self, path: str | Path, *, shown_as: str = "") -> None:
        self.path = str(path)
        self.shown_as = shown_as or self.path
        file = open_regular(path, shown_as=self.shown_as, what="binary")
        try:
            self.status = os.fstat(file)
            size = self.status.st_size
            self._data = mmap.mmap(file, size, access=mmap.ACCESS_READ) if size else b""
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot read {self.shown_as}: {error}") from None
        finally:
            os.close(file)
        self.budget = Budget(BASE + _PASSES * size, self._endless)
        self._inflated = 0
        self._pinned: dict[int, bytes] = {}
        self._parse_header()

    def _endless(self) -> NotGoError:
        return NotGoError(f"{self.shown_as} is corrupt: reading what it holds would not end")

    def _parse_header(self) -> None:
        data = self._data
        if not is_elf(data):
            raise NotGoError(f"{self.shown_as} is not an ELF executable")
        if len(data) < HEADER_SIZE:
            raise NotGoError(f"{self.shown_as} is cut short: {counted(len(data), 'byte')}")
        machine = struct.unpack_from("<H" if data[5] == 1 else ">H", data, 18)[0]
        if not is_ours(data) or machine != EM_X86_64:
            name = _MACHINES.get(machine, f"ELF machine {machine}")
            raise UsageError(
                f"{self.shown_as} is built for {name}; goprobe reads x86-64 programs only",
                hint="build it with GOARCH=amd64",
            )
        header = read_header(data)
        self.type, self.entry = header.type, header.entry
        at, size = header.segments_at, header.segment_size
        count = header.segments if size >= SEGMENT_SIZE else 0
        try:
            self.segments = tuple(read_segment(data, at + i * size) for i in range(count))
            self.sections = self._read_sections(header)
        except (struct.error, OverflowError):
            raise NotGoError(f"{self.shown_as} is cut short: its headers are missing") from None
        loaded = [(s.address, s.size) for s in self.segments if s.type == PT_LOAD]
        loaded += [(s.address, s.size) for s in self.sections if s.flags & SHF_ALLOC]
        if any(address + size > _ADDRESS_END for address, size in loaded):
            raise NotGoError(f"{self.shown_as} is corrupt: parts of it would lie at no address")

    def _read_sections(self, header: ElfHeader) -> tuple[Section, ...]:
        at, entry, names = header.sections_at, header.section_size, header.names
        if not at or entry < 64:
            return ()
        raw = [
            struct.unpack_from("<IIQQQQIIQQ", self._data, at + i * entry)
            for i in range(header.sections)
        ]
        table = b""
        if names < len(raw):
            table = self._data[raw[names][4] : raw[names][4] + raw[names][5]]

        def text(at: int) -> str:
            return name_at(table, at, _SECTION_NAME_LIMIT).decode("latin-1")

        return tuple(Section(text(r[0]), r[1], r[2], r[3], r[4], r[5], r[6]) for r in raw)

    @cached_property
    def _by_name(self) -> dict[str, Section]:
        return {s.name: s for s in reversed(self.sections)}

    @property
    def pie(self) -> bool:
        return bool(self.type == ET_DYN)

    @property
    def size(self) -> int:
        return len(self._data)

    def section(self, name: str) -> Section | None:
        return self._by_name.get(name)

    def section_at(self, address: int) -> Section | None:
        """The allocated section that holds a link-time address (TLS templates left out)."""
        for s in self.sections:
            if s.flags & SHF_ALLOC and not s.flags & SHF_TLS and s.address <= address < s.end:
                return s
        return None

    def code(self) -> Iterator[tuple[bytes, int]]:
        """The contents of each section with machine code, and its address."""
        for section in self.sections:
            if section.flags & SHF_EXECINSTR:
                yield self.contents(section), section.address

    def contents(self, section: Section) -> bytes:
        """A section's bytes, decompressed. Raises NotGoError where they are corrupt."""
        if section.type == SHT_NOBITS:
            return b""
        raw = self._pinned.get(section.offset, b"")
        if len(raw) != section.size:
            raw = self._data[section.offset : section.offset + section.size]
        if section.flags & SHF_COMPRESSED:
            if len(raw) < _COMPRESSION_HEADER.size:
                raise NotGoError(f"{self.shown_as}: section {section.name} is cut short")
            kind, _, size, _ = _COMPRESSION_HEADER.unpack_from(raw)
            return self._decompress(section, raw[_COMPRESSION_HEADER.size :], kind, size)
        if section.name.startswith(".zdebug") and raw[:4] == b"ZLIB":
            return self._decompress(section, raw[12:], 1, int.from_bytes(raw[4:12], "big"))
        return raw

    def _decompress(self, section: Section, raw: bytes, kind: int, size: int) -> bytes:
        what = f"{self.shown_as}: section {section.name}"
        inflate = inflater(kind)
        if inflate is None:
            raise NotGoError(f"{what} is compressed by {name_of(kind)}, which cannot be read here")
        self._inflated += size
        if self._inflated > _INFLATED_BASE + _INFLATED_RATIO * self.size:
            raise NotGoError(
                f"{what} claims to hold {counted(size, 'byte')}, in a file of {self.size:,}"
            )
        self.budget.widen(_PASSES * min(size, _SHRINKS * len(raw)))
        if not size:  # to zlib that means: as much as there is
            return b""
        try:
            return inflate(raw, size)
        except ValueError as error:
            raise NotGoError(f"{what}: {error}") from None

    def debug_section(self, name: str) -> bytes:
        """`.debug_<name>` or its old compressed twin, b"" where there is none, or where it cannot
        be decompressed here."""
        section = self.section(f".debug_{name}") or self.section(f".zdebug_{name}")
        return self.contents(section) if section and not self.undecoded else b""

    @cached_property
    def undecoded(self) -> str:
        """What the debug information is compressed by, where that cannot be undone here: the file
        is read as if it had none. "" where it can."""
        for section in self.sections:
            if section.name.startswith(".debug_") and section.flags & SHF_COMPRESSED:
                start = self._data[section.offset : section.offset + 4]
                kind = int.from_bytes(start, "little")
                if len(start) == 4 and inflater(kind) is None:
                    return name_of(kind)
        return ""

    def read(self, address: int, size: int) -> bytes:
        """Bytes at a link-time address as the file has them (.bss as zeros); b"" outside."""
        for segment in self.segments:
            if segment.type == PT_LOAD and 0 <= address - segment.address < segment.size:
                start = address - segment.address
                size = min(size, segment.size - start)
                have = max(0, min(size, segment.file_size - start))
                at = segment.offset + start
                self.budget.spend(size)
                return self._data[at : at + have] + bytes(size - have)
        return b""

    def pin(self, offset: int, size: int) -> bytes:
        """A copy of a part of the file as it is now; `contents` of it comes from that copy."""
        pinned = self._pinned[offset] = self._data[offset : offset + size]
        return pinned

    def file_bytes(self, offset: int, size: int) -> bytes:
        return self._data[offset : offset + size]

    def view(self, offset: int, size: int) -> memoryview:
        """A part of the file without a copy; shorter where the file ends."""
        return memoryview(self._data)[offset : offset + size]

    def find(self, needle: bytes, start: int, end: int) -> int:
        """The first offset in the file at which `needle` stands within [start, end), or -1."""
        start, end = min(start, self.size), min(end, self.size)
        position = self._data.find(needle, start, end)
        self.budget.spend(STEP + ((position if position >= 0 else end) - start) // _FOUND_AT_ONCE)
        return position

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """.symtab sorted by address; empty where the binary is stripped."""
        symbols = map(self._symbol, self._symbol_rows)
        return tuple(sorted(symbols, key=lambda s: (s.address, -s.size)))

    @cached_property
    def _symbol_names(self) -> bytes:
        table = self._symbol_table
        return self.contents(self.sections[table.link]) if table else b""

    @cached_property
    def _symbol_table(self) -> Section | None:
        table = next((s for s in self.sections if s.type == SHT_SYMTAB), None)
        return table if table and table.link < len(self.sections) else None

    @cached_property
    def _symbol_rows(self) -> list[_SymbolRow]:
        """The symbols by address, their names not read."""
        if self._symbol_table is None:
            return []
        raw = self.contents(self._symbol_table)
        self.budget.spend(STEP * len(raw) // 24)
        rows = [
            (value, size, name, info)
            for name, info, _, shndx, value, size in struct.iter_unpack(
                "<IBBHQQ", raw[: len(raw) // 24 * 24]
            )
            if shndx and value
        ]
        rows.sort(key=itemgetter(0))
        return rows

    def _symbol(self, row: _SymbolRow) -> Symbol:
        value, size, name, info = row
        text = name_at(self._symbol_names, name)
        self.budget.spend(len(text))
        return Symbol(text.decode("utf-8", "replace"), value, size, _STT.get(info & 15, "other"))

    def symbol_at(self, address: int) -> Symbol | None:
        """The sized symbol that covers a link-time address, the smallest that does."""
        rows = self._symbol_rows
        at = bisect_right(rows, address, key=itemgetter(0))
        covering = [r for r in rows[max(0, at - 16) : at] if r[0] <= address < r[0] + r[1]]
        best = min(covering, key=lambda row: (row[1], -row[0]), default=None)
        return self._symbol(best) if best else None

    def _note(self, owner: bytes, kind: int) -> bytes:
        """The description of a note, b"" where there is none. Without section headers its segment
        leads to it."""
        notes = [(s.offset, s.size) for s in self.sections if s.type == SHT_NOTE]
        notes += [(s.offset, s.file_size) for s in self.segments if s.type == PT_NOTE]
        for start, length in notes[:_NOTES_LIMIT]:
            raw, at = self._data[start : start + min(length, _NOTE_LIMIT)], 0
            while at + 12 <= len(raw):
                name, size, note_type = struct.unpack_from("<III", raw, at)
                begin = at + 12 + (name + 3 & ~3)
                if note_type == kind and raw[at + 12 : at + 12 + name].rstrip(b"\0") == owner:
                    return raw[begin : begin + size]
                at = begin + (size + 3 & ~3)
        return b""

    @cached_property
    def build_id(self) -> str:
        """Go's own build id, else the linker's, else a digest of the file."""
        go = self._note(b"Go", _NT_GO_BUILD_ID).decode("latin-1")
        if go:
            return go
        gnu = self._note(b"GNU", _NT_GNU_BUILD_ID).hex()
        return gnu or _digest(self._data)[:40]
