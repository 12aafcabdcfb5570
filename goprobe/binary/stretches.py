"""What lies where in an executable's image: by its section headers, or without them.

The loader needs no section headers, and `sstrip` and packers drop them; somebody else may have
written wrong ones. Then the module data says where Go's own parts lie, and the program headers
what the rest is. Addresses are link-time addresses.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from goprobe.binary.elf.elf import (
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHF_TLS,
    SHF_WRITE,
    SHT_NOBITS,
    ElfFile,
    Section,
)
from goprobe.binary.elf.image import Image
from goprobe.binary.pcln.find import find_module_head
from goprobe.elfheaders import (
    HEADER_SIZE,
    PF_W,
    PF_X,
    PT_INTERP,
    PT_LOAD,
    PT_NOTE,
    PT_RELRO,
    SEGMENT_SIZE,
    Segment,
)
from goprobe.errors import NotGoError
from goprobe.model.location import Kind

_READ_ONLY_AFTER_START = ".data.rel.ro"
_READ_ONLY = {PT_INTERP: ".interp", PT_NOTE: ".note", PT_RELRO: ".data.rel.ro"}

# Pairs of words of moduledata from its 22nd on: the same in Go 1.20 to 1.27 (symtab.go).
_PARTS = (
    (22, ".text", Kind.TEXT), (24, ".noptrdata", Kind.DATA), (26, ".data", Kind.DATA),
    (28, ".bss", Kind.BSS), (30, ".noptrbss", Kind.BSS), (32, ".go.fuzzcntrs", Kind.BSS),
)  # fmt: skip


class Stretch(msgspec.Struct, frozen=True):
    """[low, high) of an image, and how it is known: `how` reads "section .text of hello"."""

    name: str
    low: int
    high: int
    kind: Kind
    how: str


class Stretches:
    """The parts of one executable's image, looked up by address."""

    def __init__(self, elf: ElfFile, shown_as: str) -> None:
        self._elf = elf
        self._name = shown_as

    @cached_property
    def all(self) -> tuple[Stretch, ...]:
        """In address order, disjoint. What none of them covers are headers and padding."""
        module = tuple(self._by_module())
        without = (*module, *self._read_only(), *self._by_segments(module))
        return tuple(_disjoint(self._by_sections() or list(without)))

    @cached_property
    def _lows(self) -> list[int]:
        return [stretch.low for stretch in self.all]

    def at(self, address: int) -> Stretch | None:
        at = bisect_right(self._lows, address)
        stretch = self.all[at - 1] if at else None
        return stretch if stretch and address < stretch.high else None

    def _by_sections(self) -> list[Stretch]:
        sections = [s for s in self._elf.sections if _is_loaded(s)]
        if not _fit(sections, self._elf):
            return []
        fixed = [(s.address, s.address + s.size) for s in self._elf.segments if s.type == PT_RELRO]
        return [
            Stretch(
                s.name,
                s.address,
                s.end,
                Kind.RODATA
                if any(low <= s.address and s.end <= high for low, high in fixed)
                else _kind(s),
                f"section {s.name} of {self._name}",
            )
            for s in sections
        ]

    def _by_module(self) -> Iterator[Stretch]:
        try:
            head = find_module_head(self._elf)
        except NotGoError:
            head = None
        if head is None:
            return
        word = Image(self._elf).pointer
        for index, name, kind in _PARTS:
            low, high = (word(head.address + 8 * (index + n)) for n in (0, 1))
            yield Stretch(name, low, high, kind, f"the module data of {self._name} says so:")

    def _read_only(self) -> Iterator[Stretch]:
        for s in self._elf.segments:
            if name := _READ_ONLY.get(s.type):
                how = f"a segment of {self._name} that only holds such"
                yield Stretch(name, s.address, s.address + s.size, Kind.RODATA, how)

    def _by_segments(self, module: Sequence[Stretch]) -> Iterator[Stretch]:
        """Where a program begins in Go's code, headers and notes are all that is before it."""
        code = next((s for s in module if s.low <= self._elf.entry < s.high), None)
        for segment in self._elf.segments:
            if segment.type == PT_LOAD:
                begins = code.low if code and segment.flags & PF_X else 0
                yield from self._of_segment(segment, begins)

    def _of_segment(self, segment: Segment, begins: int) -> Iterator[Stretch]:
        low = segment.address
        how = f"a segment of {self._name}, whose section headers are missing or wrong,"
        in_file = low + min(segment.file_size, segment.size)
        if segment.flags & PF_X:
            kind, name = Kind.TEXT, "code"
        elif not segment.flags & PF_W:
            kind, name = Kind.RODATA, "read-only data"
        else:
            kind, name = Kind.DATA, "data"
            yield Stretch("bss", in_file, low + segment.size, Kind.BSS, how)
        if not segment.offset:  # the file's headers are loaded with it
            headers = HEADER_SIZE + SEGMENT_SIZE * len(self._elf.segments)
            low = max(low + headers, begins)
        yield Stretch(name, low, in_file, kind, how)


def _kind(section: Section) -> Kind:
    """What a section of an executable holds."""
    if section.name.startswith(_READ_ONLY_AFTER_START):
        return Kind.RODATA
    if section.flags & SHF_EXECINSTR:
        return Kind.TEXT
    if not section.flags & SHF_WRITE:
        return Kind.RODATA
    return Kind.BSS if section.type == SHT_NOBITS else Kind.DATA


def _is_loaded(section: Section) -> bool:
    return bool(section.flags & SHF_ALLOC and not section.flags & SHF_TLS and section.size)


def _fit(sections: list[Section], elf: ElfFile) -> bool:
    """Whether the section headers tell what the loader maps: where, from which place of the file,
    and that the program begins in code."""
    segments = [s for s in elf.segments if s.type == PT_LOAD]
    begins = not elf.entry or any(
        s.flags & SHF_EXECINSTR and s.address <= elf.entry < s.end for s in sections
    )
    return begins and all(any(_fits(s, segment) for segment in segments) for s in sections)


def _fits(section: Section, segment: Segment) -> bool:
    inside = segment.address <= section.address and section.end <= segment.address + segment.size
    code = bool(section.flags & SHF_EXECINSTR) <= bool(segment.flags & PF_X)
    into = section.address - segment.address
    stored = section.type == SHT_NOBITS or (
        section.offset - segment.offset == into and into + section.size <= segment.file_size
    )
    return inside and code and stored


def _disjoint(stretches: list[Stretch]) -> Iterator[Stretch]:
    """In address order; of those that overlap the one that comes first in the list wins."""
    edges = sorted({edge for s in stretches for edge in (s.low, s.high)})
    here: list[tuple[Stretch | None, int, int]] = []
    for low, high in pairwise(edges):
        whole = next((s for s in stretches if s.low <= low and high <= s.high), None)
        if here and here[-1][0] is whole:
            here[-1] = (whole, here[-1][1], high)
        else:
            here.append((whole, low, high))
    return (replace(s, low=low, high=high) for s, low, high in here if s)
