"""What goprobe needs of an ELF file to read a core: the program headers and the notes."""

from __future__ import annotations

import os
import stat

from goprobe.elfheaders import (
    EM_X86_64,
    HEADER_SIZE,
    PT_NOTE,
    SEGMENT_SIZE,
    is_elf,
    is_ours,
    read_header,
    read_segments,
)
from goprobe.errors import UsageError

_PN_XNUM = 0xFFFF  # the real number is in the first section header
_PROGRAMS_LIMIT = 1 << 20
_NOTES_LIMIT = 1 << 29
_WHAT_A_FILE_IS = "a PROCESS with a / in it, and one with --exe, is a core file"


class ElfImage:
    """The header and program headers of an x86-64 ELF file."""

    def __init__(self, path: str, file: int) -> None:
        self.path = path
        self.file = file
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            what = "a directory" if stat.S_ISDIR(status.st_mode) else "not a file with bytes in it"
            raise UsageError(f"{path} is {what}", hint=_WHAT_A_FILE_IS)
        self.size = status.st_size
        head = os.pread(file, HEADER_SIZE, 0)
        if not is_elf(head):
            what = "not an ELF file" if head else "empty"
            raise UsageError(f"{path} is {what}", hint=_WHAT_A_FILE_IS)
        if len(head) < HEADER_SIZE or not is_ours(head):
            raise UsageError(f"{path} is not a 64-bit little-endian ELF file")
        header = read_header(head)
        self.type, self.entry, count = header.type, header.entry, header.segments
        if header.machine != EM_X86_64:
            raise UsageError(f"{path} is not of an x86-64 machine; goprobe reads no other")
        if count == _PN_XNUM:
            section = min(header.sections_at, self.size)
            count = int.from_bytes(os.pread(file, 4, section + 44), "little")
        if header.segment_size != SEGMENT_SIZE or not 0 < count <= _PROGRAMS_LIMIT:
            raise UsageError(f"{path} has no program headers that make sense")
        table = os.pread(file, count * SEGMENT_SIZE, min(header.segments_at, self.size))
        if len(table) < count * SEGMENT_SIZE:
            raise UsageError(f"{path} is cut off within its headers")
        self.programs = list(read_segments(table))

    def notes(self) -> bytes:
        notes = [p for p in self.programs if p.type == PT_NOTE]
        return b"".join(
            os.pread(self.file, min(p.file_size, _NOTES_LIMIT, self.size), p.offset)
            for p in notes[:4]
            if p.offset < self.size
        )
