"""Which words of a stack frame hold pointers, by the compiler's stack maps.

Source: src/runtime/stkframe.go (getStackMap), symtab.go (stackmap), stack.go (stackObjectRecord)
of Go 1.21 to 1.27, which agree.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

from goprobe.binary.pcln.format import (
    FUNCDATA_ARGS_POINTER_MAPS,
    FUNCDATA_LOCALS_POINTER_MAPS,
    FUNCDATA_STACK_OBJECTS,
    PCDATA_STACK_MAP_INDEX,
    Function,
)
from goprobe.binary.pcln.table import LineTable
from goprobe.errors import UnreadableError

_COUNT_LIMIT = 1 << 20
_BITS_LIMIT = 1 << 26
_OBJECT = struct.Struct("<iiiI")


class PointerMap(msgspec.Struct, frozen=True):
    """`words` 8-byte words from the lowest address on; a set bit is a live pointer."""

    words: int
    bits: bytes

    def __iter__(self) -> Iterator[int]:
        """The indices of the words that hold live pointers."""
        for index in range(self.words):
            if self.bits[index >> 3] >> (index & 7) & 1:
                yield index


_EMPTY = PointerMap(0, b"")


class FrameMaps(msgspec.Struct, frozen=True):
    """`locals` ends at the frame's highest local (varp), `arguments` begins at argp.

    varp is the address of the saved frame pointer (cfa - 16), or of the return address (cfa - 8)
    for a frame of no size; argp is cfa, the caller's SP.
    """

    locals: PointerMap
    arguments: PointerMap


class StackObject(msgspec.Struct, frozen=True):
    """A variable whose address is taken: `offset` from varp (negative) or argp (otherwise).

    `pointer_bytes` is the prefix of its type that may hold pointers (negative in old releases
    where the bitmap is a GC program); `bitmap` the address of the type's pointer bitmap.
    """

    offset: int
    size: int
    pointer_bytes: int
    bitmap: int


def frame_maps(table: LineTable, function: Function, pc: int) -> FrameMaps:
    """The live pointers of a frame that goes on at `pc` (a return address, or where it stopped).

    Raises UnreadableError where the function has no map for it, as assembly has none.
    """
    index = 0
    if pc != function.entry:
        index = max(table.pcdata(function, PCDATA_STACK_MAP_INDEX, pc - 1), 0)
    return FrameMaps(
        _map(table, function, FUNCDATA_LOCALS_POINTER_MAPS, index),
        _map(table, function, FUNCDATA_ARGS_POINTER_MAPS, index),
    )


def _map(table: LineTable, function: Function, which: int, index: int) -> PointerMap:
    at = table.funcdata(function, which)
    if not at:
        return _EMPTY
    count, bits = struct.unpack("<ii", table.read_funcdata(at, 8))
    if not bits:
        return _EMPTY
    if not (0 <= index < count <= _COUNT_LIMIT and 0 < bits <= _BITS_LIMIT):
        raise UnreadableError(at, 8, f"no stack map {index} of {count}")
    size = (bits + 7) // 8
    return PointerMap(bits, table.read_funcdata(at + 8 + index * size, size))


def stack_objects(table: LineTable, function: Function) -> list[StackObject]:
    """The function's variables that are reached by their address, not by the stack maps."""
    at = table.funcdata(function, FUNCDATA_STACK_OBJECTS)
    if not at:
        return []
    count = int.from_bytes(table.read_funcdata(at, 8), "little")
    if count > _COUNT_LIMIT:
        raise UnreadableError(at, 8, f"it claims {count} stack objects")
    raw = table.read_funcdata(at + 8, _OBJECT.size * count)
    return [
        StackObject(offset, size, pointers, table.rodata + bitmap)
        for offset, size, pointers, bitmap in _OBJECT.iter_unpack(raw)
    ]
