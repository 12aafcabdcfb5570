"""The instructions of one function as a graph: from where control comes to each, and which place
of its frame each names."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
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

from goprobe.arch.amd64.controlflow import (
    BRANCHES,
    CALLS,
    CODE_LIMIT,
    Changes,
    Defers,
    Returns,
    successors,
)
from goprobe.arch.amd64.operands import immediate
from goprobe.arch.amd64.registers import CLOSURE, GENERAL, VECTORS, signed

WRITES = frozenset(
    {OpAccess.WRITE, OpAccess.READ_WRITE, OpAccess.COND_WRITE, OpAccess.READ_COND_WRITE}
)
MOVES = frozenset(
    {Mnemonic.MOV, Mnemonic.MOVZX, Mnemonic.MOVSX, Mnemonic.MOVSXD, Mnemonic.MOVUPS,
     Mnemonic.MOVSD, Mnemonic.MOVSS, Mnemonic.MOVQ, Mnemonic.MOVD, Mnemonic.MOVDQU,
     Mnemonic.MOVAPS}
)  # fmt: skip
_GOING_ON = frozenset({FlowControl.NEXT, FlowControl.CONDITIONAL_BRANCH})
KEPT = frozenset({"rsp", "r14", "xmm15"})  # over a call
ENTRY = -1
"""In place of an instruction's pc: what holds when the function begins."""

Register_ = Any  # iced_x86 names its registers by integers of a type of its own


class FrameSlot(msgspec.Struct, frozen=True):
    """`size` bytes of the frame at an offset from its CFA."""

    offset: int
    size: int


class FieldUse(Enum):
    """Of a closure object's field. `ADDRESS`: the code takes its address, it is a variable itself;
    `WORD`: the code only loads what stands there; `UNKNOWN`: it does not show which."""

    ADDRESS = "address"
    WORD = "word"
    UNKNOWN = "unknown"


