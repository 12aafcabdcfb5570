"""Operands of decoded instructions, of whatever kind they turn out to be."""

from __future__ import annotations

from iced_x86 import Instruction, OpKind

IMMEDIATES = frozenset(
    {
        OpKind.IMMEDIATE8,
        OpKind.IMMEDIATE16,
        OpKind.IMMEDIATE32,
        OpKind.IMMEDIATE64,
        OpKind.IMMEDIATE8TO16,
        OpKind.IMMEDIATE8TO32,
        OpKind.IMMEDIATE8TO64,
        OpKind.IMMEDIATE32TO64,
    }
)


def immediate(ins: Instruction) -> int | None:
    """The number that is an instruction's second operand, None where that is something else: a
    register, memory, or what string instructions read."""
    if ins.op_count < 2 or ins.op1_kind not in IMMEDIATES:
        return None
    return ins.immediate(1)
