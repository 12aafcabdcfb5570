"""The page of memory by which goprobe and its guardian tell each other what is the matter.

Each word has one writer: above `LOST` goprobe, below it the guardian.
"""

from __future__ import annotations

import mmap

from goprobe.process.proc.procfs import PAGE_SIZE

HELD = 0  # how many stops of ours are not over yet
TARGET = 1  # whom the last of them holds
TRACER = 2  # which thread of ours does
TURN = 3  # which stop that is
LEFT_BEHIND = 4  # stops that are over, but for a thread that sleeps in the kernel
GIVES_UP = 5  # whether goprobe ends when it is asked to, for want of memory
COPIES = range(8, 16)  # living copies of targets, 0 for none
ORIGINALS = range(16, 24)  # what they are copies of
LOST = range(24, 32)  # copies that the guardian has ended
TOO_LARGE = 32  # whether goprobe was asked to end
_WHY = PAGE_SIZE // 2


class GuardPage:
    """`words` are to be read and written; `why` is what the guardian last said."""

    def __init__(self) -> None:
        self._page = mmap.mmap(-1, PAGE_SIZE)  # shared with who is forked
        self.words = memoryview(self._page).cast("q")

    @property
    def why(self) -> str:
        return self._page[_WHY:].split(b"\0", 1)[0].decode("utf-8", "replace")

    @why.setter
    def why(self, text: str) -> None:
        raw = text.encode("utf-8", "replace")[: PAGE_SIZE - _WHY - 1]
        self._page[_WHY : _WHY + len(raw) + 1] = raw + b"\0"
