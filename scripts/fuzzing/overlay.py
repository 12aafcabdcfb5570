"""A core whose memory reads otherwise at some places, and a memory that notes what is read."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from goprobe.process.core.file import CoreFile
from goprobe.process.memory.memory import Buffer, Memory, Range

Patch = tuple[int, bytes]


class OverlaidCore(CoreFile):
    """The core with patches over its memory. Its file stays as it is."""

    def __init__(self, path: Path, executable: Path, patches: Sequence[Patch]) -> None:
        super().__init__(path, executable)
        self._patches = patches

    def read(self, address: int, size: int) -> bytes:
        data = super().read(address, size)
        return self._over(address, data)

    def read_into(self, address: int, buffer: Buffer) -> None:
        super().read_into(address, buffer)
        view = memoryview(buffer).cast("B")
        for at, new in self._patches:
            if at < address + len(view) and address < at + len(new):
                view[:] = self._over(address, bytes(view))

    def _over(self, address: int, data: bytes) -> bytes:
        end = address + len(data)
        for at, new in self._patches:
            low, high = max(at, address), min(at + len(new), end)
            if low < high:
                data = data[: low - address] + new[low - at : high - at] + data[high - address :]
        return data


def written(core: Path, patches: Sequence[Patch], copy: Path) -> None:
    """A copy of a core with the patches in its file: it shows a failure without this program."""
    data = bytearray(core.read_bytes())
    (phoff,) = struct.unpack_from("<Q", data, 32)
    (count,) = struct.unpack_from("<H", data, 56)
    for i in range(count):
        kind, _, offset, low, _, size = struct.unpack_from("<IIQQQQ", data, phoff + 56 * i)
        for at, new in patches:
            if kind == 1 and low <= at and at + len(new) <= low + size:
                data[offset + at - low : offset + at - low + len(new)] = new
    copy.write_bytes(data)


class NotedCore(CoreFile):
    """A core that keeps which ranges were read; so does a `NotedMemory` beside it."""

    def __init__(self, path: Path, executable: Path) -> None:
        self.ranges: dict[Range, None] = {}
        super().__init__(path, executable)

    def read(self, address: int, size: int) -> bytes:
        self.ranges[address, size] = None
        return super().read(address, size)

    def read_into(self, address: int, buffer: Buffer) -> None:
        self.ranges[address, memoryview(buffer).nbytes] = None
        super().read_into(address, buffer)


class NotedMemory:
    """Passes reads on, and keeps which they were."""

    def __init__(self, memory: Memory, ranges: dict[Range, None]) -> None:
        self._memory = memory
        self._ranges = ranges

    def read(self, address: int, size: int) -> bytes:
        self._ranges[address, size] = None
        return self._memory.read(address, size)

    def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        self._ranges |= dict.fromkeys(ranges)
        return self._memory.read_many(ranges)

    def read_into(self, address: int, buffer: Buffer) -> None:
        self._ranges[address, memoryview(buffer).nbytes] = None
        self._memory.read_into(address, buffer)
