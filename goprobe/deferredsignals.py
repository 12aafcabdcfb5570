"""Holding signals back while something has to be done whole."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

# Plain numbers: a session blocks twice a stop, and to make a set of an enum's members of what the
# kernel says, which `signal` does around CPython's own function, takes ten times as long as to ask.
_ENDS = frozenset(map(int, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)))
_STOPS = frozenset(map(int, (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)))
_ALL = _ENDS | _STOPS
_BLOCK, _UNBLOCK = int(signal.SIG_BLOCK), int(signal.SIG_UNBLOCK)
_sigmask: Callable[[int, Collection[int]], set[int]] = getattr(
    sys.modules.get("_signal"), "pthread_sigmask", signal.pthread_sigmask
)


class _Ours(threading.local):
    """What this thread blocks because of us. An interrupt may come between any two steps: so each
    block is listed, by itself and at once, before its signals are blocked."""

    def __init__(self) -> None:
        self.blocks: list[tuple[object, frozenset[int]]] = []
        self.before: set[int] = set()  # what was blocked before any of them

    def block(self, by: object, wanted: frozenset[int]) -> None:
        if not self.blocks:
            self.before = _sigmask(_BLOCK, ())
        self.blocks.append((by, wanted))
        _sigmask(_BLOCK, wanted)

    def unblock(self, by: object) -> None:
        if len(self.blocks) == 1 and self.blocks[0][0] is by:  # nearly always
            _sigmask(_UNBLOCK, self.blocks.pop()[1] - self.before)
            return
        freed = {number for owner, wanted in self.blocks if owner is by for number in wanted}
        self.blocks[:] = [block for block in self.blocks if block[0] is not by]
        kept = {number for _, wanted in self.blocks for number in wanted}
        _sigmask(_UNBLOCK, freed - kept - self.before)


_ours = _Ours()


@contextmanager
def signals_deferred() -> Iterator[set[int]]:
    """Hold Ctrl-C, Ctrl-Z and their kin back until the block ends, so that it is done whole.

    Yields the signals that were blocked before any of ours: what a program that is started
    in it is to have. A thread that is started in it never gets any: the kernel would give it those
    that the main thread holds back.
    """
    by = object()
    try:
        _ours.block(by, _ALL)
        yield set(_ours.before)
    finally:
        _ours.unblock(by)


@contextmanager
def stops_held() -> Iterator[None]:
    """Hold Ctrl-Z and its kin back while somebody stands still because of us: whoever is stopped
    himself lets nobody go. Such blocks may end in any order."""
    by = object()
    try:
        with signals_deferred():
            _ours.block(by, _STOPS)
        yield
    finally:
        _ours.unblock(by)
