"""Padding between functions: code to the processor, and never run. Breakpoints that stay in have
the instructions that they cover run there."""

from __future__ import annotations

from goprobe.arch.patches import PADDING
from goprobe.process.calltracer.plan import Room
from goprobe.runtime.image.program import GoProgram

_ROOM = 26  # bytes: the longest instruction, the jump back, and a byte before them


def rooms(program: GoProgram, bias: int, wanted: int) -> tuple[Room, ...]:
    """Padding behind functions that is long enough for an instruction and a jump."""
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
