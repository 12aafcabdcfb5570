"""Type descriptors read from the executable itself, before any process runs."""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.elf.image import Image
from goprobe.errors import GoprobeError, UnreadableError
from goprobe.process.memory.memory import Buffer, Range
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.layout.record import read_record
from goprobe.runtime.types.typedata import TypeData, TypeSection

_WORD = 8
_MAP_KEY, _MAP_ELEMENT = 48, 56
"""In abi.MapType, behind its abi.Type (src/internal/abi/map*.go, 1.21 to 1.27)."""
_INLINE = 128
"""Bytes of the largest key or element that a map holds itself (abi.MapMaxKeyBytes, …)."""


class FileMemory:
    """An executable's bytes at their link-time addresses, pointers not relocated."""

    def __init__(self, elf: ElfFile) -> None:
        self._elf = elf

    def read(self, address: int, size: int) -> bytes:
        data = self._elf.read(address, size)
        if len(data) < size:
            raise UnreadableError(address, size, "not in the file")
        return data

    def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        return [self._elf.read(a, n) if len(self._elf.read(a, n)) == n else None for a, n in ranges]

    def read_into(self, address: int, buffer: Buffer) -> None:
        view = memoryview(buffer).cast("B")
        view[:] = self.read(address, len(view))


def static_types(program: GoProgram) -> TypeData | None:
    """The binary's type descriptors at link-time addresses; None where nothing is known of them
    (a stripped binary of an unknown Go)."""
    try:
        layout, roots = program.facts.layout, program.facts.roots
        memory = FileMemory(program.elf)
        struct = layout.struct("moduledata")
        raw = read_record(memory, struct, roots["firstmoduledata"])
        image = Image(program.elf)
        low, high = (image.pointer(raw.at(name)) for name in ("types", "etypes"))
    except (GoprobeError, UnreadableError, KeyError):
        return None
    return TypeData(memory, layout, program, 0, [TypeSection(low, high)])


class MapParts:
    """The keys and elements of map types, by the descriptors' link-time addresses."""

    def __init__(self, program: GoProgram) -> None:
        self._elf = program.elf
        self._image = Image(program.elf)
        self._found: dict[int, tuple[str, ...]] = {}

    def boxed(self, rtype: int) -> tuple[str, ...]:
        """Which of them lie in objects of their own, as they are too large."""
        if rtype not in self._found:
            self._found[rtype] = tuple(
                name
                for name, at in (("keys", _MAP_KEY), ("elements", _MAP_ELEMENT))
                if self._size(self._image.pointer(rtype + at)) > _INLINE
            )
        return self._found[rtype]

    def _size(self, rtype: int) -> int:
        return int.from_bytes(self._elf.read(rtype, _WORD), "little")
