"""Where the value came from that a register or a slot of a frame holds: of one function's code.

The backward walk is `reaching`'s; here stands what the instruction that made the value did.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import msgspec
from iced_x86 import (
    FlowControl,
    Instruction,
    MemorySizeExt,
    Mnemonic,
    OpKind,
    Register,
    RegisterExt,
)

from goprobe.arch.amd64.codeflow import ENTRY, CodeFlow, FrameSlot, full_name
from goprobe.arch.amd64.operands import immediate
from goprobe.arch.amd64.reaching import LOST, Definition, Definitions, Holder
from goprobe.arch.amd64.registers import SP, signed

_WORD = 8


class Given(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What the function was called with, in a register or slot."""

    holder: Holder


class Returned(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What the function at `target` left in a register, called at `pc`."""

    target: int
    register: str
    pc: int


class Static(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The link-time address of static data, or of code."""

    address: int


class StaticWord(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The word that lies at a link-time address."""

    address: int


class LoadedWord(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The word `offset` bytes from where a register points to at `pc`."""

    base: str
    pc: int
    offset: int


class Number(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A constant of the code that is no address: 0, and for a pointer nil."""

    value: int


class Untold(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Anything else."""


Origin = Given | Returned | Static | StaticWord | LoadedWord | Number | Untold


class Store(msgspec.Struct, frozen=True, array_like=True):
    """The instruction at `pc` stores a register `offset` bytes from where another, `base`, points
    to; where `base` is "" at the link-time address `offset`."""

    pc: int
    register: str
    base: str
    offset: int


class Origins:
    """Of one function."""

    def __init__(self, flow: CodeFlow) -> None:
        self.flow = flow
        self._definitions = Definitions(flow, through_frame=False)
        self._through_frame = Definitions(flow)
        self._known: dict[tuple[Holder, int], tuple[Origin, ...]] = {}

    @cached_property
    def returns(self) -> tuple[int, ...]:
        """Where the function returns."""
        return tuple(
            ins.ip
            for ins in self.flow.instructions.values()
            if ins.flow_control == FlowControl.RETURN
        )

    @cached_property
    def leaves(self) -> bool:
        """Whether it may hand on to another function, which returns in its place."""
        low, code = self.flow.low, self.flow.instructions
        high = max(code, default=low)
        return any(
            ins.flow_control == FlowControl.UNCONDITIONAL_BRANCH
            and not low <= ins.near_branch_target <= high
            for ins in code.values()
        )

    @cached_property
    def stores(self) -> tuple[Store, ...]:
        """The words in memory, but for the frame's, that it stores a whole register to."""
        every = (_store(ins) for ins in self.flow.instructions.values())
        return tuple(store for store in every if store)

    def store_at(self, pc: int) -> Store | None:
        """As `stores`, of the instruction at a pc."""
        ins = self.flow.instructions.get(pc)
        return _store(ins) if ins is not None else None

    def of(self, holder: Holder, pc: int) -> tuple[Origin, ...]:
        """Of what `holder` holds when `pc` is about to run, or while the call runs that `pc` is
        within."""
        key = holder, pc
        if key not in self._known:
            self._known[key] = (Untold(),)  # should it be made of itself
            self._known[key] = tuple(dict.fromkeys(self._find(holder, pc)))
        return self._known[key]

    def _find(self, holder: Holder, pc: int) -> Iterator[Origin]:
        slot = isinstance(holder, FrameSlot)
        definitions = (self._through_frame if slot else self._definitions).of(holder, pc)
        for made in definitions if definitions is not None else ():
            ins = self.flow.instructions.get(made.pc)
            if isinstance(made.holder, str) and ins is not None and (saved := self._saved(ins)):
                yield from self._of_slot(saved, ins)
            else:
                yield self._origin(made, ins)
        if definitions is None:
            yield Untold()

    def _saved(self, ins: Instruction) -> FrameSlot | None:
        """The slot that an instruction loads a whole register from."""
        if ins.mnemonic != Mnemonic.MOV or ins.op1_kind != OpKind.MEMORY or ins.memory_index:
            return None
        if ins.memory_base != Register.RSP or MemorySizeExt.size(ins.memory_size) != _WORD:
            return None
        return FrameSlot(self.flow.offset(ins, ins.memory_displacement), _WORD)

    def _of_slot(self, slot: FrameSlot, load: Instruction) -> Iterator[Origin]:
        """What is saved in one place comes from there, wherever it is loaded: the register
        allocator's slots are written once (cmd/compile, ssa/regalloc.go)."""
        stores = self._slot_stores.get(slot.offset >> 3, ())
        if len(stores) == 1 and slot.offset < 0 and slot.offset % _WORD == 0:
            only = self.flow.instructions[stores[0]]
            plain = only.mnemonic == Mnemonic.MOV and only.op1_kind == OpKind.REGISTER
            if plain and next(iter(self.flow.stores(only)), None) == slot:
                yield from self.of(full_name(only.op1_register), only.ip)
                return
        yield from self.of(slot, load.ip)

    @cached_property
    def _slot_stores(self) -> dict[int, list[int]]:
        """By words of the frame, the instructions that store to it."""
        stores: dict[int, list[int]] = {}
        for ins in self.flow.instructions.values():
            if ins.op0_kind == OpKind.MEMORY and ins.memory_base == Register.RSP:
                for slot in self.flow.stores(ins):
                    for word in range(slot.offset >> 3, (slot.offset + slot.size + 7) >> 3):
                        stores.setdefault(word, []).append(ins.ip)
        return stores

    def _origin(self, made: Definition, ins: Instruction | None) -> Origin:
        if made.pc == ENTRY:
            return Given(made.holder)
        if ins is None or made.pc == LOST:
            return Untold()
        if ins.flow_control == FlowControl.CALL and isinstance(made.holder, str):
            return Returned(ins.near_branch_target, made.holder, ins.ip)
        if made.constant and (number := self._number(ins)) is not None:
            return Number(number)
        if ins.mnemonic == Mnemonic.LEA and ins.is_ip_rel_memory_operand:
            return Static(ins.ip_rel_memory_address)
        if ins.mnemonic == Mnemonic.MOV and ins.op1_kind == OpKind.MEMORY:
            return self._loaded(ins)
        return Untold()

    def _number(self, ins: Instruction) -> int | None:
        """The constant that an instruction makes a register or slot."""
        if ins.mnemonic in (Mnemonic.XOR, Mnemonic.XORPS):
            return 0
        if ins.op1_kind == OpKind.REGISTER:
            return 0  # XMM15 is always zero in Go code (abi-internal.md)
        return immediate(ins)

    def _loaded(self, ins: Instruction) -> Origin:
        if MemorySizeExt.size(ins.memory_size) != _WORD:
            return Untold()
        if ins.is_ip_rel_memory_operand:
            return StaticWord(ins.ip_rel_memory_address)
        base, offset = _base(ins), signed(ins.memory_displacement)
        if not base:
            return Untold()
        match self.of(base, ins.ip):
            case (Static(address=address),):
                return StaticWord(address + offset)
        return LoadedWord(base, ins.ip, offset)


def _store(ins: Instruction) -> Store | None:
    if ins.mnemonic != Mnemonic.MOV or ins.op0_kind != OpKind.MEMORY:
        return None
    if ins.op1_kind != OpKind.REGISTER or RegisterExt.size(ins.op1_register) != _WORD:
        return None
    register = full_name(ins.op1_register)
    if ins.is_ip_rel_memory_operand:
        return Store(ins.ip, register, "", ins.ip_rel_memory_address)
    base = _base(ins)
    return Store(ins.ip, register, base, signed(ins.memory_displacement)) if base else None


def _base(ins: Instruction) -> str:
    """The register that a memory operand counts from; "" where it is the frame's, or there is more
    to it."""
    plain = not ins.memory_index and not ins.segment_prefix
    base = full_name(ins.memory_base) if plain else ""
    return "" if base == SP else base
