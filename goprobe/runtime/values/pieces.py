"""Which part of a variable each piece of its location is.

The optimiser takes a variable apart into its words (SSA slots) and describes each that it still
has a name for by a piece of its size, in the order of their offsets: without pieces for padding,
and with none for words that it has no name for any more (cmd/compile, ssa/debug.go,
writePendingEntry; ssa/func.go, SplitSlot, Go 1.21 to 1.27). The parameters of unoptimised code do
have pieces for padding (BuildFuncDebugNoOptimized). So a piece says what it is by its size and
its place among the others, not by the sizes before it; where that leaves a doubt, entries of
single words beside the variable's own ("px", "tail.len", since Go 1.27) may name the same place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from goprobe.binary.dwarf.expression import Piece
from goprobe.binary.dwarf.gotypes import GoKind, GoType, TypeReader
from goprobe.binary.dwarf.loclist import LocationEntry

_WORD = 8
_LEAVES_LIMIT = 256
_LONE_REGISTER = re.compile(rb"[\x50-\x6f]|\x90.", re.DOTALL)  # DW_OP_reg0..31, DW_OP_regx n
_MOST_PARTS = 4  # MaxStruct
_NAMED_WORD = re.compile(r".\.(ptr|len|cap|itab|type|data|real|imag)$")
_SUFFIXES = {
    GoKind.STRING: (".ptr", ".len"),
    GoKind.SLICE: (".ptr", ".len", ".cap"),
    GoKind.INTERFACE: (".itab", ".data"),
}


def is_word_of_another(name: str) -> bool:
    """Whether an entry is of one word of a variable (Go's own names have no dots in them)."""
    return _NAMED_WORD.search(name) is not None


def named_word_type(types: TypeReader, name: str, go_type: GoType) -> GoType | None:
    """The type of such an entry's word, None where the one that it has says nothing of what that
    points at: an interface's data word is a *uint8 to the compiler, whatever it holds, and so is
    the pointer of a string, whose bytes are no array's (SplitInterface and SplitString of
    cmd/compile, ssa/func.go, Go 1.27)."""
    match = _NAMED_WORD.search(name)
    if match is None or match[1] not in ("ptr", "data"):
        return go_type
    elem = types.at(go_type.elem) if go_type.kind is GoKind.POINTER else None
    return go_type if elem is not None and elem.kind is not GoKind.UINT8 else None


class Leaf(msgspec.Struct, frozen=True):
    """A word of a type as the optimiser splits it: `name` is what it appends to the variable's."""

    offset: int
    size: int
    name: str


class PlacedPiece(msgspec.Struct, frozen=True):
    """A piece of a location at its offset in the variable."""

    offset: int
    piece: Piece


def leaves(types: TypeReader, go_type: GoType, base: int = 0, name: str = "") -> Iterator[Leaf]:
    """In the order of their offsets; nothing for what has no size."""
    if go_type.kind in _SUFFIXES:
        for i, suffix in enumerate(_SUFFIXES[go_type.kind]):
            yield Leaf(base + i * _WORD, _WORD, name + suffix)
    elif go_type.kind in (GoKind.COMPLEX64, GoKind.COMPLEX128):
        half = go_type.size // 2
        yield Leaf(base, half, f"{name}.real")
        yield Leaf(base + half, half, f"{name}.imag")
    elif go_type.kind == GoKind.STRUCT:
        for member in go_type.members:
            part = types.at(member.type)
            yield from leaves(types, part, base + member.offset, name + member.name)
    elif go_type.kind == GoKind.ARRAY:
        element = types.at(go_type.elem)
        for i in range(min(go_type.count, _LEAVES_LIMIT) if element.size else 0):
            yield from leaves(types, element, base + i * element.size, f"{name}[{i}]")
    elif go_type.size:
        yield Leaf(base, go_type.size, name)


def is_one_word_of_more(
    types: TypeReader, go_type: GoType, entries: Sequence[LocationEntry]
) -> bool:
    """Whether a variable of several words is described by the place of one of them alone.

    An optimised variable is described word by word; where only one of them has a name of its own,
    writePendingEntry gives that word's place as the whole variable's, without a piece. A
    register that is said to hold more than a word gives it away; which word it is, is not said.
    """
    if not any(_LONE_REGISTER.fullmatch(e.expression) for e in entries):
        return False
    return sum(leaf.size for leaf in leaves(types, go_type)) > _WORD


def is_taken_apart(types: TypeReader, go_type: GoType) -> bool:
    """Whether the optimiser may keep a variable of the type as words in registers; what it cannot
    take apart lives in memory (CanSSA, cmd/compile, ssa/value.go; TypeOK, ssagen/ssa.go of 1.21).
    """
    if go_type.size > _MOST_PARTS * _WORD:
        return False
    if go_type.kind == GoKind.ARRAY:
        return not go_type.size or (
            go_type.count <= 1 and is_taken_apart(types, types.at(go_type.elem))
        )
    if go_type.kind == GoKind.STRUCT:
        parts = [types.at(member.type) for member in go_type.members]
        return len(parts) <= _MOST_PARTS and all(is_taken_apart(types, part) for part in parts)
    return True


def placed(
    words: Sequence[Leaf], pieces: Sequence[Piece], known: Mapping[int, int]
) -> tuple[PlacedPiece, ...]:
    """The pieces whose place in the variable is sure; all of them where none is missing.

    `known` gives leaves (their indexes) for pieces (theirs), from elsewhere.
    """
    whole = _as_standard(words, pieces)
    if whole is not None:
        return whole
    own = [(i, p) for i, p in enumerate(pieces) if p.size]
    first, last = _embedded(words, own, known), _embedded(words, own, known, backwards=True)
    return tuple(
        PlacedPiece(words[low].offset, piece)
        for (_, piece), low, high in zip(own, first, last, strict=False)
        if low == high
    )


def _as_standard(words: Sequence[Leaf], pieces: Sequence[Piece]) -> tuple[PlacedPiece, ...] | None:
    """As DWARF has it, padding described as well: where so each word has its piece."""
    placed: list[PlacedPiece] = []
    at = 0
    for piece in pieces:
        placed.append(PlacedPiece(at, piece))
        at += piece.size
    where = {(p.offset, p.piece.size) for p in placed}
    complete = all((word.offset, word.size) in where for word in words)
    return tuple(placed) if complete else None


def _embedded(
    words: Sequence[Leaf],
    pieces: Sequence[tuple[int, Piece]],
    known: Mapping[int, int],
    *,
    backwards: bool = False,
) -> list[int]:
    """For each piece the first word (the last, if `backwards`) that it can be, so that all keep
    their order; empty where they cannot."""
    registers: list[int] = []
    indexes = list(range(len(words)))
    if backwards:
        indexes.reverse()
    rest = iter(indexes)
    for number, piece in reversed(pieces) if backwards else pieces:
        fits = (i for i in rest if words[i].size == piece.size and known.get(number, i) == i)
        index = next(fits, None)
        if index is None:
            return []
        registers.append(index)
    return registers[::-1] if backwards else registers
