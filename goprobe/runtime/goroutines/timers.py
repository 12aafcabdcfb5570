"""When the timers fire that goroutines wait for: those of time.Sleep, and those of channels.

Source: src/runtime/time.go, chan.go, src/time/sleep.go. A sleeper's hangs at its g (timeSleep).
Since Go 1.23 a timer's channel leads to it (hchan.timer); before, and with asynctimerchan=1, the
timer alone leads to the channel: its argument is the channel, and its function time.sendTime.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec
import numpy as np

from goprobe.errors import UnreadableError
from goprobe.process.memory.copies import Words, words_at
from goprobe.process.memory.memory import Memory, word_at
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.layout.columns import read_columns
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

    def of_channels(
        self, timers: Mapping[int, int], pointers: tuple[Words, Words]
    ) -> dict[int, Timer]:
        """Those of channels, by the channels' addresses. `timers` are where the timer of each is by
        its hchan, 0 for none; `pointers` lead to channels: (channel, place) of each in columns."""
        known = ((channel, self._read(at)) for channel, at in timers.items())
        made = {channel: _timer(record) for channel, record in known if record}
        if self._layout.has("timer"):
            for channel, at in self._leading(*pointers):
                if channel in timers and channel not in made and (record := self._read(at)):
                    made[channel] = _timer(record)
        return made

    def _leading(self, channels: Words, places: Words) -> Iterator[tuple[int, int]]:
        """Which timers alone lead to their channels."""
        struct = self._layout.struct("timer")
        first = np.uint64(struct.offset("arg") + _WORD)  # an interface's second word
        channels, at = channels[places > first], places[places > first] - first
        fields, _ = read_columns(self._memory, struct, at)
        likely = np.flatnonzero((fields.word("arg", 1) == channels) & (fields["f"] != 0))
        functions, which = np.unique(fields["f"][likely], return_inverse=True)
        words, there = words_at(self._memory, functions)
        codes, of = np.unique(words[there], return_inverse=True)
        named = np.array([self._function_at(code) == _SENDS for code in codes.tolist()], np.bool_)
        sends = np.zeros(len(functions), np.bool_)
        sends[there] = named[of]
        for row in likely[sends[which]].tolist():
            yield int(channels[row]), int(at[row])

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
