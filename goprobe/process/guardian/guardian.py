"""A small process beside ours that lets our target go where we cannot.

Only its tracer can let a stopped process go, and a tracer that is stopped itself (SIGSTOP, a
debugger) lets nobody go; a copy of a target (`forksnapshot`) costs it memory for as long as it is
there. So before the first stop we fork a guardian, which looks ten times a second whether we
still run (`guarding.py`), and more often at how much memory is left while there is a copy.

When we are killed the kernel lets everybody go; the guardian then ends, too.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from goprobe.deferredsignals import signals_deferred, stops_held
from goprobe.process.guardian import guardpage
from goprobe.process.guardian.guarding import guard
from goprobe.process.guardian.guardpage import GuardPage

_WORD = b"!"


class Guardian:
    """Ours, from the first stop to our end. `pid` is 0 where the system gave us none."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._page = GuardPage()
        self._lock = threading.Lock()
        self.pid = self._wake = 0
        with signals_deferred(), suppress(OSError):
            self._start()

    def _start(self) -> None:
        hears, self._wake = os.pipe()
        try:
            with warnings.catch_warnings():
                # It needs no lock that another thread may hold.
                warnings.simplefilter("ignore", DeprecationWarning)
                child = os.fork()
            if child == 0:
                guard(self._page, self.owner, hears)
            self.pid = child
        finally:
            os.close(hears)
        atexit.register(self.end)

    def end(self) -> None:
        """It is not needed any more, or we are only a fork of whom it guards."""
        if self.pid and self.owner == os.getpid():
            with suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
            self.pid = 0

    @contextmanager
    def holding(self, pid: int) -> Iterator[None]:
        """While in the `with`, a target may stand still because of us; Ctrl-Z waits."""
        words = self._page.words
        with stops_held():
            with self._lock:
                words[guardpage.TARGET], words[guardpage.TRACER] = pid, threading.get_native_id()
                words[guardpage.TURN] += 1
                words[guardpage.HELD] += 1
            try:
                yield
            finally:
                with self._lock:
                    words[guardpage.HELD] -= 1

    def left_behind(self, count: int) -> None:
        """So many stops are over but for a thread that sleeps in the kernel, traced by us."""
        self._page.words[guardpage.LEFT_BEHIND] = count

    def copied(self, copy: int, original: int) -> None:
        """From now on the guardian may end this copy."""
        words = self._page.words
        with self._lock:
            for at in range(len(guardpage.COPIES)):
                if not words[guardpage.COPIES[at]]:
                    words[guardpage.LOST[at]] = 0
                    words[guardpage.ORIGINALS[at]] = original
                    words[guardpage.COPIES[at]] = copy
                    break
        self._rouse()

    def lost(self, copy: int) -> str:
        """Why the guardian has ended a copy; "" where it has not."""
        words = self._page.words
        return self._page.why if copy in (words[at] for at in guardpage.LOST) else ""

    def forget(self, copy: int) -> None:
        """We end this copy ourselves."""
        words = self._page.words
        with self._lock:
            for at in guardpage.COPIES:
                if words[at] == copy:
                    words[at] = 0

    def watch_ourselves(self) -> None:
        """Have us asked by SIGTERM to end where memory runs short; `gave_up` then says why."""
        self._page.words[guardpage.GIVES_UP] = 1
        self._rouse()

    @property
    def gave_up(self) -> str:
        return self._page.why if self._page.words[guardpage.TOO_LARGE] else ""

    def _rouse(self) -> None:
        with suppress(OSError):
            os.write(self._wake, _WORD)


_ours: Guardian | None = None


def guardian() -> Guardian:
    """Ours. The first call forks it (1 ms while we are small)."""
    global _ours
    if _ours is None or _ours.owner != os.getpid():
        _ours = Guardian()
    return _ours


def known_guardian() -> Guardian | None:
    """Ours, where there is one."""
    return _ours if _ours is not None and _ours.owner == os.getpid() else None
