"""Which descriptor a goroutine waits for that is parked in the network poller.

Its pollDesc has the address of its g in rg or wg, as a reader's or a writer's
(netpollblockcommit, src/runtime/netpoll.go, Go 1.21 to 1.27), and the frames in which it is parked
lead to the pollDesc or to that word: what a word of theirs leads to says whether it is that.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, word_at
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.record import read_record

_WORD = 8
_INNERMOST = 1 << 10  # bytes: gopark, netpollblock, poll_runtime_pollWait, internal/poll's
_DESCRIPTORS = 1 << 31
_MISSES = 16  # at one pc: nothing leads there, and the next thousands need not be looked through


class Polled(msgspec.Struct, frozen=True):
    """`address` is the pollDesc's."""

    address: int
    descriptor: int
    writing: bool


class Polling:
    """Finds it for many: who stands at one pc has it at one place of the frame."""

    def __init__(self, memory: Memory, layout: Layout) -> None:
        self._memory = memory
        self._struct = layout.structs.get("pollDesc")
        self._places: dict[int, tuple[int, ...]] = {}
        self._missed: Counter[int] = Counter()

    def of(self, g: Goroutine) -> Polled | None:
        """None where nothing leads to it."""
        if self._struct is None or self._missed[g.pc] > _MISSES:
            return None
        words = self._words(g)
        for index in self._places.get(g.pc, ()):
            if index < len(words) and (polled := self._at(words[index], g)):
                return polled
        for index, word in enumerate(words):
            if word and word % _WORD == 0 and (polled := self._at(word, g)):
                self._places[g.pc] = (index, *self._places.get(g.pc, ())[:3])
                return polled
        self._missed[g.pc] += 1
        return None

    def _words(self, g: Goroutine) -> list[int]:
        size = min(g.high - g.sp, _INNERMOST) & -_WORD
        if not g.low <= g.sp < g.high or size <= 0:
            return []
        try:
            return memoryview(self._memory.read(g.sp, size)).cast("Q").tolist()
        except UnreadableError:
            return []

    def _at(self, word: int, g: Goroutine) -> Polled | None:
        struct = self._struct
        if struct is None or g.low <= word < g.high:
            return None
        for name in ("rg", "wg"):
            at = struct.offset(name)
            for base in (word, word - at):
                if base > 0 and word_at(self._memory, base + at) == g.address:
                    return self._polled(base, writing=name == "wg")
        return None

    def _polled(self, base: int, *, writing: bool) -> Polled | None:
        if self._struct is None:
            return None
        try:
            descriptor = read_record(self._memory, self._struct, base)["fd"]
        except UnreadableError:
            return None
        return Polled(base, descriptor, writing) if descriptor < _DESCRIPTORS else None
