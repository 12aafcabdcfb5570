"""Where a function hands control to: its calls and tail calls, and what the others are made of.

Compiled Go calls directly; through a closure (RDX holds it, its first word is the code: the
"context register" of cmd/compile/abi-internal.md); or through a method table, whose word the code
loads from a fixed offset. A closure that does not escape lies in the frame: its code is known where
all that the function puts into that word is the address of one function. So is a variable's that
points at one, where nobody else can have set it: no address of the frame from which it could be
reached (objects lie from theirs on) is ever made, but of closures, into which nobody writes. A jump
by a table of the
function's own is no call: the compiler loads the table's address beside the code and adds an index
to it (ssagen, OpAMD64JUMPTABLE, Go 1.19 on).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from enum import Enum

import iced_x86 as iced
import msgspec

from goprobe.arch.amd64.controlflow import CALLS
from goprobe.arch.amd64.machinecode import decode
from goprobe.arch.amd64.registers import signed

_FLOW, _K, _M, _R = iced.FlowControl, iced.OpKind, iced.Mnemonic, iced.Register
_LOCAL = frozenset((_FLOW.CONDITIONAL_BRANCH, _FLOW.UNCONDITIONAL_BRANCH))
_NONE, _SP = int(_R.NONE), int(_R.RSP)
_WORD = 8
_IMMEDIATES = frozenset((_K.IMMEDIATE8TO64, _K.IMMEDIATE32TO64))
_READS = frozenset((_M.CMP, _M.TEST, _M.BT))


class Way(Enum):
    """How a function hands control on."""

    CALL = "call"
    TAIL = "tail call"
    CLOSURE = "a function value"
    METHOD = "an interface method"
    OTHER = "a computed address"
    UNREADABLE = "code that is no code of this machine"


class Outgoing(msgspec.Struct, frozen=True):
    """A call at `pc`. `target` is the code's address, `closure` that of a function value that is
    known, `slot` the offset in the method table; 0 where there is none."""

    pc: int
    way: Way
    target: int = 0
    closure: int = 0
    slot: int = 0


class _Value(msgspec.Struct, frozen=True):
    """What a register holds: a fixed address; or, `loaded`, the word there, or that at `offset`
    from what `base` held as it was loaded; or the address at `offset` from the stack pointer.
    `through`: the word that such a word of the frame points at."""

    address: int = 0
    base: int = 0
    offset: int = 0
    loaded: bool = False
    through: bool = False

    @property
    def in_frame(self) -> bool:
        return self.base == _SP


class _Slots(msgspec.Struct):
    """What a function puts into words of its frame, by offset from its stack pointer: None is what
    nobody knows. `taken` are the offsets of which the address is made."""

    held: dict[int, set[_Value | None]] = msgspec.field(default_factory=dict)
    taken: set[int] = msgspec.field(default_factory=set)
    text: range = range(0)

    def may_be_set(self, offset: int) -> bool:
        """Whether others than this function may write to a word: what begins nearest below it, of
        all of which addresses are made, may hold it. A closure never does."""
        below = max((at for at in self.taken if at <= offset), default=None)
        return below is not None and not self._is_closure(below)

    def _is_closure(self, offset: int) -> bool:
        held = _only(self, offset)
        return held is not None and not held.in_frame and held.address in self.text


def outgoing(code: bytes, entry: int, text: range) -> Iterator[Outgoing]:
    """The calls and tail calls of a function whose code lies at `entry`, in its order; where the
    code ends in what is none, that is told as well. `text` is where Go's code lies."""
    end = entry + len(code)
    instructions = list(decode(code, entry))
    readable = int(instructions[-1].next_ip) if instructions else entry
    if readable < end:
        yield Outgoing(readable, Way.UNREADABLE)
    joins = {i.near_branch_target for i in instructions if i.flow_control in _LOCAL}
    slots = _Slots(text=text)
    looked = False
    for ins, known in _walked(instructions, joins):
        flow = ins.flow_control
        if flow in CALLS and ins.op0_kind == _K.NEAR_BRANCH64:
            yield Outgoing(ins.ip, Way.CALL, int(ins.near_branch_target))
        elif flow in _LOCAL:
            if not entry <= ins.near_branch_target < end:
                yield Outgoing(ins.ip, Way.TAIL, int(ins.near_branch_target))
        elif flow in CALLS or (flow == _FLOW.INDIRECT_BRANCH and not _by_table(ins, known)):
            value = _operand(ins, known)
            if value is not None and value.in_frame and not looked:
                _fill(slots, instructions, joins)
                looked = True
            yield _through(ins.ip, value, slots)


