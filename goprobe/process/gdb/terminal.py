"""The terminal that a program was given, and its settings from before."""

from __future__ import annotations

import contextlib
import os
import signal
import termios
from collections.abc import Iterable
from typing import Any, Self

import msgspec


class Terminal(msgspec.Struct, frozen=True):
    """Settings of a terminal, as they stood when they were saved."""

    fd: int
    settings: list[Any]

    @classmethod
    def save(cls, streams: Iterable[int]) -> Self | None:
        """Those of the first of `streams` that is a terminal; None where none is."""
        for fd in streams:
            with contextlib.suppress(OSError, termios.error):
                if os.isatty(fd):
                    return cls(fd, termios.tcgetattr(fd))
        return None

    def restore(self) -> None:
        """Put them back: a program that was killed had no chance to do it itself."""
        # Without the signal blocked, a goprobe in the background would be stopped for this.
        old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetattr(self.fd, termios.TCSADRAIN, self.settings)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, old)
