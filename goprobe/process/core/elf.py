"""What goprobe needs of an ELF file to read a core: the program headers and the notes."""

from __future__ import annotations

import os
import stat
import struct

import msgspec

from goprobe.errors import UsageError

_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_PROGRAM = struct.Struct("<IIQQQQQQ")
_MAGIC = b"\x7fELF\x02\x01"
ET_EXEC, ET_DYN, ET_CORE, _EM_X86_64 = 2, 3, 4, 62  # elf(5), as what follows
PT_LOAD, _PT_NOTE = 1, 4
PF_X, PF_W, PF_R = 1, 2, 4
_PN_XNUM = 0xFFFF  # the real number is in the first section header
_PROGRAMS_LIMIT = 1 << 20
_NOTES_LIMIT = 1 << 29


class ProgramHeader(msgspec.Struct, frozen=True):
    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    size: int


class ElfImage:
    """The header and program headers of an x86-64 ELF file."""

    def __init__(self, path: str, file: int) -> None:
        self.path = path
        self.file = file
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"{path} is not a file with bytes in it")
        self.size = status.st_size
        header = os.pread(file, 64, 0)
        if header[:4] != _MAGIC[:4]:
            raise UsageError(f"{path} is not an ELF file")
        if len(header) < 64 or header[4:6] != _MAGIC[4:]:
            raise UsageError(f"{path} is not a 64-bit little-endian ELF file")
        (self.type, machine, _, self.entry, phoff, shoff, _, _, entry_size, count, _, _, _) = (
            _HEADER.unpack(header)
        )
        if machine != _EM_X86_64:
            raise UsageError(f"{path} is not of an x86-64 machine; goprobe reads no other")
        if count == _PN_XNUM:
            count = int.from_bytes(os.pread(file, 4, min(shoff, self.size) + 44), "little")
        if entry_size != _PROGRAM.size or not 0 < count <= _PROGRAMS_LIMIT:
            raise UsageError(f"{path} has no program headers that make sense")
        raw = os.pread(file, count * entry_size, min(phoff, self.size))
        if len(raw) < count * entry_size:
            raise UsageError(f"{path} is cut off within its headers")
        self.programs = [self._program(*status) for status in _PROGRAM.iter_unpack(raw)]

    @staticmethod
    def _program(
        kind: int, flags: int, offset: int, address: int, _: int, file_size: int, size: int, __: int
    ) -> ProgramHeader:
        return ProgramHeader(kind, flags, offset, address, file_size, size)

    def notes(self) -> bytes:
        notes = [p for p in self.programs if p.type == _PT_NOTE]
        return b"".join(
            os.pread(self.file, min(p.file_size, _NOTES_LIMIT, self.size), p.offset)
            for p in notes[:4]
            if p.offset < self.size
        )
