"""Memory whose reading is paid for."""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.budget import STEP, Budget
from goprobe.process.memory.memory import Buffer, Memory, Range, read_packed


class MeteredMemory:
    """A Memory that spends from a budget with every read: whatever is read of a process, and led
    on by what was read before, comes to an end."""

    def __init__(self, memory: Memory, budget: Budget) -> None:
        self._read = memory.read
        self._memory = memory
        self._budget = budget

    def read(self, address: int, size: int) -> bytes:
        budget = self._budget
        budget.left -= STEP
        if budget.left < 0:
            budget.spend(0)
        data = self._read(address, size)
        budget.left -= len(data)
        return data

    def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        self._budget.spend(STEP * len(ranges))
        parts = self._memory.read_many(ranges)
        self._budget.spend(sum(len(part) for part in parts if part))
        return parts

    def read_packed(self, pairs: memoryview, ends: Sequence[int], buffer: bytearray) -> bool:
        self._budget.spend(STEP * (len(ends) - 1) + ends[-1])
        return read_packed(self._memory, pairs, ends, buffer)

    def read_into(self, address: int, buffer: Buffer) -> None:
        self._budget.spend(STEP)
        self._memory.read_into(address, buffer)
        self._budget.spend(memoryview(buffer).nbytes)
