"""Of which types a program may make arrays.

Whoever makes one names the type: code by its address (runtime.makeslice, growslice), generic code
by that in its dictionary, reflect by the descriptor of a slice or an array of it
(src/runtime/slice.go, src/reflect/value.go, Go 1.21 to 1.27).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from goprobe.binary.dwarf.gotypes import GoKind
from goprobe.errors import UnreadableError
from goprobe.process.memory.copies import Words
from goprobe.process.memory.memory import Memory
from goprobe.runtime.heap.grouping import contained, distinct
from goprobe.runtime.types.catalog import Catalog
from goprobe.runtime.types.typenames import RTYPE_BYTES

_WORD = 8
_MOST = 1 << 28  # bytes of constants that are looked through


class MadeArrays:
    """Of one program; addresses are the process's."""

    def __init__(
        self,
        memory: Memory,
        catalog: Catalog,
        named: Words,
        constants: Sequence[tuple[int, int]],
    ) -> None:
        """`named` are addresses that code takes, ascending; `constants` where no program writes,
        [low, high) each."""
        self._memory = memory
        self._catalog = catalog
        self._named = named
        self._constants = constants
        self._known: dict[int, bool] = {}

    def of(self, rtype: int) -> bool:
        """Whether the program may make arrays of the type whose descriptor is at an address."""
        if rtype not in self._known:
            word = np.array([rtype], np.uint64)
            named = contained(word, self._named) | contained(word, self._elements)
            self._known[rtype] = bool(named[0]) or any(
                bool((words == word[0]).any()) for words in self._words
            )
        return self._known[rtype]

    @cached_property
    def _elements(self) -> Words:
        """The types of which there are slices, or arrays."""
        catalog = self._catalog
        some = catalog.address[np.isin(catalog.kind, (GoKind.SLICE, GoKind.ARRAY))]
        read = self._memory.read_many([(at + RTYPE_BYTES, _WORD) for at in some.tolist()])
        told = [int.from_bytes(raw or b"", "little") for raw in read]
        return distinct(np.array(told, np.uint64))

    @cached_property
    def _words(self) -> list[Words]:
        """The constants before and behind the descriptors, which stand together and name each
        other (cmd/link/internal/ld/symtab.go, "type:*", Go 1.21 to 1.27)."""
        every, parts = self._catalog.address, []
        for low, high in self._constants:
            own = every[(every >= np.uint64(low)) & (every < np.uint64(high))]
            if len(own):
                parts += [(low, int(own[0])), (int(own[-1]) + RTYPE_BYTES + _WORD, high)]
            else:
                parts.append((low, high))
        return [self._read(-(-low // _WORD) * _WORD, high) for low, high in parts]

    def _read(self, low: int, high: int) -> Words:
        size = min(high - low, _MOST) & -_WORD
        try:
            raw = self._memory.read(low, size) if size > 0 else b""
        except UnreadableError:
            raw = b""
        return np.frombuffer(raw, np.uint64)