def _walked(
    instructions: Sequence[iced.Instruction], joins: Set[int]
) -> Iterator[tuple[iced.Instruction, dict[int, _Value]]]:
    """Each instruction with what registers hold before it. What other instructions than the one
    before it lead to begins with nothing known."""
    known: dict[int, _Value] = {}
    for ins in instructions:
        if ins.ip in joins:
            known = {}
        yield ins, known
        if ins.flow_control == _FLOW.NEXT:
            _step(ins, known)
        elif ins.flow_control != _FLOW.CONDITIONAL_BRANCH:
            known = {}


def _fill(slots: _Slots, instructions: Sequence[iced.Instruction], joins: Set[int]) -> None:
    """Of the function's own frame: what its callers put into their arguments is not seen. Nothing
    where the stack pointer moves on the way, as in assembly."""
    pushes, frame = 0, 0
    for ins, known in _walked(instructions, joins):
        pushes += ins.mnemonic == _M.PUSH
        frame = frame or _made(ins)
        taken = _taken(ins)
        if taken is not None:
            slots.taken.add(taken)
        stores = ins.op_count > 1 and ins.op0_kind == _K.MEMORY and int(ins.memory_base) == _SP
        if not stores or ins.mnemonic in _READS or int(ins.memory_index) != _NONE:
            continue
        offset = signed(ins.memory_displacement)
        register = int(ins.op1_register) if ins.op1_kind == _K.REGISTER else _NONE
        if _is_zero(ins, register):
            continue
        size = iced.MemorySizeExt.size(ins.memory_size)
        is_word = ins.mnemonic == _M.MOV and size == _WORD and register != _NONE
        for at in range(offset - _WORD + 1, offset + max(size, 1)):
            value = known.get(register) if is_word and at == offset else None
            fixed = value if value is not None and not value.loaded else None
            slots.held.setdefault(at, set()).add(fixed)
    own = range(frame - _WORD + 1)
    slots.held = {at: held for at, held in slots.held.items() if at in own and pushes <= 1}


def _taken(ins: iced.Instruction) -> int | None:
    """The offset of an address in the frame that an instruction makes, None for others, and for
    the frame pointer, by which nobody writes."""
    if ins.op_count and ins.op0_kind == _K.REGISTER and int(ins.op0_register) == int(_R.RBP):
        return None
    if ins.mnemonic == _M.LEA and int(ins.memory_base) == _SP:
        return 0 if int(ins.memory_index) != _NONE else signed(ins.memory_displacement)
    if ins.mnemonic == _M.MOV and ins.op1_kind == _K.REGISTER and int(ins.op1_register) == _SP:
        return 0
    return None


def _made(ins: iced.Instruction) -> int:
    """The size of the frame that an instruction makes, 0 for any other. 128 bytes fit an operand
    of one byte only negated (cmd/internal/obj/x86)."""
    if ins.op_count != 2 or int(ins.op0_register) != _SP or ins.op1_kind not in _IMMEDIATES:
        return 0
    size = signed(ins.immediate(1))
    return max({_M.SUB: size, _M.ADD: -size}.get(ins.mnemonic, 0), 0)


def _is_zero(ins: iced.Instruction, register: int) -> bool:
    """Whether nil is put there: X15 is zero in Go's own code (cmd/compile/abi-internal.md)."""
    if register == int(_R.XMM15):
        return True
    return ins.mnemonic == _M.MOV and register == _NONE and ins.immediate(1) == 0


