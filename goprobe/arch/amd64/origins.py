"""Where the value came from that a register or a slot of a frame holds: of one function's code.

The backward walk is `reaching`'s; here stands what the instruction that made the value did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import msgspec
from iced_x86 import (
    FlowControl,
    Instruction,
    MemorySizeExt,
    Mnemonic,
    OpKind,
    Register,
)

from goprobe.arch.amd64.bounds import Bounds
from goprobe.arch.amd64.codeflow import ENTRY, CodeFlow, FrameSlot, full_name, is_zero
from goprobe.arch.amd64.frameobjects import ObjectUse, uses_of
from goprobe.arch.amd64.operands import immediate
from goprobe.arch.amd64.reaching import LOST, Definition, Definitions, Holder
from goprobe.arch.amd64.registers import signed
from goprobe.arch.amd64.stores import (
    ElementStore,
    Store,
    element_store,
    indexed_base,
    plain_base,
    store_of,
)

_WORD = 8
_HIGHEST = 1 << 62  # no frame reaches there
_BEFORE = 64  # bytes: s[i + 1] with i = -1 is the element before the one that is named


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


class LoadedElement(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A word of an array that a register points to at `pc`: some number of words from there."""

    base: str
    pc: int


class Framed(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The address of a place in the function's own frame."""


class Number(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A constant of the code that is no address: 0, and for a pointer nil."""

    value: int


class Untold(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Anything else."""


Origin = (
    Given | Returned | Static | StaticWord | LoadedWord | LoadedElement | Framed | Number | Untold
)


_At = tuple[Holder, int]


class Call(msgspec.Struct, frozen=True, array_like=True):
    """The call at `pc` of the function at `target`, 0 where the code does not say which."""

    pc: int
    target: int


class Addressed(msgspec.Struct, frozen=True):
    """Of a function's frame, in bytes from its CFA: the `objects` [low, high) that its code may
    hand the address of to others; below `first` nothing has pointers."""

    first: int
    objects: tuple[tuple[int, int], ...]

    def object_at(self, place: int) -> tuple[int, int] | None:
        return next(((low, high) for low, high in self.objects if low <= place < high), None)


class ObjectUses(msgspec.Struct, frozen=True, array_like=True):
    """The variable in [low, high) of a frame, from its CFA, and all calls that get its address."""

    low: int
    high: int
    uses: tuple[ObjectUse, ...]


class Origins:
    """Of one function. Slots of its frame are followed that are filled by nothing but the stores
    that name them: none that is `addressed`, or that the code may fill, or copy something to, by an
    address that it takes. `is_code` is whether code lies at a link-time address."""

    def __init__(
        self, flow: CodeFlow, addressed: Addressed, is_code: Callable[[int], bool]
    ) -> None:
        self.flow = flow
        self._addressed = addressed
        self._is_code = is_code
        self._closures: dict[tuple[int, int], bool] = {}
        self._definitions = Definitions(flow, followed=lambda _slot: False, counted=False)
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
        every = (store_of(ins) for ins in self.flow.instructions.values())
        return tuple(store for store in every if store)

    @cached_property
    def elements(self) -> tuple[ElementStore, ...]:
        """Where it stores whole registers to elements of arrays of words, but for the frame's."""
        every = map(element_store, self.flow.instructions.values())
        counted = (
            (store, self._bounds.least(index, store.pc)) for store, index in filter(None, every)
        )
        return tuple(
            ElementStore(store.pc, store.register, store.base, store.offset, count)
            for store, count in counted
            if count
        )

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """The calls of functions that the code names."""
        return tuple(
            Call(ins.ip, ins.near_branch_target)
            for ins in self.flow.instructions.values()
            if ins.flow_control == FlowControl.CALL
        )

    @cached_property
    def _bounds(self) -> Bounds:
        return Bounds(self.flow)

    def store_at(self, pc: int) -> Store | None:
        """As `stores`, of the instruction at a pc."""
        ins = self.flow.instructions.get(pc)
        return store_of(ins) if ins is not None else None

    def _is_followed(self, slot: FrameSlot) -> bool:
        """What lies lower than all pointers is handed to calls, or comes from them."""
        own = self._addressed
        home = own.object_at(slot.offset)
        if not own.first <= slot.offset < self._filled:
            return False
        return home is None or self._is_closure(home)

    def _is_closure(self, home: tuple[int, int]) -> bool:
        """Whether a stack object is a closure: what it begins with is the address of code alone.
        What it has captured nobody changes who gets its address (cmd/compile, walk/closure.go)."""
        if home not in self._closures:
            self._closures[home] = False  # should it be made of itself
            stores = self._slot_stores.get(home[0] >> 3, ())
            self._closures[home] = bool(stores) and all(map(self._stores_code, stores))
        return self._closures[home]

    def _stores_code(self, pc: int) -> bool:
        ins = self.flow.instructions[pc]
        if ins.mnemonic != Mnemonic.MOV or ins.op1_kind != OpKind.REGISTER:
            return False
        match self.of(full_name(ins.op1_register), pc):
            case (Static(address=address),):
                return self._is_code(address)
        return False

    @cached_property
    def _filled(self) -> int:
        """The lowest place of the frame that the code may fill without naming it: behind an address
        that it takes, or the beginning of an array that it stores to by an index. What others get
        the address of, and what has no pointers, is not meant."""
        every = map(self._filled_by, self.flow.instructions.values())
        return min((place for place in every if place is not None), default=_HIGHEST)

    def _filled_by(self, ins: Instruction) -> int | None:
        place, own = self.flow.taken(ins), self._addressed
        indexed = ins.memory_base == Register.RSP and ins.memory_index != Register.NONE
        if not indexed and signed(ins.memory_displacement) < 0:
            return None  # no frame: it looks for the stack's end (cmd/internal/obj/x86/obj6.go)
        if indexed and (ins.mnemonic == Mnemonic.LEA or ins.op0_kind == OpKind.MEMORY):
            place = self.flow.offset(ins, ins.memory_displacement)
        if place is None or place < own.first or own.object_at(place):
            return None
        return place - _BEFORE if indexed else place

    def call_at(self, pc: int) -> Call | None:
        """The call within whose bytes a pc is."""
        at = self.flow.call_at(pc)
        if at is None:
            return None
        ins = self.flow.instructions[at]
        direct = ins.flow_control == FlowControl.CALL
        return Call(at, ins.near_branch_target if direct else 0)

    def object_at(self, place: int) -> ObjectUses | None:
        """The variable that a place of the frame, from its CFA, is in, and who gets its address;
        None where that is not known, or several variables are there."""
        own = self._addressed.objects
        homes = [home for home in own if home[0] <= place < home[1]]
        if len(homes) != 1:
            return None
        (low, high), others = homes[0], tuple(home for home in own if home != homes[0])
        if any(low < end and begin < high for begin, end in others):
            return None
        if not all(map(self._stores_nothing, self._slot_stores.get(place >> 3, ()))):
            return None  # another variable, perhaps, that shares the place
        uses = uses_of(self.flow, low, high, own)
        return ObjectUses(low, high, uses) if uses is not None else None

    def at_place(self, place: int, pc: int) -> tuple[Origin, ...]:
        """As `of`, of the word at a place of the frame, from its CFA."""
        return self.of(FrameSlot(place, _WORD), pc)

    def of(self, holder: Holder, pc: int) -> tuple[Origin, ...]:
        """Of what `holder` holds when `pc` is about to run, or while the call runs that `pc` is
        within. What is only kept from one round of a loop to the next comes from nowhere else."""
        key = holder, pc
        if key not in self._known:
            self._known[key] = (Untold(),)  # should it be made of itself
            self._known[key] = tuple(dict.fromkeys(self._find(key))) or (Untold(),)
        return self._known[key]

    def _find(self, key: _At) -> Iterator[Origin]:
        seen, ahead = {key}, [key]
        while ahead:
            for step in self._made(*ahead.pop()):
                if not isinstance(step, tuple):
                    yield step
                elif step not in seen:
                    seen.add(step)
                    known = self._known.get(step)
                    if known is None:
                        ahead.append(step)
                    else:
                        yield from known

    def _made(self, holder: Holder, pc: int) -> Iterator[Origin | _At]:
        """What made it, or where that was kept before."""
        if isinstance(holder, FrameSlot) and not self._is_followed(holder):
            yield Untold()
            return
        definitions = self._definitions.of(holder, pc)
        for made in definitions if definitions is not None else ():
            ins = self.flow.instructions.get(made.pc)
            if isinstance(made.holder, str) and ins is not None and (saved := self._saved(ins)):
                yield self._of_slot(saved, ins)
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

    def _of_slot(self, slot: FrameSlot, load: Instruction) -> Origin | _At:
        """What is saved in one place comes from there, wherever it is loaded: the register
        allocator's slots are written once (cmd/compile, ssa/regalloc.go)."""
        stores = self._slot_stores.get(slot.offset >> 3, ())
        if not self._is_followed(slot):
            return Untold()
        if len(stores) == 1 and slot.offset < 0 and slot.offset % _WORD == 0:
            only = self.flow.instructions[stores[0]]
            plain = only.mnemonic == Mnemonic.MOV and only.op1_kind == OpKind.REGISTER
            if plain and next(iter(self.flow.stores(only)), None) == slot:
                return full_name(only.op1_register), only.ip
        return slot, load.ip

    def _stores_nothing(self, pc: int) -> bool:
        """Whether what an instruction stores leads to no object: nil, or to the frame itself."""
        ins = self.flow.instructions[pc]
        if is_zero(ins):
            return True
        if ins.mnemonic != Mnemonic.MOV or ins.op1_kind != OpKind.REGISTER:
            return False
        origins = self.of(full_name(ins.op1_register), pc)
        return all(isinstance(origin, Framed | Number) for origin in origins)

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
        if self.flow.taken(ins) is not None:
            return Framed()
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
        base, offset = plain_base(ins), signed(ins.memory_displacement)
        if not base:
            return self._element(ins)
        match self.of(base, ins.ip):
            case (Static(address=address),):
                return StaticWord(address + offset)
        return LoadedWord(base, ins.ip, offset)

    def _element(self, ins: Instruction) -> Origin:
        """Where a load names a base and words to count from there, and nothing else."""
        base = indexed_base(ins)
        return LoadedElement(base, ins.ip) if base else Untold()
