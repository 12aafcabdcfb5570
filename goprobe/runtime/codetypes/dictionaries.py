"""The true types of generic code, by its dictionaries.

One body of code serves all types of a shape, and calls them `go.shape.…`. Its callers pass it a
dictionary: a constant array of words that lead to the dictionaries of what it calls in turn, to
types and to itabs; each type that its variables have is among them, and its receiver's, which is a
variable as well (cmd/compile/internal/noder: writer.go, reader.go, varDictIndex; Go 1.21 to 1.27).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

import numpy as np

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.errors import UnreadableError
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.types.catalog import Catalog
from goprobe.runtime.types.shape import GENERIC, WORD
from goprobe.runtime.types.typedata import TypeData
from goprobe.runtime.types.typenames import RTYPE_BYTES

_METHOD = re.compile(
    r"(?P<package>.+?)\.\(\*(?P<type>[^().\[\]]+)\[(?P<shapes>.*)\]\)\.(?P<method>[^.\[\]]+)"
)
_FUNCTION = re.compile(r"[^\[\]]+\.[^().\[\]]+\[.*\]")
_WORDS_MOST = 1 << 8  # of one dictionary


class Dictionaries:
    """Of one program; addresses are the process's."""

    def __init__(
        self,
        memory: Memory,
        typedata: TypeData,
        catalog: Catalog,
        constants: Sequence[tuple[int, int]],
        starts: Words,
    ) -> None:
        """`constants` are where no program writes. `starts` are addresses that code takes, of which
        those of dictionaries are some: ascending."""
        self._memory = memory
        self._typedata = typedata
        self._catalog = catalog
        self._constants = constants
        self._starts = starts
        self._types: dict[int, tuple[int, ...]] = {}

    def parameter(self, function: str) -> int:
        """The number of the argument that is a function's dictionary, -1 for none that is known:
        the first one, or the second of a method."""
        if GENERIC not in function:
            return -1
        if _METHOD.fullmatch(function):
            return 1
        return 0 if _FUNCTION.fullmatch(function) else -1

    def is_method(self, function: str) -> bool:
        return GENERIC in function and _METHOD.fullmatch(function) is not None

    def receiver(self, function: str, dictionary: int) -> int:
        """The descriptor of T, of the method "pkg.(*T[…]).M" with such a dictionary; 0 where that
        does not say which."""
        match = _METHOD.fullmatch(function)
        if match is None or not dictionary:
            return 0
        return self._only(f"{unquote(match['package'])}.{match['type']}[", dictionary)

    def true_type(self, rtype: int, dictionary: int) -> int:
        """The type that generic code means by one of a shape, "pkg.T[go.shape.…]", with such a
        dictionary; 0 where that does not say which."""
        name = self._typedata.full_name(rtype)
        begin, bracket, rest = name.partition("[")
        if not dictionary or not bracket or GENERIC not in rest or GENERIC in begin:
            return 0
        true = self._only(f"{begin}[", dictionary)
        return true if true and self._is_like(true, rtype) else 0

    def _is_like(self, one: int, other: int) -> bool:
        catalog, rows = self._catalog, (self._catalog.row(one), self._catalog.row(other))
        if min(rows) < 0:
            return self._typedata.size(one) == self._typedata.size(other)
        return all(
            int(column[rows[0]]) == int(column[rows[1]])
            for column in (catalog.size, catalog.pointer_bytes, catalog.kind)
        )

    def _only(self, begin: str, dictionary: int) -> int:
        """The only type in a dictionary whose name begins so, or that such pointers lead to."""
        types = {
            rtype
            for rtype in self._types_in(dictionary)
            if (name := self._typedata.full_name(rtype)).startswith(begin) and GENERIC not in name
        }
        return types.pop() if len(types) == 1 else 0

    def _types_in(self, dictionary: int) -> tuple[int, ...]:
        if dictionary not in self._types:
            try:
                self._types[dictionary] = tuple(self._read(dictionary))
            except UnreadableError:
                self._types[dictionary] = ()
        return self._types[dictionary]

    def _read(self, dictionary: int) -> list[int]:
        """The types that it leads to, and those that pointers among them do. How long it is nothing
        says: more may be read than is its own, and then less is certain."""
        index = int(np.searchsorted(self._starts, np.uint64(dictionary), "right"))
        end = int(self._starts[index]) if index < len(self._starts) else dictionary
        types: list[int] = []
        for at in range(dictionary, min(end, dictionary + WORD * _WORDS_MOST), WORD):
            word = u64(self._memory, at)
            if not any(low <= word < high for low, high in self._constants):
                break
            if self._catalog.row(word) >= 0:
                types.append(word)
                if self._typedata.kind(word) is GoKind.POINTER:
                    types.append(u64(self._memory, word + RTYPE_BYTES))
        return types
