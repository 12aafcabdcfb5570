"""The registers of a stopped thread: the general ones at hand, the vector ones when asked for.

GDB needs five times as long for the vector registers as for all others, and few stops need any:
those where a location names one, for a float travels in them in every build.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from goprobe.process.gdb.controller import VECTORS, Gdb

_VECTORS = frozenset(VECTORS)


class StopRegisters(Mapping[str, int]):
    """What iterates are the general ones. Good until the thread goes on."""

    def __init__(self, gdb: Gdb, tid: int) -> None:
        self._gdb, self._tid = gdb, tid
        self._general = gdb.registers(tid)
        self._vectors: dict[str, int] = {}

    def __getitem__(self, name: str) -> int:
        if name not in _VECTORS:
            return self._general[name]
        if name not in self._vectors:
            self._vectors[name] = self._gdb.vector(name, self._tid)
        return self._vectors[name]

    def __contains__(self, name: object) -> bool:
        return name in self._general or name in _VECTORS

    def __iter__(self) -> Iterator[str]:
        return iter(self._general)

    def __len__(self) -> int:
        return len(self._general)
