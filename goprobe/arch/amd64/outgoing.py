"""Where a function hands control to: its calls and tail calls, and what the others are made of.

Compiled Go calls directly; through a closure (RDX holds it, its first word is the code: the
"context register" of cmd/compile/abi-internal.md); or through a method table, whose word the code
loads from a fixed offset. A jump by a table of the function's own is no call: the compiler loads
the table's address beside the code and adds an index to it (ssagen, OpAMD64JUMPTABLE, Go 1.19 on).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum

import iced_x86 as iced
import msgspec

from goprobe.arch.amd64.controlflow import CALLS
from goprobe.arch.amd64.machinecode import decode
from goprobe.arch.amd64.registers import signed

_FLOW, _K, _M, _R = iced.FlowControl, iced.OpKind, iced.Mnemonic, iced.Register
_LOCAL = frozenset((_FLOW.CONDITIONAL_BRANCH, _FLOW.UNCONDITIONAL_BRANCH))
_NONE = int(_R.NONE)
_WORD = 8


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
    from what `base` held as it was loaded."""

    address: int = 0
    base: int = 0
    offset: int = 0
    loaded: bool = False


def outgoing(code: bytes, entry: int) -> Iterator[Outgoing]:
    """The calls and tail calls of a function whose code lies at `entry`, in its order; where the
    code ends in what is none, that is told as well."""
    end = entry + len(code)
    instructions = list(decode(code, entry))
    readable = int(instructions[-1].next_ip) if instructions else entry
    if readable < end:
        yield Outgoing(readable, Way.UNREADABLE)
    joins = {i.near_branch_target for i in instructions if i.flow_control in _LOCAL}
    known: dict[int, _Value] = {}
    for ins in instructions:
        if ins.ip in joins:
            known = {}
        flow = ins.flow_control
        if flow in CALLS:
            direct = ins.op0_kind == _K.NEAR_BRANCH64
            yield (
                Outgoing(ins.ip, Way.CALL, int(ins.near_branch_target))
                if direct
                else _through(ins, known)
            )
            known = {}
        elif flow in _LOCAL:
            if not entry <= ins.near_branch_target < end:
                yield Outgoing(ins.ip, Way.TAIL, int(ins.near_branch_target))
        elif flow == _FLOW.INDIRECT_BRANCH:
            if not _by_table(ins, known):
                yield _through(ins, known)
        else:
            _step(ins, known)


def _through(ins: iced.Instruction, known: Mapping[int, _Value]) -> Outgoing:
    """A call by a register, or by a word of memory."""
    value = _operand(ins, known)
    if value is None or not value.loaded:
        return Outgoing(ins.ip, Way.OTHER, target=value.address if value else 0)
    if value.address and value.base == 0:
        return Outgoing(ins.ip, Way.CLOSURE, closure=value.address)
    if value.offset > 0:
        return Outgoing(ins.ip, Way.METHOD, slot=value.offset)
    return Outgoing(ins.ip, Way.CLOSURE)


def _operand(ins: iced.Instruction, known: Mapping[int, _Value]) -> _Value | None:
    if ins.op0_kind == _K.REGISTER:
        return known.get(int(iced.RegisterExt.full_register(ins.op0_register)))
    return _loaded(ins, known) if ins.op0_kind == _K.MEMORY else None


def _loaded(ins: iced.Instruction, known: Mapping[int, _Value]) -> _Value | None:
    """The word that a memory operand names."""
    if ins.is_ip_rel_memory_operand:
        return _Value(base=-1, address=0, loaded=True)  # a variable: it may hold anything
    if int(ins.memory_index) != _NONE or int(ins.memory_base) == _NONE:
        return None
    base = int(ins.memory_base)
    holds = known.get(base)
    offset = signed(ins.memory_displacement)
    if holds is not None and holds.address and not holds.loaded and offset == 0:
        return _Value(address=holds.address, loaded=True)
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
    elif ins.mnemonic == _M.MOV and iced.RegisterExt.size(ins.op0_register) == _WORD:
        if ins.op1_kind == _K.MEMORY:
            value = _loaded(ins, known)
        elif ins.op1_kind == _K.REGISTER:
            value = known.get(int(iced.RegisterExt.full_register(ins.op1_register)))
    if value is None:
        known.pop(register, None)
    else:
        known[register] = value
