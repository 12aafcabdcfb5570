"""Numbers and truth values of the innermost frame, read without a view of the whole stop.

Where a variable of unoptimised code lies, and whether it is assigned, depends on the pc alone: what
the first stop at a pc has found out by all means, later ones read from the stack.
"""

from __future__ import annotations

import msgspec

from goprobe.analysis.trace.stopview import StopView
from goprobe.arch.instructions import LONGEST, after_call
from goprobe.arch.registers import SP
from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.errors import GoprobeError, UnreadableError
from goprobe.model.value import State
from goprobe.process.memory.memory import Memory
from goprobe.process.proc.procfs import read_proc
from goprobe.runtime.stacks.variables import FrameVariables
from goprobe.runtime.values.functionvars import frame_offset
from goprobe.runtime.values.scalars import scalar
from goprobe.runtime.values.storage import InBytes, InMemory

_SCALARS = frozenset(range(GoKind.BOOL, GoKind.FLOAT64 + 1))
_LIMIT = 256


class Slot(msgspec.Struct, frozen=True):
    """Where a variable lies, from the stack pointer up."""

    offset: int
    type: GoType


class QuickReads:
    """Of one program; `memory` is the process's own."""

    def __init__(self, pid: int, memory: Memory) -> None:
        self._pid = pid
        self._memory = memory
        self._slots: dict[int, dict[str, Slot]] = {}

    def read(self, name: str, pc: int, tid: int) -> tuple[str, str] | None:
        """A variable's type and its value as Go prints it; None where that takes more."""
        slot = self._slots.get(pc, _NOTHING).get(name)
        sp = self._stack_pointer(tid, pc) if slot else 0
        if slot is None or not sp:
            return None
        try:
            raw = self._memory.read(sp + slot.offset, slot.type.size)
        except UnreadableError:
            return None
        return slot.type.name, scalar(slot.type, InBytes(raw))

    def _stack_pointer(self, tid: int, pc: int) -> int:
        """As the kernel tells it of a thread that stands still outside of a system call (proc(5));
        0 where it does not."""
        try:
            words = read_proc(self._pid, f"task/{tid}/syscall", _LIMIT).split()
            if len(words) == 3 and words[0] == b"-1" and int(words[2], 16) == pc:
                return int(words[1], 16)
        except (GoprobeError, ValueError):
            pass
        return 0

    def learn(self, view: StopView, pc: int) -> None:
        """Find out what can be read quickly at the pc of a stop."""
        if pc in self._slots:
            return
        try:
            self._slots[pc] = _slots(view, pc)
        except GoprobeError:
            self._slots[pc] = {}


_NOTHING: dict[str, Slot] = {}


def _slots(view: StopView, pc: int) -> dict[str, Slot]:
    world = view.world
    frame = view.frames[0] if view.frames else None
    function = world.program.debug.function_at(pc - world.bias)
    if frame is None or function is None or frame.depth or frame.pc != pc:
        return {}
    if world.program.debug.is_optimised(function) or _calls(view, pc):
        return {}
    finder = FrameVariables(world.program, world.memory, world.bias, world.typedata.debug_type)
    bindings = list(finder.of(frame, view.registers))
    names = [b.name for b in bindings]
    return {
        b.name: Slot(b.place.address - view.registers[SP], b.type)
        for b in bindings
        if names.count(b.name) == 1
        and b.state is State.LIVE
        and not b.moved
        and b.local.dictionary_index < 0
        and isinstance(b.place, InMemory)
        and frame_offset(b.local) is not None
        and b.type.kind in _SCALARS
    }


def _calls(view: StopView, pc: int) -> bool:
    """What a call is passed may be told for a variable."""
    try:
        return bool(after_call(view.world.memory.read(pc, LONGEST), pc))
    except UnreadableError:
        return True
