"""A helper for one danger of seizing thread after thread: the target's execve.

A thread in execve waits until all other threads of the process are gone, holding a lock that
PTRACE_SEIZE needs (`cred_guard_mutex`). Those that we have seized are gone only once we have
reaped them; if we sleep in PTRACE_SEIZE of another one, both would wait for ever. Any thread of
the tracer's process may reap, so a second one does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from goprobe.deferredsignals import signals_deferred
from goprobe.process.ptrace import requests

_TICK = 0.02


class ReapWhileSeizing:
    """While in the `with`, what `seized` gives is reaped soon after it has ended."""

    def __init__(self, pid: int, seized: Callable[[], Iterable[int]]) -> None:
        self._pid = pid
        self._seized = seized
        self._over = threading.Event()

    def __enter__(self) -> ReapWhileSeizing:
        self._thread = threading.Thread(target=self._run, name="goprobe-reaper", daemon=True)
        with signals_deferred():  # they are the main thread's
            self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        # Wholly gone before the stop begins: it would fight for the interpreter's lock.
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_TICK):
            for tid in self._seized():
                if tid != self._pid:
                    # The first thread needs no reaping for execve: its place is taken over.
                    requests.reap(tid)
