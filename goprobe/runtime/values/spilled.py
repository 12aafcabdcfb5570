"""What of a variable lies in a frame, where the compiler keeps its parts in different places.

An optimised variable is described in pieces: some in memory, some in registers, some nowhere. Each
piece in memory is a part of the variable, and what lies behind it belongs to another one.
Source: src/cmd/compile/internal/ssa/debug.go, Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from goprobe.arch.registers import signed
from goprobe.binary.dwarf.expression import Piece
from goprobe.binary.dwarf.gotypes import GoKind, GoType, TypeReader, part_at
from goprobe.binary.dwarf.loclist import LocationEntry
from goprobe.runtime.values.pieces import is_one_word_of_more

_WORD = 8


class Spilled(msgspec.Struct, frozen=True):
    """A part of a variable in memory. `type` is None where what lies there is no whole part."""

    address: int
    size: int
    name: str
    type: GoType | None


def parts_in_memory(
    types: TypeReader,
    name: str,
    go_type: GoType,
    pieces: Sequence[Piece],
    entries: Sequence[LocationEntry],
) -> Iterator[Spilled]:
    """The parts of a variable that lie in memory; places as signed numbers. `entries` are all that
    describe it."""
    if is_one_word_of_more(types, go_type, entries):
        if pieces and pieces[0].address is not None:
            yield Spilled(signed(pieces[0].address), _WORD, name, None)
        return
    if len(pieces) == 1 and not pieces[0].size:
        if pieces[0].address is not None:
            yield Spilled(signed(pieces[0].address), go_type.size, name, go_type)
        return
    # Go may leave out pieces, and then those behind stand for other parts than they say.
    known = sum(piece.size for piece in pieces) == go_type.size
    at = 0
    for address, size in _runs(pieces):
        if address is not None:
            path, part = _part(types, go_type, at, size) if known else ("", None)
            yield Spilled(signed(address), size, f"{name}{path}", part)
        at += size


def _runs(pieces: Sequence[Piece]) -> Iterator[tuple[int | None, int]]:
    """Pieces that lie one behind the other in memory as one."""
    start: int | None = None
    length = 0
    for piece in pieces:
        if start is not None and piece.address == start + length:
            length += piece.size
            continue
        if length:
            yield start, length
        start, length = piece.address, piece.size
    if length:
        yield start, length


def _part(types: TypeReader, go_type: GoType, offset: int, size: int) -> tuple[str, GoType | None]:
    """How Go selects the part of a value at an offset, and its type where it is all of it."""
    path, part, into = part_at(types, go_type, offset)
    if offset == 0 and size == go_type.size:
        return "", go_type
    if into == 0 and part.size == size:
        return path, part
    if into == 0 and size == _WORD and part.kind == GoKind.SLICE:
        return path, _pointer_of(types, part)
    return path, None


def _pointer_of(types: TypeReader, slice_type: GoType) -> GoType:
    """The first word of a slice alone is a pointer to its elements."""
    elem = slice_type.elem or types.at(slice_type.member("array").type).elem
    return GoType(
        offset=-elem, name=f"*{types.at(elem).name}", kind=GoKind.POINTER, size=_WORD, elem=elem
    )
