"""Whom code hands a value to that it has just loaded: a look ahead on a straight way, which finds
what is worth a closer look (`origins`), and proves nothing."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from iced_x86 import Decoder, FlowControl, Instruction, Mnemonic, OpKind, Register, RegisterExt

from goprobe.arch.amd64.controlflow import ENDS
from goprobe.arch.amd64.registers import INTEGER_ARGUMENTS, signed

_MOST = 48  # instructions
_READING = frozenset((Mnemonic.CMP, Mnemonic.TEST, Mnemonic.PUSH, Mnemonic.NOP))
_ARGUMENTS_BY_NAME = {name: int(getattr(Register, name.upper())) for name in INTEGER_ARGUMENTS}
_ARGUMENTS = {register: name for name, register in _ARGUMENTS_BY_NAME.items()}


class HandedOn(msgspec.Struct, frozen=True, array_like=True):
    """The call at `pc` of the function at `target` takes the value in `register`; or, where that is
    "", the instruction at `pc` stores something through it."""

    pc: int
    target: int
    register: str


def handed_on(code: bytes, pc: int, returned: str = "") -> Iterator[HandedOn]:
    """Of the value that the instruction at `pc`, with which `code` begins, puts in a register; or
    that the call there returns in one."""
    registers: set[int] = set()
    slots: set[int] = set()
    jumped = pc
    for number, ins in enumerate(Decoder(64, code, ip=pc)):
        if not number:
            registers.add(_ARGUMENTS_BY_NAME[returned] if returned else int(ins.op0_register))
            continue
        flow = ins.flow_control
        if ins.ip < jumped:
            continue
        if number > _MOST or flow in ENDS or not (registers or slots):
            return
        if flow == FlowControl.CALL:
            for register in registers:
                if name := _ARGUMENTS.get(register):
                    yield HandedOn(ins.ip, ins.near_branch_target, name)
            registers.clear()
        elif flow == FlowControl.INDIRECT_CALL:
            registers.clear()
        elif flow == FlowControl.UNCONDITIONAL_BRANCH:
            if ins.near_branch_target <= ins.ip:
                return
            jumped = ins.near_branch_target
        elif ins.op_count:
            if ins.op0_kind == OpKind.MEMORY and int(ins.memory_base) in registers:
                if ins.mnemonic == Mnemonic.MOV:
                    yield HandedOn(ins.ip, 0, "")
            else:
                _move(ins, registers, slots)


def _move(ins: Instruction, registers: set[int], slots: set[int]) -> None:
    """Where the value is behind an instruction."""
    plain = ins.mnemonic == Mnemonic.MOV and not ins.memory_index
    in_frame = ins.memory_base == Register.RSP
    if ins.op0_kind == OpKind.MEMORY:
        if plain and in_frame:
            at = signed(ins.memory_displacement)
            kept = ins.op1_kind == OpKind.REGISTER and int(ins.op1_register) in registers
            (slots.add if kept else slots.discard)(at)
        return
    if ins.op0_kind != OpKind.REGISTER or ins.mnemonic in _READING:
        return
    to = int(RegisterExt.full_register(ins.op0_register))
    kept = False
    if plain and ins.op1_kind == OpKind.REGISTER:
        kept = int(ins.op1_register) in registers
    elif plain and ins.op1_kind == OpKind.MEMORY and in_frame:
        kept = signed(ins.memory_displacement) in slots
    (registers.add if kept else registers.discard)(to)
