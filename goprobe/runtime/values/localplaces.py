"""What the debug information alone says of a local variable's place."""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.arch.registers import signed
from goprobe.binary.dwarf.expression import Piece, UnsupportedExpressionError, evaluate
from goprobe.binary.dwarf.info import Local
from goprobe.binary.dwarf.loclist import LocationEntry
from goprobe.runtime.values.pieces import Leaf

_ALWAYS = 1 << 64  # behind every pc


def pieces_of(entry: LocationEntry) -> tuple[Piece, ...]:
    """Of a location, with addresses from the CFA; none where it is not told in a way we know."""
    try:
        return evaluate(entry.expression, cfa=0, frame_base=0, registers={}, bias=0)
    except UnsupportedExpressionError:
        return ()


def pieces_at(local: Local, pc: int) -> tuple[Piece, ...]:
    """Where the debug information has a variable at a pc."""
    entry = next((e for e in local.locations if e.low <= pc < e.high), None)
    return () if entry is None else pieces_of(entry)


def in_its_own_statement(local: Local, line: int) -> bool:
    """Whether the line that declares it runs just now: what is known of it need not be so yet. What
    a closure captured was there before (it says so since Go 1.23)."""
    return not local.parameter and local.closure_offset < 0 and local.line == line


def frame_offset(local: Local) -> int | None:
    """The CFA offset of a variable that lies at one frame place all through its function."""
    if len(local.locations) != 1 or local.locations[0].high < _ALWAYS:
        return None
    pieces = pieces_of(local.locations[0])
    if len(pieces) != 1 or pieces[0].address is None:
        return None
    return signed(pieces[0].address)


def named_elsewhere(local: Local, words: Sequence[Leaf], others: Sequence[Local]) -> dict[int, int]:
    """Which words (by index) pieces of a variable (by index) are, for they lie at one time or
    another where an entry of that word alone says that it lies."""
    homes: dict[int, int] = {}
    for index, word in enumerate(words):
        for other in others:
            same = other.name == local.name + word.name and other.line == local.line
            if same and word.name and (home := frame_offset(other)) is not None:
                homes[home] = index
    known: dict[int, int] = {}
    for entry in local.locations if homes else ():
        for number, at in enumerate(_frame_places(entry)):
            if at in homes:
                known[number] = homes[at]
    return known


def _frame_places(entry: LocationEntry) -> list[int | None]:
    """The CFA offset of each piece of a location; None where it lies elsewhere."""
    return [None if p.address is None else signed(p.address) for p in pieces_of(entry)]
