"""Which arenas a heap has, by their indexes: the page allocator's, and those of package arena.

Source: src/runtime/mheap.go (allArenas; heapArenas and userArenaArenas since Go 1.25), malloc.go
(mallocinit, mheap.sysAlloc), Go 1.21 to 1.27.
"""

from __future__ import annotations

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory, u64
from goprobe.runtime.layout.layout import Layout

USER_ARENAS = 0x40C0 << 32
"""Where mallocinit has them begin up to Go 1.24, where there is no race detector."""

_WORD = 8
_ARENA_LIMIT = 1 << 20
_AT_ONCE = 512  # entries of mheap_.arenas


def listed(memory: Memory, layout: Layout, mheap: int) -> set[int]:
    """Those that spans of the page allocator lie in. Raises UnreadableError."""
    return _list(memory, layout, mheap, "allArenas") | _list(memory, layout, mheap, "heapArenas")


def of_users(
    memory: Memory, layout: Layout, mheap: int, table: tuple[int, int], first: int
) -> set[int]:
    """Up to Go 1.24 no list has them (sysAlloc's `register`): they lie from the index `first` on,
    with the race detector among and behind the others. `table` is mheap_.arenas' second level.
    Raises UnreadableError."""
    if not layout.has("mheap", "allArenas"):
        return _list(memory, layout, mheap, "userArenaArenas")
    others = listed(memory, layout, mheap)
    made = _made(memory, table, first) | _made(memory, table, min(others, default=first))
    return made - others


def _made(memory: Memory, table: tuple[int, int], first: int) -> set[int]:
    """From one on until there are none for a while."""
    low, high = table
    made: set[int] = set()
    end = min(high, low + _WORD * (first + _ARENA_LIMIT))
    for at in range(low + _WORD * first, end, _WORD * _AT_ONCE):
        try:
            raw = memory.read(at, min(_WORD * _AT_ONCE, end - at))
        except UnreadableError:
            break
        here = [i for i, entry in enumerate(memoryview(raw).cast("Q")) if entry]
        if not here:
            break
        made.update((at - low) // _WORD + i for i in here)
    return made


def _list(memory: Memory, layout: Layout, mheap: int, name: str) -> set[int]:
    if not layout.has("mheap", name):
        return set()
    header = mheap + layout.offset("mheap", name)
    at, count = (u64(memory, header + _WORD * i) for i in range(2))
    if not at or count > _ARENA_LIMIT:
        return set()
    return set(memoryview(memory.read(at, _WORD * count)).cast("Q").tolist())
