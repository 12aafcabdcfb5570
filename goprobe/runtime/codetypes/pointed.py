"""Package-level memory without a name that variables point at: `var command = &Command{…}`."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from goprobe.runtime.roots.statics import Links

_LARGEST = 4096  # bytes of what a variable points at
_POINTERS = 3  # different places before a word that are looked at


class Pointed:
    """What lies before words of such memory, and is pointed at. Addresses are the process's."""

    def __init__(self, links: Links) -> None:
        values, places = links.sorted()
        self._values, first = np.unique(values, return_index=True)
        self._places = places[first]

    def around(self, words: Collection[int]) -> dict[int, list[tuple[int, int]]]:
        """Of each word the pointers that lead to what it may be a part of, nearest first: where
        each lies, and how far before the word it leads."""
        some = np.array(sorted(words), np.uint64)
        last = np.searchsorted(self._values, some, "right")
        around: dict[int, list[tuple[int, int]]] = {}
        for word, end in zip(some.tolist(), last.tolist(), strict=True):
            for at in range(end - 1, max(end - 1 - _POINTERS, -1), -1):
                into = word - int(self._values[at])
                if into < _LARGEST:
                    around.setdefault(word, []).append((int(self._places[at]), into))
        return around
