"""Padding between functions: code to the processor, and never run. Breakpoints that stay in have
the instructions that they cover run there."""

from __future__ import annotations

from collections.abc import Iterable

from goprobe.arch.byhand import by_hand
from goprobe.arch.elsewhere import MAX_INSTRUCTION
from goprobe.arch.patches import PADDING
from goprobe.process.calltracer.plan import Room
from goprobe.runtime.image.program import GoProgram

_ROOM = 26  # bytes: the longest instruction, the jump back, and a byte before them


def rooms(program: GoProgram, bias: int, addresses: Iterable[int], more: int) -> tuple[Room, ...]:
    """Padding behind functions that is long enough for an instruction and a jump: for those of the
    breakpoints at run-time `addresses` that need it, and so many `more`."""
    wanted = more + sum(
        by_hand(program.elf.read(address - bias, MAX_INSTRUCTION), address) is None
        for address in addresses
    )
    free: list[Room] = []
    for function in program.lines.functions():
        if len(free) >= wanted:
            break
        size = function.end - function.entry
        if size <= _ROOM:
            continue
        tail = program.elf.read(function.end - _ROOM, _ROOM)
        if tail == PADDING * _ROOM:
            free.append(Room(function.end - _ROOM + 1 + bias, _ROOM - 1))
    return tuple(free)
