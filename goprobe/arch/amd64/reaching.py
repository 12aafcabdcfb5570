"""Which instructions of a function gave a register or a slot of its frame what it holds at a pc.

The classic backward walk over reaching definitions, through copies: from register to register, to
the frame and back. A call gives all registers new values and leaves the frame's slots alone.
"""

from __future__ import annotations

from collections.abc import Callable, Set

import msgspec
from iced_x86 import Instruction, MemorySizeExt, Mnemonic, OpKind, Register, RegisterExt

from goprobe.arch.amd64.codeflow import ENTRY, KEPT, MOVES, CodeFlow, FrameSlot, full_name
from goprobe.arch.amd64.operands import immediate
from goprobe.arch.amd64.registers import CLOSURE

_STEPS_LIMIT = 20000
_CHAIN_LIMIT = 8
_KEPT_AT_ENTRY = KEPT | {CLOSURE}  # which the runtime restores (gogo, asm_amd64.s)
LOST = -2
_CONDITIONAL = frozenset(
    getattr(Mnemonic, name) for name in dir(Mnemonic) if name.startswith("CMOV")
)
_SCALES = frozenset({Mnemonic.SHL, Mnemonic.LEA})
_BY_TRUTH = _SCALES | {
    *(Mnemonic.ADD, Mnemonic.SUB, Mnemonic.OR, Mnemonic.XOR, Mnemonic.SHR, Mnemonic.SAR)
}
_TRUTH_DEPTH = 3
_TRUTHS = frozenset(getattr(Mnemonic, name) for name in dir(Mnemonic) if name.startswith("SET"))

Holder = str | FrameSlot
"""A register by its full name ("rax", "xmm0"), or a slot of the frame."""


class Definition(msgspec.Struct, frozen=True):
    """Where a value was made: `pc` of the instruction, ENTRY for what the function was given
    in `holder`, LOST where that may be gone, for the function began once more with a larger stack.
    `copies` are the pcs of the copies from there; `constant`: it is one of the code.
    """

    pc: int
    copies: tuple[int, ...]
    holder: Holder
    constant: bool = False


