"""Numbers and truth values of the innermost frame, read without a view of the whole stop.

Where a variable of unoptimised code lies, and whether it is assigned, depends on the pc alone: what
the first stop at a pc has found out by all means, later ones read from the stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from goprobe.analysis.trace.stopview import StopView
from goprobe.arch.instructions import LONGEST, after_call
from goprobe.arch.registers import GENERAL, SP
from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.errors import GoprobeError, UnreadableError
from goprobe.model.value import State
from goprobe.process.memory.memory import Memory
from goprobe.process.proc.procfs import read_proc
from goprobe.runtime.stacks.bindings import Binding
from goprobe.runtime.stacks.variables import FrameVariables
from goprobe.runtime.values.functionvars import frame_offset
from goprobe.runtime.values.scalars import scalar
from goprobe.runtime.values.storage import InBytes, InMemory

_SCALARS = frozenset(range(GoKind.BOOL, GoKind.FLOAT64 + 1))
_INTEGERS = frozenset(range(GoKind.BOOL, GoKind.UINTPTR + 1))
Registers = Callable[[frozenset[str]], Mapping[str, int]]
_LIMIT = 256


class QuickSlot(msgspec.Struct, frozen=True):
    """Where a variable lies: in a register, else so far up from the stack pointer."""

    offset: int
    register: str
    type: GoType


class QuickReads:
    """Of one program; `memory` is the process's own."""

    def __init__(self, pid: int, memory: Memory) -> None:
        self._pid = pid
        self._memory = memory
        self._slots: dict[int, dict[str, QuickSlot]] = {}

    def read(self, name: str, pc: int, tid: int, known: Registers) -> tuple[str, str] | None:
        """A variable's type and its value as Go prints it; None where that takes more. `known`
        asks for registers of the thread."""
        slot = self._slots.get(pc, _NOTHING).get(name)
        if slot is None:
            return None
        raw = self._in_register(slot, pc, known) if slot.register else self._on_stack(slot, tid, pc)
        return (slot.type.name, scalar(slot.type, InBytes(raw))) if raw else None

    def _in_register(self, slot: QuickSlot, pc: int, known: Registers) -> bytes:
        names = frozenset(s.register for s in self._slots[pc].values() if s.register)
        value = known(names).get(slot.register)
        return b"" if value is None else value.to_bytes(8, "little")[: slot.type.size]

    def _on_stack(self, slot: QuickSlot, tid: int, pc: int) -> bytes:
        sp = self._stack_pointer(tid, pc)
        try:
            return self._memory.read(sp + slot.offset, slot.type.size) if sp else b""
        except UnreadableError:
            return b""

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


_NOTHING: dict[str, QuickSlot] = {}


def _slots(view: StopView, pc: int) -> dict[str, QuickSlot]:
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
    slots = {b.name: _slot(b, view.registers) for b in bindings if names.count(b.name) == 1}
    return {name: slot for name, slot in slots.items() if slot is not None}


def _slot(binding: Binding, registers: Mapping[str, int]) -> QuickSlot | None:
    local, go_type = binding.local, binding.type
    if binding.moved or local.dictionary_index >= 0:
        return None
    if binding.state is State.REGISTER and go_type.kind in _INTEGERS:
        return QuickSlot(0, binding.register, go_type) if binding.register in GENERAL else None
    fixed = binding.state is State.LIVE and frame_offset(local) is not None
    if fixed and isinstance(binding.place, InMemory) and go_type.kind in _SCALARS:
        return QuickSlot(binding.place.address - registers[SP], "", go_type)
    return None


def _calls(view: StopView, pc: int) -> bool:
    """What a call is passed may be told for a variable."""
    try:
        return bool(after_call(view.world.memory.read(pc, LONGEST), pc))
    except UnreadableError:
        return True
