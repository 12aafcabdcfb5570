"""Variables of the innermost frame, read without a view of the whole stop: where they lie.

Where a variable of unoptimised code lies, and whether it is assigned, depends on the pc alone: what
the first stop at a pc has found out by all means, later ones read from the stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from goprobe.analysis.trace.stopview import StopView
from goprobe.api.script.inplace import Slot, SlotPiece
from goprobe.arch.instructions import LONGEST, after_call
from goprobe.arch.registers import GENERAL, SP, WORD
from goprobe.binary.dwarf.expression import UnsupportedExpressionError, evaluate
from goprobe.binary.dwarf.gotypes import GoKind, GoType
from goprobe.binary.dwarf.info import Local
from goprobe.errors import GoprobeError, UnreadableError
from goprobe.model.value import State
from goprobe.process.memory.memory import Memory
from goprobe.process.proc.procfs import read_proc
from goprobe.runtime.stacks.bindings import Binding
from goprobe.runtime.stacks.variables import FrameVariables
from goprobe.runtime.values.localplaces import frame_offset
from goprobe.runtime.values.scalars import scalar
from goprobe.runtime.values.storage import InBytes, InMemory

_SCALARS = frozenset(range(GoKind.BOOL, GoKind.FLOAT64 + 1))
Registers = Callable[[frozenset[str]], Mapping[str, int]]
_LIMIT = 256


class QuickReads:
    """Of one program; `memory` is the process's own."""

    def __init__(self, pid: int, memory: Memory) -> None:
        self._pid = pid
        self._memory = memory
        self.slots: dict[int, dict[str, Slot]] = {}

    def read(self, name: str, pc: int, tid: int, known: Registers) -> tuple[str, str] | None:
        """A variable's type and its value as Go prints it; None where that takes more. `known`
        asks for registers of the thread."""
        slot = self.slots.get(pc, _NOTHING).get(name)
        if slot is None or len(slot.pieces) > 1 or slot.type.kind not in _SCALARS:
            return None
        [piece] = slot.pieces
        raw = (
            self._in_register(piece, pc, known)
            if piece.register
            else self._on_stack(piece, tid, pc)
        )
        return (slot.type.name, scalar(slot.type, InBytes(raw))) if raw else None

    def _in_register(self, piece: SlotPiece, pc: int, known: Registers) -> bytes:
        pieces = (each for slot in self.slots[pc].values() for each in slot.pieces)
        names = frozenset(each.register for each in pieces if each.register)
        value = known(names).get(piece.register)
        return b"" if value is None else value.to_bytes(WORD, "little")[: piece.size]

    def _on_stack(self, piece: SlotPiece, tid: int, pc: int) -> bytes:
        sp = self._stack_pointer(tid, pc)
        try:
            return self._memory.read(sp + piece.offset, piece.size) if sp else b""
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
        try:
            self.slots[pc] = _slots(view, pc)
        except GoprobeError:
            self.slots[pc] = {}


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
    slots = {
        b.name: _slot(b, view, pc)
        for b in bindings
        if names.count(b.name) == 1 and view.may_mean(b.name, (b.local.line,), frame)
    }
    return {name: slot for name, slot in slots.items() if slot is not None}


def _slot(binding: Binding, view: StopView, pc: int) -> Slot | None:
    local, go_type, place = binding.local, binding.type, binding.place
    if binding.moved or local.dictionary_index >= 0 or not go_type.size:
        return None
    if binding.state is State.LIVE and isinstance(place, InMemory):
        if frame_offset(local) is None:
            return None
        offset = place.address - view.registers[SP]
        return Slot(go_type, (SlotPiece(go_type.size, offset=offset),))
    if binding.state is not State.REGISTER:
        return None
    pieces = _pieces(local, pc - view.world.bias, go_type)
    return Slot(go_type, pieces) if pieces else None


def _pieces(local: Local, pc: int, go_type: GoType) -> tuple[SlotPiece, ...]:
    """The registers that all of a variable lies in at a pc; none where it does not."""
    held = next((e for e in local.locations if e.low <= pc < e.high), None)
    if held is None:
        return ()
    try:
        told = evaluate(held.expression, cfa=0, frame_base=0, registers={}, bias=0)
    except UnsupportedExpressionError:
        return ()
    if not all(piece.register in GENERAL for piece in told):
        return ()
    sizes = [piece.size or go_type.size for piece in told]
    if sum(sizes) != go_type.size or max(sizes) > WORD:
        return ()
    return tuple(SlotPiece(size, piece.register) for size, piece in zip(sizes, told, strict=True))


def _calls(view: StopView, pc: int) -> bool:
    """What a call is passed may be told for a variable."""
    try:
        return bool(after_call(view.world.memory.read(pc, LONGEST), pc))
    except UnreadableError:
        return True
