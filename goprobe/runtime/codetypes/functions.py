"""Functions of the program whose code is looked into, each read once."""

from __future__ import annotations

from goprobe.arch.code import Addressed, HandedOn, Origins, handed_on
from goprobe.binary.elf.elf import ElfFile
from goprobe.binary.pcln.format import Function
from goprobe.binary.pcln.stackmap import frame_maps, stack_objects
from goprobe.binary.pcln.table import LineTable
from goprobe.errors import NotGoError, UnreadableError
from goprobe.runtime.codetypes.keptcode import Code, KeptAnswers, Unread
from goprobe.runtime.image.functioncode import function_code

_LARGEST = 1 << 21  # bytes of one function
_LOWEST = -1 << 31  # place of any frame
_LOCALS_END = -16  # from the CFA, of a function that has any (src/runtime/stkframe.go, varp)
_WORD = 8
_AHEAD = 256  # bytes
_MOST = 1 << 23  # bytes of all functions that are looked into


class Functions:
    """By their link-time addresses."""

    def __init__(self, elf: ElfFile, lines: LineTable, kept: KeptAnswers) -> None:
        self._elf = elf
        self._kept = kept
        self._lines = lines
        self._known: dict[int, Code | None] = {}
        self._names: dict[int, str] = {}
        self._left = _MOST

    def at(self, pc: int) -> Function | None:
        """The function whose code a pc lies in."""
        try:
            return self._lines.function_at(pc)
        except (UnreadableError, NotGoError):
            return None

    def name(self, entry: int) -> str:
        """The name of the function that begins at an address, "" where none does."""
        if entry not in self._names:
            function = self.at(entry)
            begins = function is not None and function.entry == entry
            self._names[entry] = function.name if function and begins else ""
        return self._names[entry]

    def ahead(self, pc: int, returned: str = "") -> tuple[HandedOn, ...]:
        """Whom the code behind `pc` seems to hand on what it has just loaded, or was returned."""
        return self._kept.ahead(
            pc, returned, lambda: tuple(handed_on(self._elf.read(pc, _AHEAD), pc, returned))
        )

    def code(self, entry: int) -> Code | None:
        """What the code of the function that begins there says; None where it cannot be read, or
        too much has been."""
        if entry not in self._known:
            self._known[entry] = self._read(entry)
        return self._known[entry]

    def _read(self, entry: int) -> Code | None:
        function = self.at(entry)
        if function is None or function.entry != entry:
            return None
        size = function.end - entry
        if not 0 < size <= min(_LARGEST, self._left):
            return None
        self._left -= size
        if self._kept.has(entry):
            return self._kept.code(entry, lambda: self._opened(function) or Unread())
        code = self._opened(function)
        return self._kept.code(entry, lambda: code) if code else None

    def _opened(self, function: Function) -> Origins | None:
        flow = function_code(self._elf, self._lines, function, _LARGEST)
        return Origins(flow, self._addressed(function), self._is_code) if flow else None

    def _is_code(self, address: int) -> bool:
        return bool(self.name(address))

    def _addressed(self, function: Function) -> Addressed:
        """What the compiler's stack maps say of it; where they cannot be read, the worst."""
        try:
            words = frame_maps(self._lines, function, function.entry).locals.words
            objects = stack_objects(self._lines, function)
        except UnreadableError:
            return Addressed(_LOWEST, ((_LOWEST, -_LOWEST),))
        places = [(o.offset + (_LOCALS_END if o.offset < 0 else 0), o.size) for o in objects]
        first = _LOCALS_END - _WORD * words
        return Addressed(first, tuple((low, low + size) for low, size in places))
