"""Copies of many small things of the target, taken in few reads and picked apart afterwards.

A stop must be short: inside it memory is only copied, in runs as long as they come. What the
bytes mean is worked out from the copy, when the target runs again.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import READ_LIMIT, Memory, read_packed

Words = NDArray[np.uint64]
Positions = NDArray[np.int64]

MISSING = -1
_GAP = 1 << 11  # bytes: reading so much more takes as long as another read
_PAGE = 1 << 12  # of x86-64: memory is mapped or absent by whole pages
_RETRY_LIMIT = 1 << 24
_WORD = 8


class Copy(msgspec.Struct, frozen=True):
    """Runs of the target's memory, one behind the other in `words`.

    `lows` and `highs` are the runs' addresses, ascending, multiples of 8; `starts` where each
    begins in the copy, in bytes.
    """

    lows: Words
    highs: Words
    starts: Positions
    buffer: bytearray

    @property
    def words(self) -> Words:
        return np.frombuffer(self.buffer, np.uint64)

    def refresh(self, memory: Memory) -> None:
        """Copy the same runs once more, into the same place. Raises UnreadableError."""
        if not self.copied(memory):
            raise UnreadableError(int(self.lows[0]), len(self.buffer), "it has changed meanwhile")

    def copied(self, memory: Memory) -> bool:
        """Whether all of the runs could be copied, into their place."""
        sizes = (self.highs - self.lows).astype(np.uint64)
        pairs = np.ascontiguousarray(np.stack((self.lows, sizes), axis=1))
        ends = [*self.starts.tolist(), len(self.buffer)]
        return not self.buffer or read_packed(memory, pairs.data, ends, self.buffer)

    def positions(self, addresses: Words, size: int | Words) -> Positions:
        """Where each [address, address + size) begins in the copy, in bytes.

        MISSING where it is not there whole, or the address is no multiple of 8.
        """
        if not len(self.lows):
            return np.full(len(addresses), MISSING, np.int64)
        run = np.searchsorted(self.lows, addresses, side="right") - 1
        known = (run >= 0) & (addresses % np.uint64(_WORD) == 0)
        run = np.maximum(run, 0)
        known &= addresses < self.highs[run]
        into = np.where(known, addresses - self.lows[run], np.uint64(0)).astype(np.int64)
        room = (self.highs[run] - self.lows[run]).astype(np.int64) - into
        return np.where(
            known & (room >= np.asarray(size).astype(np.int64)), self.starts[run] + into, MISSING
        )

    def numbers(self, positions: Positions, size: int) -> Words:
        """Little-endian numbers of `size` bytes, each at a multiple of its size."""
        numbers: Words = self.words[positions >> 3]
        if size >= _WORD:
            return numbers
        shift = ((positions & 7) << 3).astype(np.uint64)
        low: Words = (numbers >> shift) & np.uint64((1 << 8 * size) - 1)
        return low


def copy_ranges(memory: Memory, addresses: Words, size: int | Words) -> Copy:
    """Copy `size` bytes (one for all, or one each) at each address, in any order.

    What cannot be read is left out. Neighbours that are close are read as one run.
    """
    if not len(addresses) or not np.any(size):
        return _joined([])
    lows, highs = _runs(addresses, np.broadcast_to(np.asarray(size, np.uint64), addresses.shape))
    if int((highs - lows).sum()) <= READ_LIMIT:
        whole = _placed(lows, highs)
        if whole.copied(memory):
            return whole
        del whole  # its memory may be much
    runs = list(zip(lows.tolist(), (highs - lows).tolist(), strict=True))
    runs, parts = _retried(memory, runs, memory.read_many(runs))
    return _joined((at, part) for (at, _), part in zip(runs, parts, strict=True) if part)


def words_at(memory: Memory, addresses: Words) -> tuple[Words, NDArray[np.bool_]]:
    """The words at some addresses, and which of those can be read; the others' are 0."""
    copy = copy_ranges(memory, addresses, _WORD)
    at = copy.positions(addresses, _WORD)
    there = at != MISSING
    words = np.zeros(len(addresses), np.uint64)
    words[there] = copy.numbers(at[there], _WORD)
    return words, there


def _runs(addresses: Words, sizes: Words) -> tuple[Words, Words]:
    """[low, high) of the runs in which all that is to be read."""
    order = np.argsort(addresses, kind="stable")
    addresses, sizes = addresses[order], sizes[order]
    word = np.uint64(_WORD - 1)
    lows = np.minimum(addresses, np.uint64((1 << 64) - 1 - _GAP) - sizes) & ~word
    ends = np.maximum.accumulate(lows + (sizes + np.uint64(2 * _WORD - 1)) & ~word)
    apart = np.flatnonzero(lows[1:] > ends[:-1] + np.uint64(_GAP)) + 1
    first = np.concatenate(([0], apart))
    last = np.concatenate((apart - 1, [len(lows) - 1]))
    return lows[first], ends[last]


def _placed(lows: Words, highs: Words, buffer: bytearray | None = None) -> Copy:
    sizes = (highs - lows).astype(np.int64)
    room = bytearray(int(sizes.sum())) if buffer is None else buffer
    return Copy(lows, highs, np.cumsum(sizes) - sizes, room)


def _retried(
    memory: Memory, runs: list[tuple[int, int]], parts: list[bytes | None]
) -> tuple[list[tuple[int, int]], list[bytes | None]]:
    """Runs with a hole once more, page by page, as far as that is bounded."""
    again: list[tuple[int, int]] = []
    whole: list[tuple[tuple[int, int], bytes | None]] = []
    for (low, length), part in zip(runs, parts, strict=True):
        if part is not None:
            whole.append(((low, length), part))
        elif length <= _RETRY_LIMIT:
            borders = range((low // _PAGE + 1) * _PAGE, low + length, _PAGE)
            cuts = [low, *borders, low + length]
            again += [(a, b - a) for a, b in pairwise(cuts)]
    whole += zip(again, memory.read_many(again), strict=True)
    whole.sort(key=lambda pair: pair[0])
    return [run for run, _ in whole], [part for _, part in whole]


def _joined(pieces: Iterable[tuple[int, bytes]]) -> Copy:
    lows: list[int] = []
    highs: list[int] = []
    parts: list[bytes] = []
    for low, part in pieces:
        if highs and highs[-1] == low:
            highs[-1] = low + len(part)
        else:
            lows.append(low)
            highs.append(low + len(part))
        parts.append(part)
    first, last = np.array(lows, np.uint64), np.array(highs, np.uint64)
    return _placed(first, last, bytearray(b"").join(parts))
