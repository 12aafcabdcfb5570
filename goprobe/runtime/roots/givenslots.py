"""Parameters that the register allocator saved in a slot of the frame without a name.

Debug information says where a parameter arrives (a register, at the function's entry), and then
only where it lies while it is a variable's; the code says which slots still hold what arrived.
Source: src/cmd/compile/abi-internal.md; ssa/debug.go, Go 1.21 to 1.27.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from goprobe.arch.code import ENTRY, FrameSlot
from goprobe.binary.dwarf.dieindex import FunctionEntry
from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.binary.dwarf.info import Local
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.values.localplaces import pieces_of

_WORD = 8
_LONE = (GoKind.POINTER, GoKind.MAP, GoKind.CHAN, GoKind.FUNC)


class GivenSlot(msgspec.Struct, frozen=True):
    """A word of a frame, from the CFA, that holds all of a parameter."""

    place: int
    name: str
    type: GoType


def given_slots(
    program: GoProgram, function: FunctionEntry, pc: int, places: Sequence[int]
) -> Iterator[GivenSlot]:
    """Which of some words of the function's frame hold parameters, while the call runs that `pc`
    is within: those that have nothing else on any way there."""
    given = dict(_given(program, function))
    if not given or not places:
        return
    definitions = program.function_variables(function).definitions
    for place in places:
        made = definitions.of(FrameSlot(place, _WORD), pc) if place < 0 else None
        holders = {d.holder for d in made or ()}
        if not made or len(holders) != 1 or any(d.pc != ENTRY for d in made):
            continue
        holder = holders.pop()
        if isinstance(holder, str) and holder in given:
            yield GivenSlot(place, *given[holder])


def _given(program: GoProgram, function: FunctionEntry) -> Iterator[tuple[str, tuple[str, GoType]]]:
    """By register the parameters that arrive in one, and are one pointer each."""
    for local in program.debug.parameters(function):
        go_type = program.debug.types.at(local.type)
        if local.result or go_type.kind not in _LONE or local.dictionary_index >= 0:
            continue
        if register := _register(local, function.low):
            yield register, (local.name, go_type)


def _register(local: Local, pc: int) -> str:
    entry = next((e for e in local.locations if e.low <= pc < e.high), None)
    if entry is None or entry.low != pc:
        return ""
    pieces = pieces_of(entry)
    return pieces[0].register if len(pieces) == 1 and not pieces[0].size else ""
