"""Threads that sleep inside the kernel and cannot be stopped: in vfork, on a dead network disk.

Interrupting one would hold all the others up, and it cannot be let go of either before it wakes:
so look before touching anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from goprobe.process.proc.identity import switches, thread_state

_LOOK_AGAIN = 0.02
_DEEP = "D"


def sleeper(pid: int, threads: Iterable[int], deadline: float) -> int | None:
    """None as soon as no thread sleeps deeply for long; else, at `deadline` (monotonic), one
    that does. Threads that merely read a disk come and go, and do not count."""
    asleep = {tid: switches(pid, tid) for tid in threads if thread_state(pid, tid) == _DEEP}
    while asleep:
        if time.monotonic() > deadline:
            return min(asleep)
        time.sleep(_LOOK_AGAIN)
        asleep = {
            tid: count
            for tid, count in asleep.items()
            if thread_state(pid, tid) == _DEEP and switches(pid, tid) == count
        }
    return None
