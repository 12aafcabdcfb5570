"""Whether a function that was just entered is about to be restarted on a larger stack.

A Go function begins by comparing SP with g.stackguard0 and calls runtime.morestack where it does
not fit (or a preemption is asked for); morestack then runs the function from its first instruction
again. A breakpoint before that check is so hit twice by one call.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from goprobe.arch.instructions import stack_check
from goprobe.arch.registers import PC, SP
from goprobe.errors import UnreadableError
from goprobe.process.memory.memory import u64
from goprobe.runtime.goroutines.goroutines import Goroutine
from goprobe.runtime.world import World

_STACKGUARD0 = 16  # offset of g.stackguard0, right behind g.stack
_CHECK = 2  # instructions: the comparison, and the jump to the call of morestack


class StackCheck(msgspec.Struct, frozen=True):
    """A stack check that lies ahead: how many instructions it has, and whether it will fail.

    That is sure only while no other thread runs: any may ask the goroutine to make way, or take
    that back, and so make the check fail or hold.
    """

    instructions: int
    fails: bool


def check_ahead(
    world: World, goroutine: Goroutine | None, registers: Mapping[str, int]
) -> StackCheck | None:
    """The check of the function that a thread has just entered; None where it stands elsewhere."""
    pc, sp = registers[PC], registers[SP]
    function = world.lines.function_at(pc)
    if goroutine is None or function is None or function.entry != pc:
        return None
    try:
        guard = u64(world.memory, goroutine.address + _STACKGUARD0)
        code = world.memory.read(pc, 32)
    except UnreadableError:
        return None
    compared = stack_check(code, pc, sp)
    if compared is None or compared.offset != _STACKGUARD0:
        return None
    return StackCheck(compared.instructions + _CHECK, compared.sp <= guard)
