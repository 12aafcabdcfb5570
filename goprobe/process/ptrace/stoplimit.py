"""`--max-stop`: a promise of how long a target stands still at most, which is kept or refused.

What a stop will take is estimated before, and what is read in it looks at the clock: when the
time is up the target is let go at once, whatever has been read, and all that reads further fails.

Measured (m): on 2 cores without other work 108 ms for 5,000 threads, with four times as much work
as cores 135 to 720 ms, of which a C program that does nothing else needs 275 to 725: the kernel has
to wake each thread twice, and each has to get a processor to stand still. So what else wants to run
is counted. Copying 1.5 to 4 GiB/s; a fork 20 to 36 us for each MiB that is resident.
"""

from __future__ import annotations

import os
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence

from goprobe.errors import StopTooLongError
from goprobe.process.memory.memory import ProcessMemory, Range
from goprobe.process.proc.procfs import running_threads

_ALWAYS = 0.5e-3
_A_THREAD = 30e-6
_A_MIB_COPIED = 0.7e-3
_A_MIB_FORKED = 36e-6
_LETTING_GO = 8e-6  # a thread
_CHUNK = 4 << 20
_MOST_CROWDED = 6.0
NO_LIMIT = float("inf")
LONG = 50e-3
"""Seconds of a stop that are worth a word before."""


def estimate(threads: int, *, copied: int = 0, forked: int = 0) -> float:
    """Seconds that a stop takes in which so many bytes are copied, or belong to who is forked, with
    as much else to do for the processors as now."""
    return (
        _ALWAYS
        + threads * (_A_THREAD + _LETTING_GO) * _crowd()
        + (copied >> 20) * _A_MIB_COPIED
        + (forked >> 20) * _A_MIB_FORKED
    )


def _crowd() -> float:
    """How many threads want to run for each processor, of the whole machine; 1 where none waits."""
    return min(max(running_threads() / (os.cpu_count() or 1), 1.0), _MOST_CROWDED)


def check(pid: int, limit: float, seconds: float, what: str) -> None:
    """Raises StopTooLongError where an estimate is beyond what is allowed."""
    if seconds > limit:
        raise StopTooLongError(
            f"process {pid} would stand still for about {seconds * 1e3:.0f} ms {what}, and "
            f"--max-stop allows {limit * 1e3:g} ms",
            hint="a larger --max-stop allows it",
        )


def ran_over(pid: int, limit: float, what: str) -> StopTooLongError:
    return StopTooLongError(
        f"process {pid} was let go, as --max-stop allows {limit * 1e3:g} ms: {what}",
        hint="a larger --max-stop allows it, and so may a quieter moment",
    )


def time_for(limit: float, threads: int) -> float:
    """What of a limit is left when the time to let go of all threads is set apart."""
    return max(limit - threads * _LETTING_GO, limit / 2)


class HurriedMemory(ProcessMemory):
    """The memory of a target that stands still until `until` (time.perf_counter): then `let_go` is
    called, which is only then of any use, and nothing is read any more.

    For the thread that stopped the target.
    """

    def __init__(self, pid: int, limit: float, until: float, let_go: Callable[[], bool]) -> None:
        super().__init__(pid)
        self._limit = limit
        self._until = until
        self._let_go = let_go
        self._over = False

    def check(self) -> None:
        """Raises StopTooLongError where the time was up before the target was let go."""
        if not self._over and time.perf_counter() > self._until:
            self._until = NO_LIMIT
            self._over = self._let_go()
        if self._over:
            raise ran_over(self.pid, self._limit, "not all was read by then")

    def read_packed(self, pairs: memoryview, ends: Sequence[int], buffer: bytearray) -> bool:
        count = len(ends) - 1
        first = 0
        while first < count:
            self.check()
            last = max(bisect_right(ends, ends[first] + _CHUNK) - 1, first + 1)
            if not self._read_packed(pairs, ends, buffer, first, last):
                return False
            first = last
        return True

    def _transfer(self, ranges: Sequence[Range], starts: list[int], into: int) -> set[int] | None:
        self.check()
        return super()._transfer(ranges, starts, into)

    def _read_some(self, address: int, into: int, size: int) -> int:
        self.check()
        return super()._read_some(address, into, min(size, _CHUNK))
