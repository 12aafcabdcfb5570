"""The runtime's table of interfaces' methods, which lies on the heap as soon as it has grown, as
memory of no type.

Source: src/runtime/iface.go (itabTableType, itabAdd: mallocgc without a type), Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterator

from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import u64
from goprobe.runtime.world import World

_READER = "runtime.getitab"
_LEAST = 512  # itabInitSize
_MOST = 1 << 24
_HEAD, _WORD = 16, 8  # bytes: size and count, then an entry for each of the size


def itab_tables(world: World) -> Iterator[tuple[int, int]]:
    """Where it lies, and its size in bytes: what a variable that getitab reads leads to, and what
    is a table by its own count. (Its lock is the only other variable there.)"""
    reader = world.lines.function_named(_READER)
    if reader is None:
        return
    low, high = reader.entry - world.bias, reader.end - world.bias
    used = world.operands
    inside = (used.pc >= low) & (used.pc < high)
    for variable in sorted(set(used.target[inside].tolist())):
        try:
            table = u64(world.memory, variable + world.bias)
            size, count = u64(world.memory, table), u64(world.memory, table + _WORD)
        except UnreadableError:
            continue
        if _LEAST <= size <= _MOST and not size & (size - 1) and count <= size:
            yield table, _HEAD + size * _WORD
