"""Running one instruction that a breakpoint covers, without taking the breakpoint away.

Other threads may pass the breakpoint meanwhile, so the instruction is never put back to be
stepped: it runs from a slot of the code cave, or is done for the thread by hand where it would
leave a trace of the slot (a call pushes its own address) or fits badly (jumps).
x86-64 only; iced-x86 decodes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

import msgspec
from iced_x86 import Decoder, FlowControl, Instruction, OpKind, Register

from goprobe.arch.amd64.controlflow import CALLS
from goprobe.arch.amd64.registers import PC_WORD, SP, SP_WORD, WORD, WORDS, Words

MAX_INSTRUCTION = 15  # bytes; Intel SDM volume 2, 2.3.11
_REL32 = struct.Struct("<i")
_ALL = 1 << 64  # addresses wrap there

_REGISTERS = {
    getattr(Register, name.upper()): index
    for name, index in WORDS.items()
    if name not in ("orig_rax", "rip", "cs", "eflags")
}
_LINEAR = {FlowControl.NEXT, FlowControl.INDIRECT_BRANCH, FlowControl.RETURN}


class NotDisplaceableError(Exception):
    """The instruction cannot be run elsewhere (a loop instruction, an interrupt, no code)."""


class CodeCopy(msgspec.Struct, frozen=True):
    """To be run at `slot`: `code`, whose first `length` bytes are the instruction, or several that
    can be begun again after a part of them. After it comes a jump back to `next`. What comes before
    it in the cave (`arch/amd64/once.py`) can be run again."""

    address: int
    slot: int
    code: bytes
    length: int
    next: int

    def original(self, pc: int) -> int:
        """Where in the program a thread stands that stands at `pc` in the slot."""
        return self.address if pc < self.slot + self.length else self.next


class Jump(msgspec.Struct, frozen=True):
    """To be done by hand: go to `target`."""

    target: int


class CallByHand(msgspec.Struct, frozen=True):
    """To be done by hand: push `back`, go to where `instruction` says."""

    instruction: Instruction
    back: int

    def made(self, words: Words, word_at: Callable[[int], int]) -> tuple[int, int]:
        """Make the registers those of a thread that has made the call; returns the word to be put
        into memory for it: address and value."""
        target = self.target(words)
        words[PC_WORD] = word_at(self.operand(words)) if target is None else target
        words[SP_WORD] -= WORD
        return words[SP_WORD], self.back

    def target(self, words: Sequence[int]) -> int | None:
        """The callee where it is known without memory, else None: read it at `operand`."""
        kind = self.instruction.op0_kind
        if kind == OpKind.NEAR_BRANCH64:
            return int(self.instruction.near_branch_target)
        if kind == OpKind.REGISTER:
            return words[_REGISTERS[self.instruction.op0_register]]
        return None

    def operand(self, words: Sequence[int]) -> int:
        """The address of the pointer that is called."""
        instruction = self.instruction

        def value(register: int) -> int:
            if register == Register.RIP:
                return self.back
            return words[_REGISTERS[register]] if register in _REGISTERS else 0

        if instruction.is_ip_rel_memory_operand:
            return int(instruction.ip_rel_memory_address)
        address = instruction.memory_displacement + value(instruction.memory_base)
        return (address + value(instruction.memory_index) * instruction.memory_index_scale) % _ALL


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
        call = CallByHand(ins, ins.next_ip)
        target = call.target(words)
        return frozenset((word_at(call.operand(words)) if target is None else target,))
    if flow == FlowControl.UNCONDITIONAL_BRANCH:
        return frozenset((ins.near_branch_target,))
    if flow == FlowControl.CONDITIONAL_BRANCH:
        return frozenset((ins.near_branch_target, ins.next_ip))
    return frozenset((ins.next_ip,))


Displaced = CodeCopy | Jump | CallByHand


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
        return CallByHand(instruction, instruction.next_ip)
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