class Definitions:
    """Of one function. What is loaded from slots of the frame that are not `followed` is made by
    the load. Where copies are not `counted` none are told, and there may be any number of them: in
    loops there is no end to it."""

    def __init__(
        self,
        flow: CodeFlow,
        *,
        followed: Callable[[FrameSlot], bool] = lambda _slot: True,
        counted: bool = True,
    ) -> None:
        self._flow = flow
        self._followed = followed
        self._counted = counted
        self._known: dict[tuple[Holder, int], frozenset[Definition] | None] = {}

    def of(self, holder: Holder, pc: int) -> frozenset[Definition] | None:
        """Every definition whose value may be there when `pc` is about to run, or while the call
        runs that `pc` is within; None where that cannot be followed."""
        key = holder, pc
        if key not in self._known:
            self._known[key] = self._find(holder, pc)
        return self._known[key]

    def _find(self, holder: Holder, pc: int) -> frozenset[Definition] | None:
        flow, writes, arriving = self._flow, self._writes, self._flow.arriving
        definitions: set[Definition] = set()
        work: list[tuple[int, Holder, tuple[int, ...]]] = [(pc, holder, ())]
        seen = set(work)
        while work:
            at, what, copies = work.pop()
            if at == flow.low:
                definitions.update(self._entered(what, copies))
            before = arriving(at)
            if not before and at != flow.low:
                return None  # over a jump table
            for previous in before:
                if writes(previous, what):
                    step = self._step(flow.instructions[previous], what, copies)
                else:
                    step = previous, what, copies
                if isinstance(step, Definition):
                    definitions.add(step)
                elif step not in seen:
                    seen.add(step)
                    work.append(step)
            if len(seen) > _STEPS_LIMIT:
                return None
        return frozenset(definitions)

    def chosen_since(self, register: str, pc: int) -> frozenset[int]:
        """The instructions that may have run since a register got its value, and that chose
        between it and another: conditional moves, and arithmetic with a truth value."""
        flow = self._flow
        chosen, work, seen = set[int](), [pc], {pc}
        while work and len(seen) < _STEPS_LIMIT:
            for previous in flow.arriving(work.pop()):
                ins = flow.instructions[previous]
                moved = ins.mnemonic in _CONDITIONAL and full_name(ins.op1_register) == register
                if moved or (ins.mnemonic in _BY_TRUTH and self._is_by_truth(ins)):
                    chosen.add(previous)
                if previous not in seen and not flow.changes(ins, register):
                    seen.add(previous)
                    work.append(previous)
        return frozenset(chosen)

    def _is_by_truth(self, ins: Instruction, depth: int = 0) -> bool:
        """Whether an operand is 0, or else some constant, by a condition: the compiler writes
        `if c { x += 8 }` as x + c<<3, |= and ^= alike (cmd/compile/internal/ssa/_gen/generic.rules,
        CondSelect, Go 1.26 and 1.27)."""
        used = self._flow.info.info(ins).used_registers()
        return any(self._is_truth(full_name(each.register), ins.ip, depth) for each in used)

    def _is_truth(self, register: str, pc: int, depth: int) -> bool:
        made = self.of(register, pc) if register and depth < _TRUTH_DEPTH else None
        writers = [self._flow.instructions.get(d.pc) for d in made or ()]
        return bool(writers) and all(
            ins is not None
            and (
                _makes_truth(ins) or (ins.mnemonic in _SCALES and self._is_by_truth(ins, depth + 1))
            )
            for ins in writers
        )

    def runs_since(self, made: int, pc: int, births: Set[int]) -> bool:
        """Whether the instruction at `made` may have run after control last came by one of
        `births`, when `pc` is about to run, or while the call runs that `pc` is within."""
        work, seen = [pc], {pc}
        while work and len(seen) < _STEPS_LIMIT:
            at = work.pop()
            if at in births:
                continue
            for previous in self._flow.arriving(at):
                if previous == made:
                    return True
                if previous not in seen:
                    seen.add(previous)
                    work.append(previous)
        return bool(work)

    def _entered(self, what: Holder, copies: tuple[int, ...]) -> list[Definition]:
        """What a register or slot holds when the function begins, at first or once more."""
        entered = [Definition(ENTRY, copies, what)]
        restored = self._flow.restored
        if isinstance(what, str) and restored is not None and what not in restored | _KEPT_AT_ENTRY:
            entered.append(Definition(LOST, copies, what))
        return entered

    def _step(
        self, ins: Instruction, what: Holder, copies: tuple[int, ...]
    ) -> Definition | tuple[int, Holder, tuple[int, ...]]:
        source = self._copied(ins, what)
        if source is not None and len(copies) < _CHAIN_LIMIT:
            return ins.ip, source, (*copies, ins.ip) if self._counted else copies
        return Definition(ins.ip, copies, what, _is_constant(ins))

    def _writes(self, pc: int, what: Holder) -> bool:
        if isinstance(what, str):
            return what in self._flow.changed(pc)
        stores = self._flow.stored(pc)
        return bool(stores) and any(
            s.offset < what.offset + what.size and what.offset < s.offset + s.size for s in stores
        )

    def _copied(self, ins: Instruction, what: Holder) -> Holder | None:
        """Where a plain copy takes the value from."""
        if ins.mnemonic not in MOVES or ins.op_count != 2:
            return None
        if isinstance(what, FrameSlot):
            at = self._flow.offset(ins, ins.memory_displacement)
            if (at, int(MemorySizeExt.size(ins.memory_size))) != (what.offset, what.size):
                return None
        if ins.op1_kind == OpKind.REGISTER:
            return None if ins.op1_register == Register.XMM15 else full_name(ins.op1_register)
        if ins.op1_kind == OpKind.MEMORY and ins.memory_base == Register.RSP:
            size = int(MemorySizeExt.size(ins.memory_size))
            slot = FrameSlot(self._flow.offset(ins, ins.memory_displacement), size)
            return None if ins.memory_index or not self._followed(slot) else slot
        return None


def _is_constant(ins: Instruction) -> bool:
    """Whether it makes a value of nothing: an immediate, an address of static data, a zero."""
    if ins.mnemonic in (Mnemonic.XOR, Mnemonic.XORPS):
        return ins.op_count == 2 and bool(ins.op0_register) and ins.op0_register == ins.op1_register
    if ins.mnemonic == Mnemonic.LEA or ins.mnemonic in MOVES:
        if ins.op1_kind == OpKind.MEMORY:
            return bool(ins.memory_base == Register.RIP)
        if ins.op1_kind == OpKind.REGISTER:
            return bool(ins.op1_register == Register.XMM15)
        return True
    return False


def _makes_truth(ins: Instruction) -> bool:
    """Whether it makes a truth value, extends one to a word, or negates it."""
    if ins.mnemonic == Mnemonic.MOVZX:
        byte = ins.op1_kind == OpKind.REGISTER and RegisterExt.size(ins.op1_register) == 1
        return bool(byte or MemorySizeExt.size(ins.memory_size) == 1)
    return ins.mnemonic in _TRUTHS or (ins.mnemonic == Mnemonic.XOR and immediate(ins) == 1)
