"""Copy, in one short stop, exactly the memory that a question will read.

A question chases pointers, which takes time that a stopped process should not pay for. So it is
first asked of the running process, through a memory that notes every page it reads; then the
process is held only while those pages are copied; and the question is asked again of the copy.
Where it then needs a page that was not copied, because a pointer changed in between, that page is
noted too and all is tried again. So every byte of an answer is of one moment.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, pairwise

from goprobe.counts import counted
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Buffer, Memory, Range, pages_of, read_or_none, read_packed
from goprobe.process.proc.procfs import PAGE_SIZE

_RUN_LIMIT = 1 << 24
_ROOM_LIMIT = 1 << 28
_GAP = 2 * PAGE_SIZE


class MissedError(Exception):
    """The copy lacks memory that the question needs now: [address, address + size)."""

    def __init__(self, address: int, size: int) -> None:
        super().__init__(f"{counted(size, 'byte')} at {address:#x} were not copied")
        self.address = address
        self.size = size


class NotingMemory:
    """A Memory of a running process that notes the pages read through it."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._runs: dict[int, int] = {}
        self._pages: dict[int, bytes | None] = {}

    @property
    def ranges(self) -> tuple[Range, ...]:
        """What was read, page-aligned, in address order, neighbours joined."""
        wanted = sorted([(base, PAGE_SIZE) for base in self._pages] + list(self._runs.items()))
        joined: list[Range] = []
        for low, size in wanted:
            if joined and low <= sum(joined[-1]) + _GAP and joined[-1][1] < _RUN_LIMIT:
                at, had = joined[-1]
                joined[-1] = (at, max(had, low + size - at))
            else:
                joined.append((low, size))
        return tuple(joined)

    def note(self, address: int, size: int) -> None:
        """Have a range copied without reading it now."""
        low = address & -PAGE_SIZE
        high = (address + size + PAGE_SIZE - 1) & -PAGE_SIZE
        self._runs[low] = max(self._runs.get(low, 0), high - low)

    def read(self, address: int, size: int) -> bytes:
        start = address % PAGE_SIZE
        if size < 0 or start + size > PAGE_SIZE:
            self.note(address, max(size, 0))
            return self._memory.read(address, size)
        base = address - start
        if base not in self._pages:
            pages = self._memory.read_many([(base, PAGE_SIZE)])
            self._pages[base] = pages[0]
        page = self._pages[base]
        if page is None:
            raise UnreadableError(address, size)
        return page[start : start + size]

    def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        for address, size in ranges:
            self.note(address, size)
        return self._memory.read_many(ranges)

    def read_into(self, address: int, buffer: Buffer) -> None:
        self.note(address, memoryview(buffer).nbytes)
        self._memory.read_into(address, buffer)


class CopyPlan:
    """Room for a copy, made before the process is held. `ranges` are sorted and disjoint."""

    def __init__(self, ranges: Sequence[Range]) -> None:
        self._ranges = ranges
        self._ends = [0, *accumulate(size for _, size in ranges)]
        # What a hostile process led to may be no addresses at all, or more than there is room for.
        self._roomy = self._ends[-1] <= _ROOM_LIMIT and all(
            low >= 0 and low + size < 1 << 64 for low, size in ranges
        )
        if not self._roomy:
            return
        self._pairs = array("Q", chain.from_iterable(ranges))
        self._room = bytearray(b"\1") * self._ends[-1]  # written to, so that it is really there

    def take(self, memory: Memory) -> CopiedMemory:
        """Copies now: the one thing to do while the process stands still."""
        if self._roomy and (
            not self._ranges or read_packed(memory, memoryview(self._pairs), self._ends, self._room)
        ):
            room = memoryview(self._room)
            parts = [room[low:high] for low, high in pairwise(self._ends)]
            return CopiedMemory([low for low, _ in self._ranges], parts)
        return self._in_pieces(memory)

    def _in_pieces(self, memory: Memory) -> CopiedMemory:
        """Holes have come up: all but them. What cannot be read is known to be unreadable."""
        lows: list[int] = []
        parts: list[Buffer | bytes | None] = []
        for (low, size), part in zip(self._ranges, memory.read_many(self._ranges), strict=True):
            pages = [(low, size)] if part is not None else list(pages_of(low, size))
            lows += [at for at, _ in pages]
            parts += [part] if part is not None else memory.read_many(pages)
        return CopiedMemory(lows, parts)


class CopiedMemory:
    """A Memory of what was copied. What was not raises MissedError."""

    def __init__(self, lows: Sequence[int], parts: Sequence[Buffer | bytes | None]) -> None:
        """`parts` begin at `lows`, ascending; None is a page that cannot be read."""
        self._lows = lows
        self._parts = parts
        self._sizes = [PAGE_SIZE if p is None else len(p) for p in parts]

    def read(self, address: int, size: int) -> bytes:
        parts = list(self._walk(address, size))
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def _walk(self, address: int, size: int) -> Iterable[Buffer | bytes]:
        end = address + size
        while address < end or not size:
            at = self._find(address, end)
            part = self._parts[at]
            if part is None:
                raise UnreadableError(address, size)
            start = address - self._lows[at]
            piece = part[start : start + (end - address)]
            yield piece
            address += len(piece)
            if not size:
                return

    def _find(self, address: int, end: int) -> int:
        at = bisect_right(self._lows, address) - 1
        if at < 0 or address >= self._lows[at] + self._sizes[at]:
            raise MissedError(address, end - address)
        return at

    def read_many(self, ranges: Sequence[Range]) -> list[bytes | None]:
        return [read_or_none(self, address, size) for address, size in ranges]

    def read_into(self, address: int, buffer: Buffer) -> None:
        view = memoryview(buffer).cast("B")
        view[:] = self.read(address, view.nbytes)
