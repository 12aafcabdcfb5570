"""What an instruction of optimised code is: one that only brings a value to its place, one that
reckons, or one that acts, which the compiler leaves where the program's order has it.

Its register allocator puts moves wherever they suit it (cmd/compile, ssa/regalloc.go: spills as
early as their values dominate, copies and constants at the ends of blocks), under the line of
whatever they are for. What only reckons stands anywhere in its block, follows its uses, or leaves
the loops that do not change it (ssa/schedule.go, tighten.go, since Go 1.27 licm.go). Writes to
memory, calls and branches are in one chain; but memory of the frame is made zero where the function
begins, too, for what a statement may do with it later (ssagen/ssa.go, the buffers of append, Go
1.25 and up).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from iced_x86 import (
    FlowControl,
    Instruction,
    InstructionInfoFactory,
    Mnemonic,
    OpKind,
    Register,
)

from goprobe.arch.amd64.codeflow import MOVES, WRITES, is_zero
from goprobe.arch.amd64.controlflow import CALLS, ENDS
from goprobe.arch.amd64.registers import signed

_ACTS = CALLS | ENDS | {FlowControl.CONDITIONAL_BRANCH}
_ZEROING = frozenset({Mnemonic.XOR, Mnemonic.XORPS})
_FLOATS = frozenset({Mnemonic.MOVSS, Mnemonic.MOVSD})


class Moves:
    """Of the instructions of one function.

    `saved` is where in its frame registers may be saved: what is stored and loaded, by no address.
    The rest of the frame are variables, and what is passed to calls.
    """

    def __init__(self, instructions: Collection[Instruction]) -> None:
        self._info = InstructionInfoFactory()
        in_frame = [
            (ins, signed(ins.memory_displacement)) for ins in instructions if _in_frame(ins)
        ]
        taken = {at for ins, at in in_frame if ins.mnemonic == Mnemonic.LEA}
        loaded = {at for ins, at in in_frame if not _is_store(ins)}
        self._writing: dict[int, bool] = {}
        self.saved = frozenset(loaded - taken)
        self._zeroing = frozenset(_zeroing(instructions))

    def moves(self, ins: Instruction) -> bool:
        """Whether it does no more than bring a value to where it is wanted."""
        if self.is_jump(ins) or is_filling(ins) or ins.ip in self._zeroing:
            return True
        if ins.mnemonic in _ZEROING:
            return bool(ins.op0_register == ins.op1_register)
        if ins.mnemonic == Mnemonic.LEA:
            return bool(ins.is_ip_rel_memory_operand) or _in_frame(ins)
        return ins.mnemonic in MOVES and ins.op_count == 2 and self._is_move(ins)

    def _is_move(self, ins: Instruction) -> bool:
        if ins.op0_kind == OpKind.MEMORY:
            register = ins.op1_kind == OpKind.REGISTER and ins.op1_register != Register.XMM15
            saved = signed(ins.memory_displacement) in self.saved
            return register and _in_frame(ins) and saved
        constant = ins.mnemonic in _FLOATS and bool(ins.is_ip_rel_memory_operand)
        return ins.op1_kind != OpKind.MEMORY or _in_frame(ins) or constant

    def acts(self, ins: Instruction) -> bool:
        """Whether it has an effect besides the value that it makes."""
        if ins.flow_control in _ACTS:
            return True
        if not self.writes(ins):
            return False
        return ins.mnemonic not in (Mnemonic.PUSH, Mnemonic.LEA) and not self.moves(ins)

    def writes(self, ins: Instruction) -> bool:
        # By the opcode and whether its first operand is memory.
        kind = 2 * ins.code + (ins.op0_kind == OpKind.MEMORY)
        writes = self._writing.get(kind)
        if writes is None:
            used = self._info.info(ins).used_memory()
            writes = self._writing[kind] = any(place.access in WRITES for place in used)
        return writes

    def is_jump(self, ins: Instruction) -> bool:
        return bool(ins.flow_control == FlowControl.UNCONDITIONAL_BRANCH)

    def is_jump_back(self, ins: Instruction) -> bool:
        return self.is_jump(ins) and ins.near_branch_target <= ins.ip


def _zeroing(instructions: Iterable[Instruction]) -> Iterator[int]:
    """The instructions that make memory of the frame zero, by an address taken before as well."""
    addresses = set[int]()  # the registers that hold one
    for ins in instructions:
        if _is_store(ins):
            based = _in_frame(ins) or (ins.memory_base in addresses and not ins.memory_index)
            if based and is_zero(ins):
                yield ins.ip
        elif ins.mnemonic == Mnemonic.LEA and _in_frame(ins):
            addresses.add(ins.op0_register)
        elif not addresses:
            continue
        elif ins.flow_control in CALLS:
            addresses.clear()
        elif ins.op_count and ins.op0_kind == OpKind.REGISTER:
            addresses.discard(ins.op0_register)


def is_filling(ins: Instruction) -> bool:
    """Whether it does nothing."""
    itself = ins.mnemonic == Mnemonic.XCHG and ins.op0_register == ins.op1_register
    return bool(itself or ins.mnemonic == Mnemonic.NOP)


def _in_frame(ins: Instruction) -> bool:
    return bool(ins.memory_base == Register.RSP) and not ins.memory_index


def _is_store(ins: Instruction) -> bool:
    return ins.mnemonic in MOVES and ins.op0_kind == OpKind.MEMORY
