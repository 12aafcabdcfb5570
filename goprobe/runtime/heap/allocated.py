"""Which slots of the heap's spans hold an object, for all spans at once.

An object is allocated if its index is below freeindex or its bit in allocBits is set
(mspan.isFree, src/runtime/mbitmap.go, Go 1.21 to 1.27).
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.process.memory.copies import MISSING, Copy, Words
from goprobe.runtime.heap.grouping import distinct
from goprobe.runtime.heap.spantable import Ints, SpanTable, bits_size

_WORD_BITS = 6
_BITS = 1 << _WORD_BITS
_ONES = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


class Allocation(msgspec.Struct, frozen=True):
    """A set bit for each allocated slot.

    The slots of span i begin at bit 64 * first[i] of `words`; `first` has one entry more than
    there are spans. `counts` are the set bits of each span. `readable` says of each span whether
    its bitmap was there.
    """

    words: Words
    first: Ints
    counts: Ints
    readable: NDArray[np.bool_]

    @property
    def slots(self) -> int:
        """How many there are, each span's padded to a multiple of 64."""
        return len(self.words) * _BITS

    def mask(self, part: slice) -> NDArray[np.bool_]:
        """Of the slots in some words whether each is allocated."""
        bits = np.unpackbits(self.words[part].view(np.uint8), bitorder="little")
        return bits.view(np.bool_)

    def has(self, slots: Ints) -> NDArray[np.bool_]:
        """The same of any slots."""
        bit = self.words[slots >> _WORD_BITS] >> (slots & (_BITS - 1)).astype(np.uint64)
        return np.asarray(bit & np.uint64(1), np.bool_)

    def before(self) -> NDArray[np.int32]:
        """How many allocated slots lie before each word."""
        before = np.zeros(len(self.words), np.int32)
        np.cumsum(_ones(self.words[:-1]), out=before[1:])
        return before

    def before_in_word(self, slots: Ints) -> Ints:
        """Of some slots, how many allocated ones lie before each in its word."""
        below = (np.uint64(1) << (slots & (_BITS - 1)).astype(np.uint64)) - np.uint64(1)
        return _ones(self.words[slots >> _WORD_BITS] & below)


def allocation(spans: SpanTable, bits: Copy) -> Allocation:
    """The allocated slots of `spans`, all of which are in use."""
    sizes = (spans.nelems + _BITS - 1) // _BITS
    first = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
    owner = np.repeat(np.arange(len(spans)), sizes)
    within = np.arange(first[-1]) - first[owner]
    positions = _positions(spans, bits)
    readable = positions != MISSING
    at = np.where(readable, positions >> 3, 0)[owner] + within
    known = readable[owner]
    words = np.zeros(len(owner), np.uint64)
    words[known] = bits.words[at[known]]
    words |= _low_ones(spans.freeindex[owner] - within * _BITS)
    words &= _low_ones(spans.nelems[owner] - within * _BITS)
    return Allocation(words, first, _popcounts(words, first), readable)


def _positions(spans: SpanTable, bits: Copy) -> Ints:
    """Where each span's bitmap begins in the copy; bitmaps have few lengths."""
    positions = np.full(len(spans), MISSING, np.int64)
    words = (spans.nelems + _BITS - 1) // _BITS
    for length in distinct(words).tolist():
        rows = np.flatnonzero(words == length)
        positions[rows] = bits.positions(spans.alloc_bits[rows], bits_size(length * _BITS))
    return positions


def _low_ones(count: Ints) -> Words:
    """Words with their `count` lowest bits set: none where it is negative, all from 64 on."""
    shift = np.clip(_BITS - count, 0, _BITS - 1).astype(np.uint64)
    full = np.uint64(0xFFFF_FFFF_FFFF_FFFF) >> shift
    return np.where(count > 0, full, np.uint64(0))


def _popcounts(words: Words, first: Ints) -> Ints:
    total = np.concatenate((np.zeros(1, np.int64), np.cumsum(_ones(words))))
    counts: Ints = total[first[1:]] - total[first[:-1]]
    return counts


def _ones(words: Words) -> Ints:
    """How many bits of each word are set."""
    if hasattr(np, "bitwise_count"):  # since numpy 2.0
        return np.bitwise_count(words).astype(np.int64)
    ones: Ints = _ONES[words.view(np.uint8)].reshape(-1, 8).sum(axis=1, dtype=np.int64)
    return ones