class CodeFlow:
    """Of one function whose code starts at `low`. `depth(pc)` is the distance in bytes from the
    stack pointer up to the CFA."""

    def __init__(
        self,
        code: bytes,
        low: int,
        depth: Callable[[int], int],
        returns: Returns,
        changes: Changes,
        defers: Defers,
    ) -> None:
        self._code, self.low = code[:CODE_LIMIT], low
        self._depth, self._returns, self._changes = depth, returns, changes
        self._defers = defers
        self.info = InstructionInfoFactory()
        self._stored: dict[int, tuple[FrameSlot, ...]] = {}
        self._changed: dict[int, frozenset[str]] = {}
        self._uses: dict[int, FieldUse] = {}

    @cached_property
    def instructions(self) -> dict[int, Instruction]:
        return {ins.ip: ins for ins in Decoder(64, self._code, ip=self.low)}

    @cached_property
    def before(self) -> Mapping[int, tuple[int, ...]]:
        """The instructions from which control comes to each, after a recovered panic, too."""
        recovery = self._defers.recovery(self.instructions, self._returns)
        predecessors = dict(self._straight)
        for target in recovery.targets:
            predecessors[target] = (*predecessors.get(target, ()), *recovery.sources)
        for ins in self._padding:
            if not predecessors.get(ins.ip):
                then = predecessors.get(ins.next_ip, ())
                predecessors[ins.next_ip] = tuple(p for p in then if p != ins.ip)
        return predecessors

    @cached_property
    def _padding(self) -> list[Instruction]:
        """The instructions that do nothing, and to which no jump leads: the assembler fills with
        them what lies before an instruction that it moves on, where jumps to that do not land
        (cmd/internal/obj/x86, span6, padJump, Go 1.21 to 1.27). One byte long they may be marks of
        the compiler's (ssagen, OpAMD64InlMark), with which what a jump table leads to may begin."""
        every = [ins for ins in self.instructions.values() if ins.ip != self.low]
        tables = any(ins.flow_control == FlowControl.INDIRECT_BRANCH for ins in every)
        return [
            ins for ins in every if ins.mnemonic == Mnemonic.NOP and not (tables and ins.len == 1)
        ]

    @cached_property
    def _straight(self) -> dict[int, tuple[int, ...]]:
        """As the code itself goes on. Its stack grown, a function begins once more, as if it had
        just been called: to its beginning control comes from nowhere."""
        code, goes_on = self.instructions, FlowControl.NEXT
        # Most instructions go on to the one behind them: only the others are asked one by one.
        predecessors: dict[int, tuple[int, ...]] = dict(zip([*code][1:], zip(code), strict=False))
        for ins in code.values():
            if ins.flow_control == goes_on:
                continue
            pc, then = ins.ip, ins.next_ip
            after = successors(ins, self._returns)
            if then not in after:
                predecessors[then] = tuple(p for p in predecessors.get(then, ()) if p != pc)
            for target in after:
                if target != then:
                    predecessors[target] = (*predecessors.get(target, ()), pc)
        predecessors.pop(self.low, None)
        return predecessors

    @cached_property
    def _again(self) -> tuple[Instruction, ...]:
        """The jumps to the function's beginning, behind the calls that let the stack grow."""
        return tuple(
            ins
            for ins in self.instructions.values()
            if ins.flow_control in BRANCHES
            and ins.near_branch_target == self.low
            and ins.ip != self.low
        )

    @cached_property
    def resumed(self) -> frozenset[int]:
        """Where the function goes on with a larger stack, to begin once more."""
        return frozenset(next(iter(self._back(ins.ip)), ins).ip for ins in self._again)

    @cached_property
    def restored(self) -> frozenset[str] | None:
        """The registers that hold again, when the function begins once more with a larger stack,
        what they held at first: those that it loads again behind the call that lets the stack
        grow. None where it has no such call, so that it begins only once."""
        if not self._again:
            return None
        return frozenset.intersection(*(self._loaded_before(i.ip) for i in self._again))

    def _loaded_before(self, pc: int) -> frozenset[str]:
        """The registers loaded from the frame on the straight way from the last call to `pc`."""
        return frozenset(
            full_name(ins.op0_register)
            for ins in self._back(pc)
            if ins.op_count == 2 and ins.op1_kind == OpKind.MEMORY
        )

    def _back(self, pc: int) -> list[Instruction]:
        """The instructions between the last call and `pc`, in order, on a straight way."""
        instructions: list[Instruction] = []
        previous = self._straight.get(pc, ())
        while len(previous) == 1 and self.instructions[previous[0]].flow_control not in CALLS:
            instructions.append(self.instructions[previous[0]])
            previous = self._straight.get(previous[0], ())
        return instructions[::-1]

    def arriving(self, pc: int) -> Sequence[int]:
        """The instructions from which control comes to `pc`. A pc within a call's own bytes means
        the time while that call runs: to where it returns control may come from elsewhere, too,
        and from one that never returns not at all."""
        if pc in self.instructions:
            return self.before.get(pc, ())
        call = self.call_at(pc)
        return () if call is None else (call,)

    def call_at(self, pc: int) -> int | None:
        """Where the call begins within whose bytes `pc` is."""
        index = bisect_left(self._starts, pc) - 1
        ins = self.instructions[self._starts[index]] if index >= 0 else None
        within = ins is not None and ins.ip < pc < ins.next_ip and ins.flow_control in CALLS
        return ins.ip if ins is not None and within else None

    @cached_property
    def _starts(self) -> list[int]:
        return sorted(self.instructions)

    def leaving(self, ins: Instruction) -> tuple[int, ...]:
        """Where control may go from an instruction within the function, as the code goes on."""
        return successors(ins, self._returns)

    def after(self, pc: int) -> int:
        """Where the code goes on behind the instruction at a pc, 0 where none is."""
        ins = self.instructions.get(pc)
        return 0 if ins is None else ins.next_ip

    def following(self, pc: int) -> Iterator[Instruction]:
        """The instructions from `pc` on up to the next call or branch, that one included; of a
        call that runs those to which it returns."""
        if (call := self.call_at(pc)) is not None:
            pc = next(iter(successors(self.instructions[call], self._returns)), 0)
        while pc in self.instructions:
            ins = self.instructions[pc]
            yield ins
            if ins.flow_control != FlowControl.NEXT:
                return
            pc = ins.next_ip

    def offset(self, ins: Instruction, displacement: int) -> int:
        """From the CFA, of what an instruction names by a distance from the stack pointer."""
        return signed(displacement) - self._depth(ins.ip)

    def taken(self, ins: Instruction) -> int | None:
        """The offset of the place in the frame whose address an instruction takes."""
        if ins.mnemonic != Mnemonic.LEA or ins.memory_base != Register.RSP or ins.memory_index:
            return None
        return self.offset(ins, ins.memory_displacement)

    def taken_at(self, pc: int) -> int | None:
        """As `taken`, of the instruction at a pc; None where none is."""
        ins = self.instructions.get(pc)
        return None if ins is None else self.taken(ins)

    def stores(self, ins: Instruction) -> tuple[FrameSlot, ...]:
        """The places of the frame that an instruction writes by itself. What calls push, and
        saved registers, are no variable's."""
        return self.stored(ins.ip)

    def stored(self, pc: int) -> tuple[FrameSlot, ...]:
        """As `stores`, of the instruction at a pc."""
        stored = self._stored.get(pc)
        if stored is None:
            stored = self._stored[pc] = tuple(self._find_stores(self.instructions[pc]))
        return stored

    def _find_stores(self, ins: Instruction) -> Iterator[FrameSlot]:
        if ins.flow_control in CALLS or ins.mnemonic == Mnemonic.PUSH:
            return
        if ins.mnemonic == Mnemonic.MOV:  # most of them: what they write is their first operand
            named = ins.op0_kind == OpKind.MEMORY and ins.memory_base == Register.RSP
            if named and not ins.memory_index:
                size = int(MemorySizeExt.size(ins.memory_size))
                yield FrameSlot(self.offset(ins, ins.memory_displacement), size)
            return
        for used in self.info.info(ins).used_memory():
            if used.access in WRITES and used.base == Register.RSP and not used.index:
                size = int(MemorySizeExt.size(used.memory_size))
                yield FrameSlot(self.offset(ins, used.displacement), size)

    def is_reload(self, ins: Instruction) -> bool:
        """Whether an instruction only moves a value between the frame and a register, or between
        registers."""
        if ins.mnemonic not in MOVES or ins.op_count != 2:
            return False
        in_frame = ins.memory_base == Register.RSP and not ins.memory_index
        return all(
            kind == OpKind.REGISTER or (kind == OpKind.MEMORY and in_frame)
            for kind in (ins.op0_kind, ins.op1_kind)
        )

    def names_memory(self, ins: Instruction) -> bool:
        """Whether an instruction reads, writes or compares memory."""
        if ins.mnemonic == Mnemonic.LEA:
            return False
        return any(ins.op_kind(at) == OpKind.MEMORY for at in range(ins.op_count))

    def changes(self, ins: Instruction, register: str) -> bool:
        """Whether an instruction gives a register another value, or may."""
        return register in self.changed(ins.ip)

    def changed(self, pc: int) -> frozenset[str]:
        """The registers to which the instruction at a pc gives another value, or may."""
        changed = self._changed.get(pc)
        if changed is None:
            changed = self._changed[pc] = self._find_changed(self.instructions[pc])
        return changed

    def _find_changed(self, ins: Instruction) -> frozenset[str]:
        if ins.flow_control in CALLS:
            direct = ins.flow_control == FlowControl.CALL
            changed = self._changes(ins.near_branch_target) if direct else None
            return _BY_CALLS if changed is None else changed
        return frozenset(
            full_name(used.register)
            for used in self.info.info(ins).used_registers()
            if used.access in WRITES
        )

    def field_use(self, offset: int) -> FieldUse:
        """Of the field at an offset of the closure object that the function is called for."""
        if offset not in self._uses:
            self._uses[offset] = self._find_use(offset)
        return self._uses[offset]

    def _find_use(self, offset: int) -> FieldUse:
        """By what it does before its first call or jump, with the pointer that it gets or a copy of
        it. The address taken by another pointer further on may be that of this field, too."""
        holding, begins, loaded, taken = {CLOSURE}, True, False, False
        for ins in self.instructions.values():
            if _is_field(ins, offset):
                mine = begins and full_name(ins.memory_base) in holding
                if ins.mnemonic == Mnemonic.LEA and mine:
                    return FieldUse.ADDRESS
                taken = taken or ins.mnemonic == Mnemonic.LEA
                loaded = loaded or (mine and ins.mnemonic in MOVES)
            if ins.op_count == 2 and ins.op0_kind == OpKind.REGISTER:
                copied = ins.mnemonic in MOVES and ins.op1_kind == OpKind.REGISTER
                if copied and full_name(ins.op1_register) in holding:
                    holding.add(full_name(ins.op0_register))
                else:
                    holding.discard(full_name(ins.op0_register))
            begins = begins and ins.flow_control in _GOING_ON
        return FieldUse.WORD if loaded and not taken else FieldUse.UNKNOWN


def _is_field(ins: Instruction, offset: int) -> bool:
    return (
        ins.op_count == 2
        and ins.op1_kind == OpKind.MEMORY
        and ins.memory_displacement == offset
        and ins.memory_index == Register.NONE
        and ins.memory_base not in (Register.NONE, Register.RSP, Register.RIP)
    )


def is_zero(ins: Instruction) -> bool:
    """Whether it stores a constant zero; XMM15 is always zero in Go code (abi-internal.md)."""
    if ins.op_count < 2:
        return False
    if ins.op1_kind == OpKind.REGISTER:
        return bool(ins.op1_register == Register.XMM15)
    return immediate(ins) == 0


def full_name(register: Register_) -> str:
    """The whole register that holds this one, as "rax" or "xmm0"; "" for others."""
    return _NAMES.get(int(RegisterExt.full_register(register)), "")


_NAMES = {getattr(Register, name.upper()): name for name in GENERAL} | {
    getattr(Register, f"ZMM{n}"): name for n, name in enumerate(VECTORS)
}
_BY_CALLS = frozenset({*_NAMES.values(), ""}) - KEPT
