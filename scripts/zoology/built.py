"""How a program was built, as its ELF file tells (pyelftools, not goprobe)."""

from __future__ import annotations

from pathlib import Path

from elftools.elf.elffile import ELFFile


def built(binary: Path) -> str:
    """Such as "stripped, PIE, cgo"."""
    with open(binary, "rb") as file:
        elf = ELFFile(file)
        names = {section.name for section in elf.iter_sections()}
        words = [_debug(names)]
        if elf.header.e_type == "ET_DYN":
            words.append("PIE")
        if ".interp" in names or ".plt" in names:
            words.append("cgo")
        if ".go.buildinfo" not in names:
            words.append("no buildinfo")
    return ", ".join(words)


def _debug(names: set[str]) -> str:
    if {".debug_info", ".zdebug_info"} & names:
        return "DWARF"
    return "symbols" if ".symtab" in names else "stripped"
