"""The bytes at very many places, read in long runs and compared all at once."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from goprobe.process.memory.copies import MISSING, Words, copy_ranges
from goprobe.process.memory.memory import Memory
from goprobe.runtime.heap.grouping import groups
from goprobe.runtime.heap.spantable import Ints

BUDGET = 64 << 20
"""Bytes of content that are compared."""

_AT_ONCE = 1 << 16  # places: neighbours are read with what lies between them
_WORD = 8
_TO_WORD = ~np.uint64(_WORD - 1)


class Alike(msgspec.Struct, frozen=True):
    """Places of equal bytes: `rows` are those that at least one other is equal to, `group` says
    which are: numbers from 0 on, in `count` groups. `compared` places were looked at."""

    rows: Ints
    group: Ints
    count: int
    compared: int


def alike(memory: Memory, address: Words, size: Ints) -> Alike:
    """Which of some places hold the same bytes: the longest first, as far as the budget goes.
    What cannot be read is equal to nothing."""
    rows, group = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    count = 0
    # Of a size that only one place has nothing is equal.
    _, which, counts = np.unique(size, return_inverse=True, return_counts=True)
    shared = np.flatnonzero(counts[which] > 1)
    order = shared[np.argsort(-size[shared], kind="stable")]
    chosen = order[np.cumsum(size[order]) <= BUDGET]
    content, there = _contents(memory, address[chosen], size[chosen])
    starts = np.cumsum(size[chosen]) - size[chosen]
    for each, places in groups(size[chosen], np.arange(len(chosen))):
        begin = int(starts[places[0]])
        table = content[begin : begin + each * len(places)].reshape(-1, each)
        good = there[places]
        if not each or not good.any():
            continue
        which, number = _numbered(table if good.all() else table[good])
        often = np.bincount(which, minlength=number) > 1
        several = often[which]
        fresh = np.cumsum(often) - 1 + count
        rows.append(chosen[places[good][several]])
        group.append(fresh[which[several]])
        count += int(often.sum())
    left = len(order) - len(chosen)
    return Alike(np.concatenate(rows), np.concatenate(group), count, len(size) - left)


def _contents(
    memory: Memory, address: Words, size: Ints
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The bytes of places that are in the order of their sizes, one behind the other, and which
    could be read."""
    content = np.zeros(int(size.sum()), np.uint8)
    there = np.zeros(len(size), bool)
    starts = np.cumsum(size) - size
    for first in range(0, len(size), _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        low = address[part] & _TO_WORD
        into = (address[part] - low).astype(np.int64)
        room = (into + size[part] + _WORD - 1) & -_WORD
        copied = copy_ranges(memory, low, room.astype(np.uint64))
        at = copied.positions(low, room.astype(np.uint64))
        there[part] = at != MISSING
        at += into
        whole = np.frombuffer(copied.buffer, np.uint8)
        for each, rows in groups(size[part], np.arange(len(low))):
            rows = rows[there[first + rows]]
            if not each or not len(rows):
                continue
            windows = np.lib.stride_tricks.sliding_window_view(whole, each)
            begin = int(starts[first + rows[0]])
            if rows[-1] - rows[0] + 1 == len(rows):
                content[begin : begin + each * len(rows)] = windows[at[rows]].ravel()
            else:
                for row in rows.tolist():
                    begin = int(starts[first + row])
                    content[begin : begin + each] = windows[at[row]]
    return content, there


def _numbered(content: NDArray[np.uint8]) -> tuple[Ints, int]:
    """Of each row a number that equal ones share, and how many there are."""
    width = content.shape[1]
    if width <= _WORD:
        padded = np.zeros((len(content), _WORD), np.uint8)
        padded[:, :width] = content
        keys: NDArray[np.generic] = padded.view(np.uint64).ravel()
    else:
        keys = np.ascontiguousarray(content).view(f"V{width}").ravel()
    different, which = np.unique(keys, return_inverse=True)
    return which.ravel(), len(different)
