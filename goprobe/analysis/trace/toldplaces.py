"""Where the debug information has the words of a variable; addresses are distances from the CFA."""

from __future__ import annotations

from collections.abc import Sequence

from goprobe.arch.code import FrameSlot, Holder
from goprobe.arch.registers import signed
from goprobe.binary.dwarf.expression import Piece
from goprobe.binary.dwarf.info import Local
from goprobe.runtime.values.localplaces import pieces_at


def shares_place(local: Local, holders: Sequence[Holder], pc: int) -> bool:
    """Whether the debug information has words of a variable in one of these places."""
    registers = {h for h in holders if isinstance(h, str)}
    offsets = {h.offset for h in holders if isinstance(h, FrameSlot)}
    return any(
        p.register in registers or (p.address is not None and signed(p.address) in offsets)
        for p in pieces_at(local, pc)
    )


def lies_in(holder: Holder, piece: Piece) -> bool:
    if isinstance(holder, str) or piece.address is None:
        return holder == piece.register
    low = signed(piece.address)
    return low <= holder.offset and (not piece.size or holder.offset < low + piece.size)
