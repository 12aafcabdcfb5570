"""How long a program may be asked about: what hangs is ended, with all that it started."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

_AGAIN = 10.0  # seconds: what cleans up may hang as well
_SHOWN = 12  # calls


class TookTooLongError(BaseException):
    """The time is up. It says where; no `except Exception` may take it for an answer."""


@contextmanager
def ends_within(seconds: float) -> Iterator[None]:
    """After so long kill what was started, and raise `TookTooLongError` in the main thread, which
    has to be the caller's. What comes of that on the way here counts for nothing."""
    late: list[str] = []

    def ring(number: int, frame: FrameType | None) -> None:
        late.append("".join(traceback.format_stack(frame)[-_SHOWN:]))
        _end_descendants()
        raise TookTooLongError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if late:
            raise TookTooLongError(late[0])


def _end_descendants() -> None:
    """Kill every process that this one has started, directly or not; but not the zombies."""
    parents = dict(_parents())
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    for pid in ours - {os.getpid()}:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdecimal():
                about = (folder / "stat").read_bytes()
                state, parent = about[about.rindex(b")") + 2 :].split()[:2]
                if state != b"Z":
                    yield int(folder.name), int(parent)
