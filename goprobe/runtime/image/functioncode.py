"""The code of single functions, as it lies in the executable. Addresses are link-time addresses."""

from __future__ import annotations

from goprobe.arch.code import CodeFlow, Defers, changes_of, returns_of
from goprobe.arch.frames import RETURN_ADDRESS
from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.pcln.format import Function
from goprobe.binary.pcln.table import LineTable
from goprobe.errors import GoprobeError


def function_code(elf: ElfFile, lines: LineTable, function: Function, most: int) -> CodeFlow | None:
    """The first `most` bytes of a function's code as a graph; None where it cannot be read."""
    entry = function.entry
    try:
        code = elf.read(entry, min(function.end - entry, most))
        runs = lines.runs(function.pcsp)
    except GoprobeError:
        return None
    names = lines.function_name_at
    after = entry + function.deferreturn if function.deferreturn else 0
    return CodeFlow(
        code,
        entry,
        lambda pc: max(runs.value(pc - entry), 0) + RETURN_ADDRESS,
        returns_of(names),
        changes_of(names),
        Defers(after, names),
    )
