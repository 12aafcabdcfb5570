"""Waiting for what is about to come: by looking time and again at first, where the last wait was
short.

To put a processor to sleep and to wake it takes 10 to 60 µs, most of all in a virtual machine; the
next stop of a thread that runs from breakpoint to breakpoint is there after 5 (m). Where others
want the processor, looking only uses up the time that we would be given when we are woken.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

from goprobe.process.proc.procfs import running_threads

_LOOKS = 100  # of half a microsecond each
_SHORT = 150_000  # nanoseconds
_TAKEN = 400_000  # a processor that was taken away from us meanwhile
_RESTS = 50_000_000, 3_200_000_000  # from the first such time to the seventh and later ones

T = TypeVar("T")


class Eagerness:
    """Of one who waits for others, while so many of them are at work, each on a processor."""

    def __init__(self, others: int = 1) -> None:
        self._processors = len(os.sched_getaffinity(0))
        self._looks = _LOOKS if self._processors > others else 0
        self._eager = False
        self._not_before, self._rest = 0, _RESTS[0]
        self._counted = 0

    def waited(self, look: Callable[[], T], sleep: Callable[[], T]) -> T:
        """What `look` finds, or `sleep` comes back with."""
        since = time.monotonic_ns()
        if self._eager and since > self._counted + _RESTS[0]:
            self._counted = since
            if running_threads() > self._processors:
                self._not_before = since + _RESTS[0]
        if self._eager and since > self._not_before:
            seen = self._looked(look)
            if time.monotonic_ns() - since > _TAKEN:
                self._hold_back()
            if seen:
                return seen
        seen = sleep()
        self._eager = time.monotonic_ns() - since < _SHORT
        return seen

    def _looked(self, look: Callable[[], T]) -> T | None:
        for _ in range(self._looks):
            if seen := look():
                return seen
        return None

    def _hold_back(self) -> None:
        """For the longer the oftener it was so."""
        self._not_before = time.monotonic_ns() + self._rest
        self._rest = min(2 * self._rest, _RESTS[1])
