"""What of a variable lies in a frame, where the compiler keeps its parts in different places.

An optimised variable is described in pieces: some in memory, some in registers, some nowhere. Each
piece in memory is a part of the variable, and what lies behind it belongs to another one.
Source: src/cmd/compile/internal/ssa/debug.go, Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from goprobe.arch.registers import signed
from goprobe.binary.dwarf.expression import Piece
from goprobe.binary.dwarf.gotypes import GoKind, GoType, TypeReader, element_number, part_at
from goprobe.binary.dwarf.loclist import LocationEntry
from goprobe.runtime.values.pieces import is_one_word_of_more, leaves, placed

_WORD = 8


class Spilled(msgspec.Struct, frozen=True):
    """A part of a variable in memory. `type` is None where what lies there is no whole part.

    `words` is not empty where it is word `at` of a string, a slice or an interface whose words lie
    in different places: those, None for nowhere. What cannot be told without one that is nowhere
    has no type.
    """

    address: int
    size: int
    name: str
    type: GoType | None
    words: tuple[int | None, ...] = ()
    at: int = 0


def parts_in_memory(
    types: TypeReader,
    name: str,
    go_type: GoType,
    pieces: Sequence[Piece],
    entries: Sequence[LocationEntry],
    known: Mapping[int, int],
) -> Iterator[Spilled]:
    """The parts of a variable that lie in memory; places as signed numbers. `entries` are all that
    describe it, `known` as for `placed`."""
    if is_one_word_of_more(types, go_type, entries):
        if pieces and pieces[0].address is not None:
            yield Spilled(signed(pieces[0].address), _WORD, name, None)
        return
    if len(pieces) == 1 and not pieces[0].size:
        if pieces[0].address is not None:
            yield Spilled(signed(pieces[0].address), go_type.size, name, go_type)
        return
    if sum(piece.size for piece in pieces) != go_type.size:
        # Go may leave out pieces, and then those behind stand for other parts than they say.
        yield from _some_words(types, name, go_type, pieces, known)
        return
    homes = dict(_homes(pieces))
    at = 0
    for address, sizes in _runs(pieces):
        if address is not None:
            path, part = _part(types, go_type, at, sum(sizes))
            if part is None:
                yield from _word_by_word(types, name, go_type, (at, sizes), homes)
            else:
                yield Spilled(signed(address), sum(sizes), f"{name}{path}", part)
        at += sum(sizes)


def _some_words(
    types: TypeReader,
    name: str,
    go_type: GoType,
    pieces: Sequence[Piece],
    known: Mapping[int, int],
) -> Iterator[Spilled]:
    """The parts of a variable of which not all words have a piece."""
    told: dict[int, Spilled] = {}
    sure = placed(tuple(leaves(types, go_type)), pieces, known)
    homes = {
        p.offset: signed(p.piece.address)
        for p in sure
        if p.piece.address is not None and p.piece.size == _WORD
    }
    for offset, address in homes.items():
        told[address] = _word(types, name, go_type, offset, homes)
    if go_type.kind is GoKind.SLICE and pieces and not homes:
        told |= _of_slice(types, name, go_type, pieces)
    for piece in pieces:
        if piece.address is not None:
            address = signed(piece.address)
            yield told.get(address) or Spilled(address, piece.size, name, None)


def _of_slice(
    types: TypeReader, name: str, go_type: GoType, pieces: Sequence[Piece]
) -> dict[int, Spilled]:
    """By its place the pointer of a slice of which a word has no piece: what is a pointer can be
    none of the others. The word behind it is the length or the capacity: so far it does reach."""
    first, *rest = pieces
    if first.address is None or any(piece.size != _WORD for piece in pieces):
        return {}
    home = signed(first.address)
    reach = signed(rest[0].address) if rest and rest[0].address is not None else None
    words = {0: home} if reach is None else {0: home, _WORD: reach}
    return {home: _word(types, name, go_type, 0, words)}


def _homes(pieces: Sequence[Piece]) -> Iterator[tuple[int, int]]:
    """By offset in the variable where in memory pieces of one word lie."""
    at = 0
    for piece in pieces:
        if piece.address is not None and piece.size == _WORD:
            yield at, signed(piece.address)
        at += piece.size


def _word_by_word(
    types: TypeReader,
    name: str,
    go_type: GoType,
    run: tuple[int, Sequence[int]],
    homes: Mapping[int, int],
) -> Iterator[Spilled]:
    """The parts of a variable that pieces in memory are, which are no one part together. `run` is
    where in the variable they begin, and the size of each."""
    at, sizes = run
    for size in sizes:
        if size == _WORD:
            yield _word(types, name, go_type, at, homes)
        at += size


def _word(
    types: TypeReader, name: str, go_type: GoType, offset: int, homes: Mapping[int, int]
) -> Spilled:
    path, part, into = part_at(types, go_type, offset)
    path, address, begin = f"{name}{path}", homes[offset], offset - into
    words = tuple(homes.get(begin + i) for i in range(0, part.size, _WORD))
    match part.kind:
        case GoKind.INTERFACE if into == _WORD and words[0] is not None:
            return Spilled(address, _WORD, path, part, words, 1)
        case GoKind.STRING if into == 0:
            return Spilled(address, _WORD, path, part, words)
        case GoKind.SLICE if into == 0 and (words[1] is not None or words[2] is not None):
            reach = words[1] if words[2] is None else words[2]
            return Spilled(address, _WORD, path, part, (address, words[1], reach))
        case GoKind.SLICE if into == 0:
            return Spilled(address, _WORD, path, _pointer_of(types, part))
    whole = part if into == 0 and part.size == _WORD else None
    return Spilled(address, _WORD, path, whole)


def _runs(pieces: Sequence[Piece]) -> Iterator[tuple[int | None, list[int]]]:
    """Pieces that lie one behind the other in memory as one, with the size of each."""
    start: int | None = None
    sizes: list[int] = []
    for piece in pieces:
        if start is not None and piece.address == start + sum(sizes):
            sizes.append(piece.size)
            continue
        if sizes:
            yield start, sizes
        start, sizes = piece.address, [piece.size]
    if sizes:
        yield start, sizes


def _part(types: TypeReader, go_type: GoType, offset: int, size: int) -> tuple[str, GoType | None]:
    """How Go selects the part of a value at an offset, and its type where it is all of it."""
    path, part, into = part_at(types, go_type, offset)
    if offset == 0 and size == go_type.size:
        return "", go_type
    if into == 0 and part.size == size:
        return path, part
    return path, None


def _pointer_of(types: TypeReader, slice_type: GoType) -> GoType:
    """The first word of a slice alone is a pointer to its elements."""
    elem = element_number(types, slice_type)
    return GoType(
        offset=-elem, name=f"*{types.at(elem).name}", kind=GoKind.POINTER, size=_WORD, elem=elem
    )
