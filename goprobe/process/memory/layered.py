"""Memory of one moment laid over that of a process which runs on.

What may change is copied while the process stands still; what cannot (code, types, tables) is read
from the process itself, when it is asked for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from goprobe.process.memory.memory import Buffer, Memory, Range, read_available, read_or_none


class LayeredMemory:
    """A Memory whose copied ranges win over the memory below."""

    def __init__(self, below: Memory) -> None:
        self._below = below
        self._lows: list[int] = []
        self._parts: list[memoryview] = []

    def lay(self, low: int, data: bytes | bytearray | memoryview) -> None:
        """Put a copy of [low, low + len(data)) on top. It must not overlap with others."""
        part = memoryview(data).cast("B")
        if len(part):
            at = bisect_right(self._lows, low)
            self._lows.insert(at, low)
            self._parts.insert(at, part)

    def copy(self, low: int, size: int) -> None:
        """Copy a range of the memory below, as far as it can be read."""
        self.lay(low, read_available(self._below, low, size))

    def _find(self, address: int, size: int) -> memoryview | None:
        at = bisect_right(self._lows, address) - 1
        if at < 0:
            return None
        into = address - self._lows[at]
        part = self._parts[at]
        return part[into : into + size] if into + size <= len(part) else None

    def read(self, address: int, size: int) -> bytes:
        layer = self._find(address, size)
        return self._below.read(address, size) if layer is None else bytes(layer)

    def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        return [read_or_none(self, address, size) for address, size in ranges]

    def read_into(self, address: int, buffer: Buffer) -> None:
        view = memoryview(buffer).cast("B")
        layer = self._find(address, len(view))
        if layer is None:
            self._below.read_into(address, buffer)
        else:
            view[:] = layer
