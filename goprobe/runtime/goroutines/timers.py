"""When the timers fire that goroutines wait for: those of time.Sleep, and those of channels.

Source: src/runtime/time.go, chan.go, src/time/sleep.go. A sleeper's hangs at its g (timeSleep).
Since Go 1.23 a timer's channel leads to it (hchan.timer); before, and with asynctimerchan=1, the
timer alone leads to the channel: its argument is the channel, and its function time.sendTime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, word_at
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.layout.record import Record, read_record

_WORD = 8
_SENDS = "time.sendTime"


class Timer(msgspec.Struct, frozen=True):
    """`when` it fires by the runtime's clock, in nanoseconds, 0 where it is not set, and again
    every `period`. `fake`: by the clock of a synctest bubble."""

    address: int
    when: int
    period: int
    fake: bool


class Timers:
    """`function_at` names the function at a pc."""

    def __init__(self, memory: Memory, layout: Layout, function_at: Callable[[int], str]) -> None:
        self._memory, self._layout, self._function_at = memory, layout, function_at

    def of_sleeper(self, g: Goroutine) -> Timer | None:
        if not self._layout.has("g", "timer"):
            return None
        record = self._read(self._word(g.address + self._layout.offset("g", "timer")))
        return _timer(record) if record else None

    def of_channel(self, channel: Record, places: Iterable[int]) -> Timer | None:
        """That of a channel (a hchan); `places` are of pointers that lead to it."""
        if record := self._read(channel.get("timer")):
            return _timer(record)
        if not self._layout.has("timer"):
            return None
        argument = self._layout.offset("timer", "arg") + _WORD  # an interface's second word
        for place in places:
            record = self._read(place - argument)
            if record and record.word("arg", 1) == channel.address and self._sends(record["f"]):
                return _timer(record)
        return None

    def _sends(self, function: int) -> bool:
        return self._function_at(self._word(function)) == _SENDS

    def _read(self, address: int) -> Record | None:
        if address <= 0 or not self._layout.has("timer"):
            return None
        try:
            return read_record(self._memory, self._layout.struct("timer"), address)
        except UnreadableError:
            return None

    def _word(self, address: int) -> int:
        return word_at(self._memory, address) if address else 0


def _timer(record: Record) -> Timer:
    fake = bool(record.get("isFake"))
    return Timer(record.address, record.signed("when"), record.signed("period"), fake)
