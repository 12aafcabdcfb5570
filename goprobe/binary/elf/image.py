"""A binary's data as the loader will leave it: pointers with their relocations applied.

A PIE's pointers are in .rela sections (R_X86_64_RELATIVE; the addend is the link-time address),
and zero or stale in the data itself. Everything here is in link-time addresses.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from functools import cached_property

from goprobe.binary.elf.elf import SHF_ALLOC, ElfFile
from goprobe.elfheaders import PF_W, PF_X, PT_DYNAMIC, PT_LOAD, Segment

_SHT_RELA = 4  # elf(5), as what follows
_RELATIVE = 8  # R_X86_64_RELATIVE, the x86-64 psABI
_RELA = struct.Struct("<QQq")
_DT_RELA, _DT_RELASZ = 7, 8  # include/uapi/linux/elf.h
_DYNAMIC_LIMIT = 1 << 16
_HITS_LIMIT = 1 << 16
_WORD = 8
_ADDRESS_END = 1 << 64  # of the file's own claims, not of what the processor can address


class Image:
    """Pointers of one binary. Nothing raises: what is not there reads as 0."""

    def __init__(self, elf: ElfFile) -> None:
        self._elf = elf
        self._relas = _rela_sections(elf) or _rela_dynamic(elf)

    def pointer(self, address: int) -> int:
        """The pointer at `address`."""
        if not 0 <= address < _ADDRESS_END:
            return 0
        for offset, end in self._relas:
            at = self._rela(struct.pack("<QQ", address, _RELATIVE), 0, offset, end)
            if at >= 0:
                return int.from_bytes(self._elf.file_bytes(at + 16, 8), "little")
        return int.from_bytes(self._elf.read(address, 8), "little")

    def pointers_to(self, target: int) -> Iterator[int]:
        """Addresses of 8-byte-aligned words of writable data that hold the pointer `target`."""
        if not 0 <= target < _ADDRESS_END:  # a corrupt header adds up to what is no address
            return
        yield from self._plain(target)
        needle = struct.pack("<QQ", _RELATIVE, target)
        for start, end in self._relas:
            at = self._rela(needle, 8, start, end)
            while at >= 0:
                yield int.from_bytes(self._elf.file_bytes(at, 8), "little")
                at = self._rela(needle, 8, at + _RELA.size, end)

    def pointers_among(self, targets: Collection[int]) -> list[tuple[int, int]]:
        """The aligned words of data, read-only ones too, that hold one of these addresses: where
        they are, and which."""
        wanted = frozenset(targets)
        pointers: list[tuple[int, int]] = []
        for start, end, low in self._data:
            words = self._words(start, end - start)
            pointers += [(low + _WORD * i, w) for i, w in enumerate(words) if w in wanted]
        for start, end in self._relas:
            words = self._words(start, (end - start) // _RELA.size * _RELA.size)
            rows = zip(words[::3], words[1::3], words[2::3], strict=False)
            pointers += [(at, w) for at, how, w in rows if how == _RELATIVE and w in wanted]
        return pointers

    @cached_property
    def _data(self) -> list[tuple[int, int, int]]:
        """Where in the file data lies that is loaded, and at which address: whole words. Go's table
        of lines, which is as large as all the rest, holds no addresses."""
        lines = self._elf.section(".gopclntab")
        parts: list[tuple[int, int, int]] = []
        for segment in self._elf.segments:
            if segment.type != PT_LOAD or segment.flags & PF_X:
                continue
            skipped = -segment.address % _WORD
            start, end = segment.offset + skipped, segment.offset + max(segment.file_size, skipped)
            bias = segment.address - segment.offset
            if lines and start <= lines.offset <= lines.offset + lines.size <= end:
                parts.append((start, lines.offset, start + bias))
                start = lines.offset + lines.size
                start += -(start + bias) % _WORD
            parts.append((start, max(start, end), start + bias))
        return parts

    def _words(self, offset: int, size: int) -> memoryview[int]:
        """The whole ones of a part of the file."""
        raw = memoryview(self._elf.view(offset, max(size, 0)))
        return raw[: len(raw) // _WORD * _WORD].cast("Q")

    def _rela(self, needle: bytes, within: int, start: int, end: int) -> int:
        """The first entry in [start, end) that has `needle` at byte `within`, or -1."""
        at = start
        for _ in range(_HITS_LIMIT):
            at = self._elf.find(needle, at, end)
            if at < 0 or (at - within - start) % _RELA.size == 0:
                return at - within if at >= 0 else -1
            at += 1
        return -1

    def _plain(self, target: int) -> Iterator[int]:
        needle = struct.pack("<Q", target)
        for segment in self._elf.segments:
            if segment.type == PT_LOAD and segment.flags & PF_W:
                yield from self._in_segment(needle, segment)

    def _in_segment(self, needle: bytes, segment: Segment) -> Iterator[int]:
        end = segment.offset + segment.file_size
        at = segment.offset - 1
        for _ in range(_HITS_LIMIT):
            at = self._elf.find(needle, at + 1, end)
            if at < 0:
                return
            address = segment.address + at - segment.offset
            if address % 8 == 0:
                yield address


def _rela_sections(elf: ElfFile) -> list[tuple[int, int]]:
    """[start, end) file offsets of the relocations that the loader applies."""
    return [
        (s.offset, s.offset + s.size)
        for s in elf.sections
        if s.type == _SHT_RELA and s.flags & SHF_ALLOC
    ]


def _rela_dynamic(elf: ElfFile) -> list[tuple[int, int]]:
    # A packer may have dropped the section headers; the loader itself goes by PT_DYNAMIC.
    segment = next((s for s in elf.segments if s.type == PT_DYNAMIC), None)
    if segment is None:
        return []
    raw = elf.file_bytes(segment.offset, min(segment.file_size, _DYNAMIC_LIMIT))
    tags = dict(struct.iter_unpack("<QQ", raw[: len(raw) & ~15]))
    address, size = tags.get(_DT_RELA, 0), tags.get(_DT_RELASZ, 0)
    for s in elf.segments:
        if s.type == PT_LOAD and s.address <= address < s.address + s.file_size:
            start = address - s.address + s.offset
            return [(start, min(start + size, elf.size))]
    return []
