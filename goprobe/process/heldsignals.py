"""Holding signals back while something has to be done whole."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_BLOCKABLE = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}


@contextmanager
def signals_held() -> Iterator[set[int]]:
    """Hold Ctrl-C and its kin back until the block ends, so that it is done whole.

    Yields the signals that were blocked before. A thread that is started in it never gets any:
    the kernel would give it those that the main thread holds back.
    """
    old = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKABLE)
        yield {int(number) for number in old}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
