"""Where C's threads have their stacks, as the C library notes it for itself.

The thread pointer (fs_base) of a thread points at its descriptor, struct pthread, which lies above
the stack in the same block, unless the program gave a stack of its own. It has the block's bounds:
glibc stackblock and stackblock_size (nptl/descr.h), musl map_base and map_size, and the stack's own
top and size right behind (src/internal/pthread_impl.h, 1.2). Where in it they are differs between
versions; that they fit together and lie before whatever follows the descriptor tells them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory
from goprobe.process.proc.maps import Mapping, find

_DESCRIPTOR = 2048  # bytes that are looked at; glibc 2.36's has 2,304, its stack at 1,688
_PAGE = 1 << 12
_ROOM = 16 << 10  # between a stack's top and the descriptor above it: thread-locals, or none
_SMALLEST, _LARGEST = 2 << 10, 1 << 36
_ALIGNED = 16

Bounds = tuple[int, int]


def stack_bounds(
    memory: Memory, mappings: Sequence[Mapping], fs_base: int, sp: int
) -> Bounds | None:
    """[low, high) of the stack that a thread of C was made with, without guard pages; None where
    its descriptor says nothing, as the main thread's does not.

    `sp` is the thread's stack pointer, wherever that may point.
    """
    if not fs_base or fs_base % 8:
        return None
    words = _words(memory, fs_base)
    for at, block in _fitting(words, fs_base, sp):
        if bounds := _in_memory(mappings, *block):
            # musl's stack in its block; glibc's next word is the size of a guard.
            return _in_memory(mappings, *_below(words[at + 2 : at + 4])) or bounds
    return None


def _words(memory: Memory, address: int) -> tuple[int, ...]:
    """What can be read of a descriptor: musl's is small and may lie at the end of memory."""
    for size in (_DESCRIPTOR, min(_DESCRIPTOR, _PAGE - address % _PAGE)):
        try:
            return struct.unpack(f"<{size // 8}Q", memory.read(address, size))
        except UnreadableError:
            continue
    return ()


def _fitting(words: tuple[int, ...], fs_base: int, sp: int) -> Iterator[tuple[int, Bounds]]:
    """In the descriptor's order, with the index of the first word. The program's own data may
    follow the descriptor, and fit as well: an address on the stack beside any number."""
    for at, (address, size) in enumerate(pairwise(words)):
        if not _is_size(size) or address % _ALIGNED:
            continue
        # From its low end on, with the descriptor at its high end.
        if address < fs_base < address + size <= fs_base + _ROOM:
            yield at, (address, address + size)
        # Down from its high end, below the descriptor; or wherever the thread stands.
        elif fs_base - _ROOM < address <= fs_base or address - size <= sp < address:
            yield at, (address - size, address)


def _below(words: Sequence[int]) -> Bounds:
    """A stack that is noted by its top and its size; (0, 0) where these are none."""
    if len(words) == 2 and _is_size(words[1]) and words[0] % _ALIGNED == 0:
        return max(words[0] - words[1], 0), words[0]
    return 0, 0


def _is_size(size: int) -> bool:
    return _SMALLEST <= size <= _LARGEST and size % _ALIGNED == 0


def _in_memory(mappings: Sequence[Mapping], low: int, high: int) -> Bounds | None:
    """A stack lies in one mapping, its guard in one just below."""
    mapping = find(mappings, high - 1) if low < high else None
    if mapping is None or "w" not in mapping.perms:
        return None
    if low >= mapping.low:
        return low, high
    below = find(mappings, mapping.low - 1)
    if below is None or low < below.low or not below.perms.startswith("---"):
        return None
    return mapping.low, high
