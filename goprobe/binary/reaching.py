"""Which instructions of a function gave a register or a slot of its frame what it holds at a pc.

The classic backward walk over reaching definitions, through copies: from register to register, to
the frame and back. A call gives all registers new values and leaves the frame's slots alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import msgspec
from iced_x86 import (
    Decoder,
    FlowControl,
    Instruction,
    InstructionInfoFactory,
    MemorySizeExt,
    Mnemonic,
    OpAccess,
    OpKind,
    Register,
    RegisterExt,
)

from goprobe.binary.controlflow import CODE_LIMIT, Returns, successors

_STEPS_LIMIT = 20000
_CHAIN_LIMIT = 4
_WRITES = frozenset(
    {OpAccess.WRITE, OpAccess.READ_WRITE, OpAccess.COND_WRITE, OpAccess.READ_COND_WRITE}
)
_MOVES = frozenset(
    {Mnemonic.MOV, Mnemonic.MOVZX, Mnemonic.MOVSX, Mnemonic.MOVSXD, Mnemonic.MOVUPS,
     Mnemonic.MOVSD, Mnemonic.MOVSS, Mnemonic.MOVQ, Mnemonic.MOVD, Mnemonic.MOVDQU,
     Mnemonic.MOVAPS}
)  # fmt: skip
_CALLS = frozenset({FlowControl.CALL, FlowControl.INDIRECT_CALL})


class Slot(msgspec.Struct, frozen=True):
    """`size` bytes of the frame at an offset from its CFA."""

    offset: int
    size: int


Register_ = Any  # iced_x86 names its registers by integers of a type of its own
Holder = str | Slot
"""A register by its full name ("rax", "xmm0"), or a slot of the frame."""


class Definition(msgspec.Struct, frozen=True):
    """Where a value was made: `pc` of the instruction, -1 for what the function was entered with
    in `holder`. `copies` are the pcs of the copies from there; `constant`: it is one of the code.
    """

    pc: int
    copies: tuple[int, ...]
    holder: Holder
    constant: bool = False


class Definitions:
    """Of one function whose code starts at `low`. `depth(pc)` is the distance in bytes from the
    stack pointer up to the CFA."""

    def __init__(
        self, code: bytes, low: int, depth: Callable[[int], int], returns: Returns
    ) -> None:
        self._code, self._low = code[:CODE_LIMIT], low
        self._depth, self._returns = depth, returns
        self._info = InstructionInfoFactory()

    @cached_property
    def _instructions(self) -> dict[int, Instruction]:
        return {ins.ip: ins for ins in Decoder(64, self._code, ip=self._low)}

    @cached_property
    def _before(self) -> dict[int, list[int]]:
        """The instructions from which control comes to each."""
        found: dict[int, list[int]] = {}
        for ins in self._instructions.values():
            for then in successors(ins, self._returns):
                found.setdefault(then, []).append(ins.ip)
        return found

    def following(self, pc: int) -> Iterator[int]:
        """The instructions from `pc` on up to the next call or branch, that one included."""
        while pc in self._instructions:
            yield pc
            ins = self._instructions[pc]
            if ins.flow_control != FlowControl.NEXT:
                return
            pc = ins.next_ip

    @cached_property
    def _taken(self) -> frozenset[int]:
        """The offsets in the frame whose address some instruction takes."""
        return frozenset(
            self._offset(ins, ins.memory_displacement)
            for ins in self._instructions.values()
            if ins.mnemonic == Mnemonic.LEA and ins.memory_base == Register.RSP
            and not ins.memory_index
        )  # fmt: skip

    def is_addressed(self, slot: Slot) -> bool:
        """Whether the code takes the address of the slot: so it does of a variable's home, and
        not of a word that it only saves there."""
        return slot.offset in self._taken

    def touching(self, slot: Slot) -> Iterator[int]:
        """The instructions that write any of it, or take an address in it."""
        for ins in self._instructions.values():
            if ins.mnemonic == Mnemonic.LEA and ins.memory_base == Register.RSP:
                at = self._offset(ins, ins.memory_displacement)
                if slot.offset <= at < slot.offset + slot.size:
                    yield ins.ip
            elif ins.flow_control not in _CALLS and self._writes(ins, slot):
                yield ins.ip

    def of(self, holder: Holder, pc: int) -> frozenset[Definition] | None:
        """Every definition whose value may be there when `pc` is about to run; None where that
        cannot be followed."""
        found: set[Definition] = set()
        work: list[tuple[int, Holder, tuple[int, ...]]] = [(pc, holder, ())]
        seen = set(work)
        while work:
            at, what, copies = work.pop()
            if at == self._low:
                found.add(Definition(-1, copies, what))
            before = self._before.get(at, [])
            if not before and at != self._low:
                return None  # over a jump table
            for previous in before:
                step = self._step(self._instructions[previous], what, copies)
                if isinstance(step, Definition):
                    found.add(step)
                elif step not in seen:
                    seen.add(step)
                    work.append(step)
            if len(seen) > _STEPS_LIMIT:
                return None
        return frozenset(found)

    def _step(
        self, ins: Instruction, what: Holder, copies: tuple[int, ...]
    ) -> Definition | tuple[int, Holder, tuple[int, ...]]:
        if not self._writes(ins, what):
            return ins.ip, what, copies
        source = self._copied(ins, what)
        if source is not None and len(copies) < _CHAIN_LIMIT:
            return ins.ip, source, (*copies, ins.ip)
        return Definition(ins.ip, copies, what, _is_constant(ins))

    def _writes(self, ins: Instruction, what: Holder) -> bool:
        if isinstance(what, str):
            if ins.flow_control in _CALLS:
                return what not in ("rsp", "r14")
            return any(
                used.access in _WRITES and _full(used.register) == what
                for used in self._info.info(ins).used_registers()
            )
        if ins.flow_control in _CALLS or ins.mnemonic == Mnemonic.PUSH:
            return False
        for used in self._info.info(ins).used_memory():
            if used.access in _WRITES and used.base == Register.RSP and not used.index:
                at = self._offset(ins, used.displacement)
                size = int(MemorySizeExt.size(used.memory_size))
                if at < what.offset + what.size and what.offset < at + size:
                    return True
        return False

    def _copied(self, ins: Instruction, what: Holder) -> Holder | None:
        """Where a plain copy takes the value from."""
        if ins.mnemonic not in _MOVES or ins.op_count != 2:
            return None
        if isinstance(what, Slot):
            at = self._offset(ins, ins.memory_displacement)
            if (at, int(MemorySizeExt.size(ins.memory_size))) != (what.offset, what.size):
                return None
        if ins.op1_kind == OpKind.REGISTER:
            return None if ins.op1_register == Register.XMM15 else _full(ins.op1_register)
        if ins.op1_kind == OpKind.MEMORY and ins.memory_base == Register.RSP:
            if ins.memory_index:
                return None
            size = int(MemorySizeExt.size(ins.memory_size))
            return Slot(self._offset(ins, ins.memory_displacement), size)
        return None

    def _offset(self, ins: Instruction, displacement: int) -> int:
        signed = (displacement + (1 << 63)) % (1 << 64) - (1 << 63)
        return signed - self._depth(ins.ip)


def _full(register: Register_) -> str:
    return _NAMES.get(int(RegisterExt.full_register(register)), "")


_NAMES = {
    getattr(Register, name.upper()): name
    for name in (
        *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
        *(f"r{n}" for n in range(8, 16)),
    )
} | {getattr(Register, f"ZMM{n}"): f"xmm{n}" for n in range(16)}


def _is_constant(ins: Instruction) -> bool:
    """Whether it makes a value of nothing: an immediate, an address of static data, a zero."""
    if ins.mnemonic in (Mnemonic.XOR, Mnemonic.XORPS):
        return ins.op_count == 2 and bool(ins.op0_register) and ins.op0_register == ins.op1_register
    if ins.mnemonic == Mnemonic.LEA or ins.mnemonic in _MOVES:
        if ins.op1_kind == OpKind.MEMORY:
            return bool(ins.memory_base == Register.RIP)
        if ins.op1_kind == OpKind.REGISTER:
            return bool(ins.op1_register == Register.XMM15)
        return True
    return False
