"""What glibc's malloc took from the kernel beside the C heap (brk), as its own words there say.

An arena of a thread lies in heaps that begin at multiples of 64 MiB, each with a header, struct
heap_info (malloc/arena.c, glibc 2.3 to 2.41). A large block has a mapping of its own, which begins
with a chunk's size and the flag IS_MMAPPED (malloc/malloc.c); the kernel may have joined several.
What fits neither may be another malloc's, or anybody's who called mmap.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from goprobe.process.memory.memory import Memory, read_or_none
from goprobe.process.proc.maps import Mapping, find

_HEAP = 64 << 20  # HEAP_MAX_SIZE, twice DEFAULT_MMAP_THRESHOLD_MAX (malloc/malloc.c)
_HEADER = struct.Struct("<4Q")  # heap_info: ar_ptr, prev, size, mprotect_size
_CHUNK = struct.Struct("<2Q")  # malloc_chunk: mchunk_prev_size, mchunk_size
_IS_MMAPPED, _FLAGS = 2, 7
_PAGE = 1 << 12
_MOST = 4096  # headers that are looked at: each is a page to read


class MallocMemory(msgspec.Struct, frozen=True):
    """[low, high) is malloc's: an arena's, or else large blocks'."""

    low: int
    high: int
    of_arena: bool


def glibc_malloc(
    memory: Memory, mappings: Sequence[Mapping], ends: Sequence[int]
) -> tuple[MallocMemory, ...]:
    """In address order; of more than there is time to look at, the first.

    `ends` are where others' memory ends, ascending: the kernel joins what lies side by side, and
    large blocks may begin there. Those behind memory that is not known to end there are not seen.
    """
    looks = (
        look
        for mapping in mappings
        if not mapping.path and mapping.perms == "rw-p"
        for look in _in_mapping(memory, mapping, mappings, ends)
    )
    return tuple(each for each in islice(looks, _MOST) if each)


def _in_mapping(
    memory: Memory, mapping: Mapping, mappings: Sequence[Mapping], ends: Sequence[int]
) -> Iterator[MallocMemory | None]:
    """What each look at a header tells."""
    at = mapping.low
    while at < mapping.high:
        end_of_heap = _heap_end(memory, mapping, mappings, at)
        if end := end_of_heap or _block_end(memory, mapping, at):
            yield MallocMemory(at, end, of_arena=end_of_heap > 0)
            at = end
            continue
        yield None
        following = bisect_right(ends, at)
        # An arena may lie there as well, in one mapping with what is not malloc's.
        at += _HEAP - at % _HEAP
        if following < len(ends):
            at = min(at, ends[following])


def _heap_end(memory: Memory, mapping: Mapping, mappings: Sequence[Mapping], at: int) -> int:
    """Where the memory ends of the arena's heap that begins there; 0: none does."""
    words = _words(memory, at, _HEADER) if at % _HEAP == 0 else None
    if words is None:
        return 0
    arena, before, size, usable = words
    end = at + usable
    fits = 0 < size <= usable <= _HEAP and not usable % _PAGE
    # Beyond what is usable nobody may touch the heap's memory, to its last page.
    fits = fits and (end == mapping.high or (usable == _HEAP and end < mapping.high))
    first = arena - arena % _HEAP
    mine = first == at and before == 0
    older = first != at and before and before % _HEAP == 0 and before != at
    if fits and (mine or older) and find(mappings, arena):
        return end
    return 0


def _block_end(memory: Memory, mapping: Mapping, at: int) -> int:
    """Where the large block ends that begins there; 0: none does."""
    words = _words(memory, at, _CHUNK)
    if words is None:
        return 0
    before, size = words
    whole = size - _IS_MMAPPED
    fits = before == 0 and size & _FLAGS == _IS_MMAPPED and whole > 0 and not whole % _PAGE
    return at + whole if fits and at + whole <= mapping.high else 0


def _words(memory: Memory, at: int, form: struct.Struct) -> tuple[int, ...] | None:
    read = read_or_none(memory, at, form.size)
    return None if read is None else form.unpack(read)
