"""The records that stubs write into memory which they share with us (`arch/amd64/callstub.py`)."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from collections.abc import Iterator

from goprobe.arch.callstub import CLOCK, RECORD, WHOLE
from goprobe.process.proc.procfs import PAGE_SIZE

COUNT = 1 << 14
"""Records that there is room for."""
LIMIT = COUNT // 2
"""So many may wait to be taken: as many threads as are left can claim one in the same instant."""
CLAIMED, TAKEN, RECORDS = 0, 8, 16
"""Words of the first page: each on a cache line of its own."""
SIZE = (PAGE_SIZE + COUNT * RECORD.size + PAGE_SIZE - 1) & -PAGE_SIZE
_WORDS = RECORD.size // 8
_FIRST = PAGE_SIZE // 8


class Ring:
    """`file` is the shared memory, of SIZE bytes. It outlives the program, however that ends."""

    def __init__(self, file: int) -> None:
        self._data = mmap.mmap(file, SIZE)
        self._words = memoryview(self._data).cast("Q")
        self.taken = 0
        self.lost = 0

    def begin(self, records: int) -> None:
        """`records` is where the program has them."""
        self._words[RECORDS] = records

    @property
    def claimed(self) -> int:
        """How many stubs have begun to write."""
        return self._words[CLAIMED]

    def whole(self, until: int) -> Iterator[tuple[int, ...]]:
        """Take the records up to a number `claimed`, in their order, to the first one that is not
        whole yet; those that were overwritten (there are more threads than room) are lost. More
        may be taken by others before it goes on."""
        words, data = self._words, self._data
        while (taken := self.taken) < until:
            slot = taken & (COUNT - 1)
            written = words[_FIRST + slot * _WORDS + WHOLE]
            if written <= taken:
                break
            self.taken = taken + 1
            if written == taken + 1:
                yield RECORD.unpack_from(data, PAGE_SIZE + slot * RECORD.size)
            else:
                self.lost += 1
        words[TAKEN] = self.taken

    def skip(self, *, lost: bool) -> None:
        """Give up the next one: who began to write it is no more."""
        self.lost += lost
        self.taken += 1
        self._words[TAKEN] = self.taken

    def close(self) -> None:
        self._words.release()
        self._data.close()


class Clock:
    """The processor's own clock as time.monotonic_ns() has it: by both, read together each time
    when records are taken, and a straight line between."""

    def __init__(self) -> None:
        self._code = mmap.mmap(-1, PAGE_SIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        self._code.write(CLOCK)
        at = ctypes.addressof(ctypes.c_char.from_buffer(self._code))
        protect = ctypes.PyDLL(None).mprotect
        protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        if protect(at, PAGE_SIZE, mmap.PROT_READ | mmap.PROT_EXEC):
            raise OSError("no memory for code")
        self._read = ctypes.PYFUNCTYPE(ctypes.c_uint64)(at)
        self._from = self._both()
        self._to = self._from

    def _both(self) -> tuple[int, int]:
        """Nanoseconds and ticks, as near to each other as of several tries."""
        best = 0, 0, 1 << 63
        for _ in range(_TRIES):
            before, ticks, after = time.monotonic_ns(), self._read(), time.monotonic_ns()
            if after - before < best[2]:
                best = (before + after) // 2, ticks, after - before
        return best[:2]

    def look(self) -> None:
        """Records are about to be taken."""
        now = self._both()
        if now[1] - self._to[1] > _TICKS:
            self._from, self._to = self._to, now

    def ns(self, ticks: int) -> int:
        (ns, at), (end, last) = self._from, self._to
        return ns + (ticks - at) * (end - ns) // max(1, last - at)


_TRIES = 3
_TICKS = 1 << 20  # some hundred microseconds: what was read between two such times is even


def is_steady() -> bool:
    """Whether the processor's clock runs at one pace, in any state (Linux arch/x86/kernel/cpu)."""
    try:
        file = os.open("/proc/cpuinfo", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        flags = os.read(file, 1 << 14)
    finally:
        os.close(file)
    return b" constant_tsc" in flags and b" nonstop_tsc" in flags