def _through(pc: int, value: _Value | None, slots: _Slots) -> Outgoing:
    """A call by a register, or by a word of memory, that holds a value."""
    if value is None or not value.loaded:
        return Outgoing(pc, Way.OTHER, target=value.address if value else 0)
    if value.in_frame:
        return _through_frame(pc, value, slots)
    if value.address and value.base == 0:
        return Outgoing(pc, Way.CLOSURE, closure=value.address)
    if value.offset > 0:
        return Outgoing(pc, Way.METHOD, slot=value.offset)
    return Outgoing(pc, Way.CLOSURE)


def _through_frame(pc: int, value: _Value, slots: _Slots) -> Outgoing:
    """A call of a closure that lies in the frame, or of one that a word of the frame points at."""
    held = _only(slots, value.offset)
    if value.through and slots.may_be_set(value.offset):
        return Outgoing(pc, Way.CLOSURE)
    if value.through and held is not None:
        if not held.in_frame:
            return Outgoing(pc, Way.CLOSURE, closure=held.address)
        held = _only(slots, held.offset)
    if held is not None and held.address and not held.in_frame:
        return Outgoing(pc, Way.CALL, held.address)
    return Outgoing(pc, Way.CLOSURE)


def _only(slots: _Slots, offset: int) -> _Value | None:
    """What alone a word of the frame holds, once it is set."""
    values = slots.held.get(offset, set())
    return next(iter(values)) if len(values) == 1 else None


def _operand(ins: iced.Instruction, known: Mapping[int, _Value]) -> _Value | None:
    if ins.op0_kind == _K.REGISTER:
        return known.get(int(iced.RegisterExt.full_register(ins.op0_register)))
    return _loaded(ins, known) if ins.op0_kind == _K.MEMORY else None


def _loaded(ins: iced.Instruction, known: Mapping[int, _Value]) -> _Value | None:
    """The word that a memory operand names."""
    if ins.is_ip_rel_memory_operand:
        return _Value(address=int(ins.ip_rel_memory_address), loaded=True)
    if int(ins.memory_index) != _NONE or int(ins.memory_base) == _NONE:
        return None
    base = int(ins.memory_base)
    holds = known.get(base)
    offset = signed(ins.memory_displacement)
    if holds is not None and holds.address and not holds.loaded and offset == 0:
        return _Value(address=holds.address, loaded=True)
    if holds is not None and holds.in_frame and not holds.loaded:
        return _Value(base=_SP, offset=holds.offset + offset, loaded=True)
    if holds is not None and holds.in_frame and not holds.through and offset == 0:
        return _Value(base=_SP, offset=holds.offset, loaded=True, through=True)
    return _Value(base=base, offset=offset, loaded=True)


def _by_table(ins: iced.Instruction, known: Mapping[int, _Value]) -> bool:
    """Whether a jump is one by a table of the function's own."""
    if ins.op0_kind != _K.MEMORY or int(ins.memory_index_scale) != _WORD:
        return False
    table = known.get(int(ins.memory_base))
    return table is None or bool(table.address and not table.loaded)


def _step(ins: iced.Instruction, known: dict[int, _Value]) -> None:
    """What registers hold after an instruction that goes on to the next."""
    if not ins.op_count or ins.op0_kind != _K.REGISTER:
        return
    register = int(iced.RegisterExt.full_register(ins.op0_register))
    if ins.mnemonic in (_M.CMP, _M.TEST, _M.PUSH, _M.BT, _M.NOP):
        return
    value = None
    if ins.mnemonic == _M.LEA and ins.is_ip_rel_memory_operand:
        value = _Value(address=int(ins.ip_rel_memory_address))
    elif ins.mnemonic == _M.LEA:
        if int(ins.memory_base) == _SP and int(ins.memory_index) == _NONE:
            value = _Value(base=_SP, offset=signed(ins.memory_displacement))
    elif ins.mnemonic == _M.MOV and iced.RegisterExt.size(ins.op0_register) == _WORD:
        if ins.op1_kind == _K.MEMORY:
            value = _loaded(ins, known)
        elif ins.op1_kind == _K.REGISTER:
            value = known.get(int(iced.RegisterExt.full_register(ins.op1_register)))
    if value is None:
        known.pop(register, None)
    else:
        known[register] = value
