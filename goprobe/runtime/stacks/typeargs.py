"""The true types of a generic function's variables.

One body serves all types of a shape (all pointers are one shape), so the debug information gives
its variables types of shapes, "go.shape.*uint8". Which types they are, the caller tells: it passes
a dictionary, the parameter ".dict", and the type of such a variable is described as a typedef
whose DW_AT_go_dict_index says which word of the dictionary points to its descriptor.
Source: src/cmd/compile/internal/noder/reader.go (varDictIndex, rtypesOffset), dwarfgen/dwarf.go
and cmd/internal/dwarf (putvar, putparamtypes), Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from goprobe.binary.dwarf.gotypes import GoType, TypeReader
from goprobe.binary.dwarf.info import Local
from goprobe.binary.elf.elf import ElfFile
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64

DICTIONARY = ".dict"
_WORD = 8
_OF_DICTIONARIES = "..dict."  # "main..dict.show[int]": how their symbols are named


class TypeArguments:
    """Gives variables their types by the dictionaries that lie in the executable."""

    def __init__(
        self,
        elf: ElfFile,
        types: TypeReader,
        memory: Memory,
        bias: int,
        described: Callable[[int], GoType | None],
    ) -> None:
        self._elf = elf
        self._types = types
        self._memory = memory
        self._bias = bias
        self._described = described

    def resolved(self, locals_: Iterable[Local], dictionary: int) -> list[Local]:
        """The variables with their true types, as far as a dictionary at this address tells."""
        symbol = self._elf.symbol_at(dictionary - self._bias)
        if symbol is None or _OF_DICTIONARIES not in symbol.name:
            return list(locals_)
        return [self._resolved(local, dictionary) for local in locals_]

    def _resolved(self, local: Local, dictionary: int) -> Local:
        if local.dictionary_index < 0:
            return local
        try:
            described = self._described(
                u64(self._memory, dictionary + _WORD * local.dictionary_index)
            )
        except UnreadableError:
            return local
        shape = self._types.at(local.type)
        if described is None or (described.kind, described.size) != (shape.kind, shape.size):
            return local  # no type of this shape: not its word
        return replace(local, type=described.offset)
