"""A core file as a process that stands still for ever: memory, mappings, threads.

Cores of the kernel, of GDB's gcore and of Delve's dump are read. What a core leaves out because
a file has it (code, read-only data) is taken from the executable given, if that is the one.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import msgspec

from goprobe.elfheaders import ET_CORE, ET_DYN, ET_EXEC, PF_W, PT_LOAD, Segment
from goprobe.errors import UnreadableError, UsageError
from goprobe.process.core.elf import ElfImage
from goprobe.process.core.mappings import core_mappings, with_executable
from goprobe.process.core.notes import (
    AT_ENTRY,
    AT_PHDR,
    MappedFile,
    Notes,
    read_notes,
)
from goprobe.process.core.soundness import doubts_of, doubts_of_image
from goprobe.process.memory.memory import Buffer, Range, check_range, read_or_none
from goprobe.process.proc.procfs import PAGE_SIZE


class _Piece(msgspec.Struct, frozen=True):
    """Addresses [low, high) whose bytes lie in a file from `offset` on."""

    low: int
    high: int
    file: int
    offset: int


class CoreFile:
    """A Memory over an ELF core; `executable` is the binary that the process ran.

    `signal` is what it stopped for, `fault` the address that is about (-1: none).
    `threads` has the registers of each thread by its id, the one at fault first; `mappings` are
    in address order, with "[stack]" and "[vdso]" named; `recorded_executable` is the path that
    the core names, "" where it names none; `entry` where the kernel had it begin (0: not said);
    `size` the file's bytes, `doubts` what is wrong with it, in sentences.
    Raises UsageError: no core, no such file, another architecture, not its executable.
    """

    def __init__(self, path: str | Path, executable: str | Path | None = None) -> None:
        self.path = str(path)
        self._files: list[int] = []
        try:
            self._load(executable)
        except BaseException:
            self.close()
            raise

    def _load(self, executable: str | Path | None) -> None:
        core = ElfImage(self.path, self._open(self.path))
        if core.type != ET_CORE:
            raise UsageError(f"{self.path} is not a core file but an executable")
        notes = read_notes(core.notes())
        self.pid, self.threads = notes.pid, notes.threads
        self.signal, self.fault = notes.signal, notes.fault
        self.recorded_executable = _executable_of(notes)
        loads = [p for p in core.programs if p.type == PT_LOAD and p.size]
        self.size = core.size
        self.entry = notes.auxv.get(AT_ENTRY, 0)
        self.doubts = doubts_of(core, loads, notes)
        self._pieces = _pieces(core, loads)
        self._lows = [piece.low for piece in self._pieces]
        self._elsewhere: list[_Piece] = []
        self.mappings = core_mappings(loads, notes)
        if executable is not None:
            self._add_executable(str(executable), notes, loads)

    def _open(self, path: str) -> int:
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            hint = "with --exe a PROCESS is a core file" if path.isdecimal() else ""
            raise UsageError(f"no such file: {path}", hint=hint) from None
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from None
        self._files.append(file)
        return file

    def _add_executable(self, path: str, notes: Notes, loads: Sequence[Segment]) -> None:
        binary = ElfImage(path, self._open(path))
        if binary.type not in (ET_EXEC, ET_DYN):
            raise UsageError(f"{path} is not an executable")
        bias = notes.auxv.get(AT_ENTRY, binary.entry) - binary.entry
        if bias % PAGE_SIZE or (bias and binary.type == ET_EXEC):
            raise self._not_its_executable(path)
        files = [f for f in notes.files if f.path == self.recorded_executable]
        self._elsewhere = _from_files(binary, files) or _from_programs(binary, bias)
        self._check_executable(binary)
        self.doubts += doubts_of_image(binary, loads, bias, path)
        if not files:
            fixed = [p for p in binary.programs if p.type == PT_LOAD and not p.flags & PF_W]
            self.mappings = with_executable(self.mappings, fixed, bias, path)

    def _check_executable(self, binary: ElfImage) -> None:
        """Where the core has the executable's first page, it must be that of the file."""
        for piece in self._elsewhere:
            if piece.offset == 0:
                try:
                    kept = self._read(piece.low, PAGE_SIZE, self._pieces, self._lows)
                except UnreadableError:
                    return
                if kept != os.pread(piece.file, PAGE_SIZE, 0).ljust(PAGE_SIZE, b"\0")[: len(kept)]:
                    raise self._not_its_executable(binary.path)
                return

    def _not_its_executable(self, path: str) -> UsageError:
        return UsageError(
            f"{path} is not the executable that {self.path} is of",
            hint=f"the core says it ran {self.recorded_executable}"
            if self.recorded_executable
            else "",
        )

    def read(self, address: int, size: int) -> bytes:
        check_range(address, size)
        if not size:
            return b""
        try:
            return self._read(address, size, self._pieces, self._lows)
        except UnreadableError:
            if not self._elsewhere:
                raise
        return b"".join(self._parts(address, size))

    def _read(
        self, address: int, size: int, pieces: Sequence[_Piece], lows: Sequence[int]
    ) -> bytes:
        parts, at, end = [], address, address + size
        while at < end:
            piece = _piece_at(pieces, lows, at)
            if piece is None:
                raise UnreadableError(address, size, "not in the core")
            part = os.pread(piece.file, min(end, piece.high) - at, piece.offset + at - piece.low)
            if not part:
                raise UnreadableError(address, size, "cut off from the core")
            parts.append(part)
            at += len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _parts(self, address: int, size: int) -> Iterator[bytes]:
        """Page by page from the core, else from the executable."""
        lows = [piece.low for piece in self._elsewhere]
        at, end = address, address + size
        while at < end:
            here = min(end, (at // PAGE_SIZE + 1) * PAGE_SIZE) - at
            try:
                yield self._read(at, here, self._pieces, self._lows)
            except UnreadableError:
                try:
                    yield self._read(at, here, self._elsewhere, lows)
                except UnreadableError as error:
                    raise UnreadableError(address, size, error.why) from None
            at += here

    def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        return [read_or_none(self, address, size) for address, size in ranges]

    def read_into(self, address: int, buffer: Buffer) -> None:
        view = memoryview(buffer).cast("B")
        piece = _piece_at(self._pieces, self._lows, address)
        if piece and address + len(view) <= piece.high:
            at = piece.offset + address - piece.low
            if os.preadv(piece.file, [view], at) == len(view):
                return
        view[:] = self.read(address, len(view))

    def present(self, low: int, high: int) -> Iterator[Range]:
        """The parts [low, high) of a range of addresses that the core itself has."""
        first = max(bisect_right(self._lows, low) - 1, 0)
        for piece in islice(self._pieces, first, None):
            if piece.low >= high:
                return
            if low < piece.high:
                yield max(piece.low, low), min(piece.high, high)

    def close(self) -> None:
        while self._files:
            os.close(self._files.pop())

    def __enter__(self) -> CoreFile:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def _pieces(core: ElfImage, loads: Sequence[Segment]) -> list[_Piece]:
    """What the core has, sorted and without overlaps, cut to what the file really holds."""
    pieces: list[_Piece] = []
    for p in sorted(loads, key=lambda p: p.address):
        size = min(p.file_size, p.size, core.size - p.offset, (1 << 64) - p.address)
        low = max(p.address, pieces[-1].high if pieces else 0)
        if low < p.address + size:
            offset = p.offset + low - p.address
            pieces.append(_Piece(low, p.address + size, core.file, offset))
    return pieces


def _piece_at(pieces: Sequence[_Piece], lows: Sequence[int], address: int) -> _Piece | None:
    at = bisect_right(lows, address)
    return pieces[at - 1] if at and address < pieces[at - 1].high else None


def _from_files(binary: ElfImage, files: Sequence[MappedFile]) -> list[_Piece]:
    return [
        _Piece(f.low, f.high, binary.file, f.offset)
        for f in sorted(files, key=lambda f: f.low)
        if f.offset < binary.size
    ]


def _from_programs(binary: ElfImage, bias: int) -> list[_Piece]:
    """Where the loader put the executable's segments that nobody can have written to."""
    pieces = []
    for p in sorted(binary.programs, key=lambda p: p.address):
        if p.type == PT_LOAD and not p.flags & PF_W and p.file_size and p.offset < binary.size:
            skip = p.address % PAGE_SIZE
            low, offset = p.address - skip + bias, p.offset - skip
            if low >= 0 and offset >= 0:
                pieces.append(_Piece(low, low + skip + p.file_size, binary.file, offset))
    return pieces


def _executable_of(notes: Notes) -> str:
    inside = notes.auxv.get(AT_PHDR) or notes.auxv.get(AT_ENTRY)
    if inside is not None:
        for file in notes.files:
            if file.low <= inside < file.high:
                return file.path
    return ""
