"""Running one instruction that a breakpoint covers, without taking the breakpoint away.

Other threads may pass the breakpoint meanwhile, so the instruction is never put back to be
stepped: it runs from a slot of the code cave, or is done for the thread by hand where it would
leave a trace of the slot (a call pushes its own address) or fits badly (jumps).
x86-64 only; iced-x86 decodes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

from iced_x86 import Decoder, FlowControl, Instruction, OpKind, Register

from goprobe.arch.amd64.controlflow import CALLS
from goprobe.arch.amd64.elsewhere import (
    CallByHand,
    CodeCopy,
    Displaced,
    Jump,
    NotDisplaceableError,
)
from goprobe.arch.amd64.registers import SP, WORDS

_REL32 = struct.Struct("<i")
_REGISTERS = {
    getattr(Register, name.upper()): index
    for name, index in WORDS.items()
    if name not in ("orig_rax", "rip", "cs", "eflags")
}
_LINEAR = {FlowControl.NEXT, FlowControl.INDIRECT_BRANCH, FlowControl.RETURN}


def followers(
    code: bytes, address: int, registers: Mapping[str, int], word_at: Callable[[int], int]
) -> frozenset[int]:
    """Where a thread with these registers stands after the instruction at `address`, whose bytes
    `code` begins with: one address, or two where that is up to its flags; none where there is no
    instruction. Raises what `word_at` does."""
    ins = Decoder(64, code, ip=address).decode()
    if ins.is_invalid:
        return frozenset()
    flow = ins.flow_control
    if flow == FlowControl.RETURN:
        return frozenset((word_at(registers[SP]),))
    if flow in CALLS or flow == FlowControl.INDIRECT_BRANCH:
        words = [registers.get(name, 0) for name in WORDS]
        call = _call_by_hand(ins)
        target = call.target(words)
        return frozenset((word_at(call.operand(words)) if target is None else target,))
    if flow == FlowControl.UNCONDITIONAL_BRANCH:
        return frozenset((ins.near_branch_target,))
    if flow == FlowControl.CONDITIONAL_BRANCH:
        return frozenset((ins.near_branch_target, ins.next_ip))
    return frozenset((ins.next_ip,))


def displace(code: bytes, address: int, slot: int) -> Displaced:
    """What to do in place of the instruction at `address`, whose bytes `code` begins with.

    Raises NotDisplaceableError.
    """
    decoder = Decoder(64, code, ip=address)
    instruction = decoder.decode()
    if instruction.is_invalid:
        raise NotDisplaceableError(f"no instruction at {address:#x}")
    flow = instruction.flow_control
    if flow in CALLS and not instruction.is_call_far:
        return _call_by_hand(instruction)
    if flow == FlowControl.UNCONDITIONAL_BRANCH:
        return Jump(instruction.near_branch_target)
    if instruction.is_jcc_short_or_near:
        return _conditional(instruction, slot)
    if flow not in _LINEAR:
        raise NotDisplaceableError(f"{instruction} at {address:#x}")
    raw = bytearray(code[: instruction.len])
    if instruction.is_ip_rel_memory_operand:
        at = decoder.get_constant_offsets(instruction).displacement_offset
        raw[at : at + 4] = _distance(instruction.ip_rel_memory_address - (slot + instruction.len))
    return _copy(instruction, slot, bytes(raw))


def _call_by_hand(call: Instruction) -> CallByHand:
    back = int(call.next_ip)
    if call.op0_kind == OpKind.NEAR_BRANCH64:
        return CallByHand(back, callee=int(call.near_branch_target))
    if call.op0_kind == OpKind.REGISTER:
        return CallByHand(back, register=_word_of(call.op0_register))
    if call.is_ip_rel_memory_operand:
        return CallByHand(back, distance=int(call.ip_rel_memory_address))
    return CallByHand(
        back,
        base=_word_of(call.memory_base),
        index=_word_of(call.memory_index),
        times=int(call.memory_index_scale),
        distance=int(call.memory_displacement),
    )


def _word_of(register: int) -> int:
    """Which word of a thread's a register is, -1 where it is none."""
    if register not in _REGISTERS and register != Register.NONE:
        raise NotDisplaceableError("it calls by a part of a register")
    return _REGISTERS.get(register, -1)


def _distance(distance: int) -> bytes:
    try:
        return _REL32.pack(distance)
    except struct.error:
        raise NotDisplaceableError("what it refers to is too far from its new place") from None


def _conditional(instruction: Instruction, slot: int) -> CodeCopy:
    near = bytes((0x0F, 0x80 + _condition(instruction)))
    return _copy(instruction, slot, near + _distance(instruction.near_branch_target - (slot + 6)))


def _condition(instruction: Instruction) -> int:
    # iced counts conditions from 1 in another order than the opcodes': go by the opcode itself.
    return int(instruction.op_code().op_code & 0xF)


def _copy(instruction: Instruction, slot: int, raw: bytes) -> CodeCopy:
    back = b"\xe9" + _distance(instruction.next_ip - (slot + len(raw) + 5))
    return CodeCopy(instruction.ip, slot, raw + back, len(raw), instruction.next_ip)
