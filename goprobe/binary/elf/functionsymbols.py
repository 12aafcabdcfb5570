"""Which function the symbol table has at an address: a witness for Go's line table.

The linker writes both from the same list (cmd/link/internal/ld/symtab.go, pcln.go). They differ in
what stands for type arguments ("[...]" in the line table), and in suffixes of the symbols that tell
apart two calling conventions of one function; of the symbols' names "·" is a dot.
"""

from __future__ import annotations

from bisect import bisect_right

from goprobe.binary.elf.elf import SHT_SYMTAB, ElfFile, name_at
from goprobe.budget import STEP

_ENTRY = 24  # sizeof(Elf64_Sym)
_FUNCTION = 2  # STT_FUNC
_ALIASES = 8
_SUFFIXES = (".abi0", ".abiinternal")


class FunctionSymbols:
    """The functions of a binary's symbol table; none of a stripped one."""

    def __init__(self, elf: ElfFile) -> None:
        self._rows: list[tuple[int, int, int]] = []
        self._names = b""
        table = next((s for s in elf.sections if s.type == SHT_SYMTAB), None)
        if table is None or table.link >= len(elf.sections):
            return
        raw, self._names = elf.contents(table), elf.contents(elf.sections[table.link])
        count = len(raw) // _ENTRY
        elf.budget.spend(STEP * count)
        words = memoryview(raw[: count * _ENTRY]).cast("Q")
        heads, values, sizes = (words[i::3].tolist() for i in range(3))
        self._rows = sorted(
            (value, size, head & 0xFFFFFFFF)
            for head, value, size in zip(heads, values, sizes, strict=True)
            if head >> 32 & 15 == _FUNCTION and value and size
        )

    def contradiction(self, pc: int, entry: int, name: str) -> str:
        """Why the function at a link-time address cannot be the one that begins at `entry` and has
        this name; "" where nothing speaks against it."""
        at = bisect_right(self._rows, pc, key=lambda row: row[0]) - 1
        if at < 0 or pc >= self._rows[at][0] + self._rows[at][1]:
            return ""  # a table may be stripped of a part
        start = self._rows[at][0]
        known = [
            name_at(self._names, row[2]).decode("utf-8", "replace")
            for row in self._rows[max(at - _ALIASES, 0) : at + 1]
            if row[0] == start
        ]
        if start == entry and plain(name) in map(plain, known):
            return ""
        return f"the line table has {name} at {pc:#x}, the symbol table {known[-1]}"


def plain(name: str) -> str:
    """As far as both tables have to agree."""
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    before, bracket, rest = name.partition("[")
    whole = before + bracket + "]" + rest.rpartition("]")[2] if bracket else name
    return whole.replace("·", ".")
