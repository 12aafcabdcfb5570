"""What the headers of an ELF file say: for whoever reads one, in a file, a core or a process.

Source: elf(5), include/uapi/linux/elf.h. Only 64-bit little-endian files are read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from mmap import mmap

import msgspec

MAGIC = b"\x7fELF"
CLASS64, LITTLE_ENDIAN = 2, 1  # the two bytes behind the magic
ET_EXEC, ET_DYN, ET_CORE = 2, 3, 4
EM_X86_64 = 62
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_RELRO = 1, 2, 3, 4, 0x6474E552
PF_X, PF_W, PF_R = 1, 2, 4

_HEADER = struct.Struct("<HHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_IDENTITY = 16
HEADER_SIZE = _IDENTITY + _HEADER.size
SEGMENT_SIZE = _SEGMENT.size


class ElfHeader(msgspec.Struct, frozen=True, kw_only=True):
    """`entry` is where the program begins; tables are by their place in the file, the size of an
    entry and how many there are. Section number `names` has the sections' names."""

    type: int
    machine: int
    entry: int
    segments_at: int
    segment_size: int
    segments: int
    sections_at: int
    section_size: int
    sections: int
    names: int


class Segment(msgspec.Struct, frozen=True):
    """A program header: what is to be loaded where. `flags` are PF_…."""

    type: int
    flags: int
    offset: int
    address: int
    file_size: int
    size: int


def is_elf(data: bytes | mmap) -> bool:
    """Whether a file that begins so is an ELF file, of whatever machine."""
    return data[:4] == MAGIC


def is_ours(data: bytes | mmap) -> bool:
    """Whether its headers are of the form that is read here."""
    return is_elf(data) and data[4:6] == bytes((CLASS64, LITTLE_ENDIAN))


def read_header(data: bytes | mmap) -> ElfHeader:
    """The header at the beginning of `data`; raises struct.error where that is too short."""
    values = _HEADER.unpack_from(data, _IDENTITY)
    type_, machine, _, entry, segments_at, sections_at, _, _, *sizes = values
    segment_size, segments, section_size, sections, names = sizes
    return ElfHeader(
        type=type_,
        machine=machine,
        entry=entry,
        segments_at=segments_at,
        segment_size=segment_size,
        segments=segments,
        sections_at=sections_at,
        section_size=section_size,
        sections=sections,
        names=names,
    )


def read_segment(data: bytes | mmap, at: int) -> Segment:
    """The program header at an offset; raises struct.error where it is not whole."""
    type_, flags, offset, address, _, file_size, size, _ = _SEGMENT.unpack_from(data, at)
    return Segment(type_, flags, offset, address, file_size, size)


def read_segments(table: bytes) -> Iterator[Segment]:
    """Every program header of a table that is whole."""
    for at in range(0, len(table), SEGMENT_SIZE):
        yield read_segment(table, at)
