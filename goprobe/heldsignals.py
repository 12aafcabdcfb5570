"""Holding signals back while something has to be done whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ENDS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
_STOPS = {signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
_holders = threading.local()


@contextmanager
def signals_held() -> Iterator[set[int]]:
    """Hold Ctrl-C, Ctrl-Z and their kin back until the block ends, so that it is done whole.

    Yields the signals that were blocked before. A thread that is started in it never gets any:
    the kernel would give it those that the main thread holds back.
    """
    wanted = _ENDS | _STOPS
    old = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
        yield {int(number) for number in old}
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, wanted - old)


@contextmanager
def stops_held() -> Iterator[None]:
    """Hold Ctrl-Z and its kin back while somebody stands still because of us: whoever is stopped
    himself lets nobody go. Several such blocks of one thread may end in any order."""
    with signals_held() as before:
        if not getattr(_holders, "count", 0):
            _holders.count, _holders.ours = 0, _STOPS - before
        _holders.count += 1
    signal.pthread_sigmask(signal.SIG_BLOCK, _holders.ours)
    try:
        yield
    finally:
        _holders.count -= 1
        if not _holders.count:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _holders.ours)
