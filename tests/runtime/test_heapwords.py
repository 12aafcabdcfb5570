"""The words of a heap, some at a time: whatever its spans claim to be."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from goprobe.process.memory.memory import Buffer, Memory
from goprobe.runtime.heap.spantable import SpanTable
from goprobe.runtime.heap.words import HeapWords

_PAGE = 8192
_SCANNED = 4  # a span class whose objects may hold pointers


class Zeros:
    """Memory in which nothing but zeros is."""

    def read_into(self, address: int, buffer: Buffer) -> None:
        buffer[:] = bytes(len(buffer))


def spans(*each: tuple[int, int]) -> SpanTable:
    """By their pages and objects, one behind the other."""
    pages, objects = (np.array(column, np.int64) for column in zip(*each, strict=True))
    zeros: dict[str, Any] = {
        name: np.zeros(len(each), np.int64) for name in SpanTable.__struct_fields__
    }
    base = (0xC000000000 + (np.cumsum(pages) - pages) * _PAGE).astype(np.uint64)
    given = {"npages": pages, "nelems": objects, "base": base, "unreadable": ()}
    return SpanTable(**{**zeros, "spanclass": zeros["state"] + _SCANNED, **given})


@pytest.mark.parametrize("objects", [2, 65536])
def test_a_span_of_several_objects_is_looked_at_as_a_whole(objects: int) -> None:
    words = HeapWords(cast(Memory, Zeros()), spans((1, 16), (4096, objects), (1, 16)), _PAGE)
    parts = [(part.rows.tolist(), part.low, part.high) for part in words.parts()]
    page = _PAGE // 8
    assert parts == [([0], 0, page), ([1], page, 4097 * page), ([2], 4097 * page, 4098 * page)]


def test_a_very_large_object_is_looked_at_in_pieces() -> None:
    words = HeapWords(cast(Memory, Zeros()), spans((4096, 1)), _PAGE)
    parts = [(part.low, part.high) for part in words.parts()]
    assert parts == [(0, 2 << 20), (2 << 20, 4 << 20)]


@pytest.mark.parametrize("step", [1, 2, -1, -2])
def test_words_that_are_wanted_one_after_the_other_are_read_in_few_steps(step: int) -> None:
    memory, page, count = Zeros(), _PAGE // 8, 4000
    words = HeapWords(cast(Memory, memory), spans(*[(1, 16)] * count), _PAGE)
    reads = 0
    for place in range(0, count * page, page)[::step]:
        before = int(words.there.sum())
        assert words.at(np.array([place])) == 0
        reads += int(words.there.sum()) > before
    assert reads < 200
