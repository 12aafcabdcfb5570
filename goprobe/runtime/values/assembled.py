"""The bytes of a variable whose words the compiler keeps in different places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goprobe.binary.dwarf.expression import Piece
from goprobe.binary.dwarf.gotypes import GoType, TypeReader
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import Memory
from goprobe.runtime.values.pieces import PlacedPiece, leaves
from goprobe.runtime.values.storage import InBytes, InMemory, Keeper

_WORD = 8
_PIECE_LIMIT = 1 << 16


def assembled(
    types: TypeReader,
    memory: Memory,
    go_type: GoType,
    pieces: Sequence[PlacedPiece],
    registers: Mapping[str, int],
    keeper: Keeper | None,
) -> InBytes:
    """The value's bytes; missing are those of words that no piece holds."""
    data = bytearray(go_type.size)
    missing = {
        at for word in leaves(types, go_type) for at in range(word.offset, word.offset + word.size)
    }
    homes: dict[int, InMemory] = {}
    for part in pieces:
        size = min(part.piece.size or go_type.size, go_type.size - part.offset)
        raw = bytes_of(memory, part.piece, size, registers)
        if raw is not None and len(raw) >= size:
            data[part.offset : part.offset + size] = raw[:size]
            missing.difference_update(range(part.offset, part.offset + size))
        if part.piece.address is not None:
            for at in range(0, min(size, _PIECE_LIMIT), _WORD):
                homes[part.offset + at] = InMemory(memory, part.piece.address + at, keeper)
    return InBytes(bytes(data), frozenset(missing), homes=homes)


def bytes_of(memory: Memory, piece: Piece, size: int, registers: Mapping[str, int]) -> bytes | None:
    """What lies in the place of a piece; None where that cannot be had."""
    if piece.constant is not None:
        return piece.constant
    if piece.register:
        value = registers.get(piece.register)
        return None if value is None else value.to_bytes(max(16, size), "little")
    if piece.address is None:
        return None
    try:
        return memory.read(piece.address, min(size, _PIECE_LIMIT))
    except UnreadableError:
        return None


def contiguous(pieces: Sequence[PlacedPiece]) -> int | None:
    """Where in memory all of them lie as one value."""
    bases = {None if p.piece.address is None else p.piece.address - p.offset for p in pieces}
    return bases.pop() if len(bases) == 1 else None


def shown(piece: Piece) -> str:
    return piece.register or (
        f"memory at {piece.address:#x}" if piece.address is not None else "nowhere"
    )
