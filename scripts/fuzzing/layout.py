"""Where the parts of an ELF file lie, read once from the undamaged file: what to aim at."""

from __future__ import annotations

import struct
from dataclasses import dataclass

_HEADER = {
    "e_type": (16, 2), "e_entry": (24, 8), "e_phoff": (32, 8), "e_shoff": (40, 8),
    "e_phentsize": (54, 2), "e_phnum": (56, 2), "e_shentsize": (58, 2), "e_shnum": (60, 2),
    "e_shstrndx": (62, 2),
}  # fmt: skip
_PROGRAM = {"p_type": (0, 4), "p_flags": (4, 4), "p_offset": (8, 8), "p_vaddr": (16, 8),
            "p_filesz": (32, 8), "p_memsz": (40, 8)}  # fmt: skip
_SECTION = {"sh_name": (0, 4), "sh_type": (4, 4), "sh_flags": (8, 8), "sh_addr": (16, 8),
            "sh_offset": (24, 8), "sh_size": (32, 8), "sh_link": (40, 4)}  # fmt: skip
_NOBITS, _COMPRESSED = 8, 0x800


@dataclass(frozen=True, slots=True)
class Field:
    """A number in the file."""

    name: str
    at: int
    size: int


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of the file that belong together. `header` is where a section's header lies."""

    name: str
    at: int
    size: int
    header: int = 0
    compressed: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """`fields` are those of the headers, and of the parts that have some."""

    fields: tuple[Field, ...]
    programs: tuple[Field, ...]
    sections: tuple[Field, ...]
    parts: tuple[Part, ...]
    units: tuple[Field, ...]


def layout_of(data: bytes) -> Layout:
    """The parts of a well-formed file."""
    phoff, shoff = struct.unpack_from("<QQ", data, 32)
    phentsize, phnum, shentsize, shnum, names = struct.unpack_from("<HHHHH", data, 54)
    programs = [
        Field(f"{name} of segment {i}", phoff + i * phentsize + at, size)
        for i in range(phnum)
        for name, (at, size) in _PROGRAM.items()
    ]
    sections: list[Field] = []
    parts = [Part("header", 0, 64)]
    strings = struct.unpack_from("<Q", data, shoff + names * shentsize + 24)[0] if shnum else 0
    for i in range(shnum):
        header = shoff + i * shentsize
        name, kind, flags, _, at, size = struct.unpack_from("<IIQQQQ", data, header)
        start = strings + name
        called = data[start : data.index(0, start)].decode() or "null"
        sections += [Field(f"{n} of {called}", header + o, w) for n, (o, w) in _SECTION.items()]
        if kind != _NOBITS and size:
            parts.append(Part(called, at, size, header, bool(flags & _COMPRESSED)))
    fields = tuple(Field(name, at, size) for name, (at, size) in _HEADER.items())
    info = next((p for p in parts if p.name == ".debug_info" and not p.compressed), None)
    units = _unit_fields(data, info) if info else []
    return Layout(fields, tuple(programs), tuple(sections), tuple(parts), tuple(units))


def _unit_fields(data: bytes, part: Part) -> list[Field]:
    """The length, version and offsets at the head of each unit of .debug_info."""
    found: list[Field] = []
    at, end = part.at, part.at + part.size
    while at + 16 < end:
        length, version = struct.unpack_from("<IH", data, at)
        found += [
            Field(f"length of the unit at {at - part.at:#x}", at, 4),
            Field(f"version of the unit at {at - part.at:#x}", at + 4, 2),
        ]
        where = 8 if version >= 5 else 6
        found.append(Field(f"abbreviations of the unit at {at - part.at:#x}", at + where, 4))
        at += 4 + length
    return found
