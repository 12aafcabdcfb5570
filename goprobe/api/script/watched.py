"""What is watched: bytes of any place and length, and what a stop says of them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import msgspec

from goprobe.analysis.trace.stopview import StopView
from goprobe.arch.frames import RETURN_ADDRESS
from goprobe.arch.registers import PC, SP
from goprobe.errors import UnreadableError
from goprobe.model.script import WatchNews
from goprobe.process.memory.memory import Memory, u64

WATCHES = 4
WORD = 8
_COMPARED = 1 << 16  # bytes behind a header


class Notice(msgspec.Struct, frozen=True):
    """What happened to the watch of a number."""

    number: int
    reason: str
    news: WatchNews = WatchNews.WRITE
    writers: tuple[int, ...] = ()
    """Kernel ids of other threads that wrote there in the same instant."""
    own: bool = True
    """Whether it is to be told where the program stopped: else that stop is another thread's, and
    the first of `writers` did it."""
    partly: bool = False
    """Whether some words of a header were written, and the rest may be still to come."""


class OnStack(msgspec.Struct):
    """The goroutine's id, the bytes' distance below its stack's high end, and the frame they lie
    in: its function, the distance of its CFA and where it returns to; "" where no frame was seen
    there."""

    goroutine: int
    from_high: int
    function: str = ""
    cfa: int = 0
    back: int = 0


class WatchedBytes(msgspec.Struct):
    """`element` is the size of one element of what a header (of a string, a slice) leads to, -1 of
    one that leads to nothing that is watched (of an interface), 0 for other bytes; `data` are
    those, as far as they are compared, at `data_at`. `headers` are those that the bytes are or
    hold: offsets and sizes. `before` was there before the last write."""

    address: int
    size: int
    content: bytes
    stack: OnStack | None
    element: int = 0
    headers: tuple[tuple[int, int], ...] = ()
    data_at: int = 0
    data: bytes = b""
    paused: bool = False
    header_only: bool = False
    before: bytes = b""

    @property
    def own(self) -> list[int]:
        """The words of the watched bytes themselves."""
        return [*range(self.address & -WORD, self.address + self.size, WORD)]

    @property
    def words(self) -> Iterable[int]:
        own = self.own
        data = [*range(self.data_at & -WORD, self.data_at + len(self.data), WORD)]
        fits = len({*own, *data}) <= WATCHES and not self.header_only
        return [*own, *data] if fits else own

    @property
    def is_whole_words(self) -> bool:
        return self.address % WORD == 0 and self.size % WORD == 0

    @property
    def data_is_watched(self) -> bool:
        return not self.data or self.data_at & -WORD in self.words

    def follow(self, memory: Memory) -> None:
        """Read what the header leads to now."""
        self.data_at, self.data = 0, b""
        if self.element > 0:
            at, length = u64(memory, self.address), u64(memory, self.address + WORD)
            size = min(length * self.element, _COMPARED)
            if at and size:
                self.data_at, self.data = at, memory.read(at, size)

    def written(self, content: bytes, at: int, size: int) -> int:
        """How many words of a header are others than before the last write."""
        words = range(at, at + size, WORD)
        return sum(content[at : at + WORD] != self.before[at : at + WORD] for at in words)

    def part_written(self, content: bytes) -> str:
        """In words, how much of a header has changed, where that is not all of it."""
        for at, size in self.headers:
            written, words = self.written(content, at, size), size // WORD
            if 0 < written < words:
                where = "" if size == self.size else f" {at} bytes on"
                return f", to {written} of the {words} words of its header{where}"
        return ""


def on_stack(view: StopView, address: int) -> OnStack | None:
    detail = view.locator.locate(address).detail
    goroutine, from_high = detail.get("goroutine"), detail.get("from_high")
    if not isinstance(goroutine, int) or not isinstance(from_high, int):
        return None
    stack = OnStack(goroutine, from_high)
    if view.goroutine is not None and view.goroutine.id == goroutine:
        cfa = next((frame.cfa for frame in view.frames if address < frame.cfa), 0)
        # Of frames with one CFA all but the last were inlined into that.
        for frame in (f for f in view.frames if cfa and f.cfa == cfa):
            stack.function, stack.cfa = frame.function, view.goroutine.high - cfa
        with suppress(UnreadableError):
            stack.back = u64(view.world.memory, cfa - RETURN_ADDRESS) if cfa else 0
    return stack


def has_returned(view: StopView, stack: OnStack | None) -> bool:
    """Whether the goroutine stands right behind the call of the frame's function."""
    g = view.goroutine
    if stack is None or not stack.back or g is None or g.id != stack.goroutine:
        return False
    return view.registers[PC] == stack.back and g.high - view.registers[SP] <= stack.cfa


def has_left(view: StopView, stack: OnStack | None) -> bool:
    """Whether the frame is gone, as far as the goroutine's own frames can tell."""
    g = view.goroutine
    if stack is None or not stack.function or g is None or g.id != stack.goroutine:
        return False
    below = [g.high - f.cfa for f in view.frames]
    if not below or below[-1] > stack.cfa:
        return False  # of a deep stack not all frames are walked: its own may be further out
    return not any(
        f.function == stack.function and at == stack.cfa
        for f, at in zip(view.frames, below, strict=True)
    )
