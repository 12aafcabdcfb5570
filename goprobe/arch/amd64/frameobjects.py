"""Whom a function hands the address of a variable of its frame to: all calls that may get it.

A walk forward from where the address is taken. Variables that are never alive together may share a
place (cmd/compile/internal/liveness, mergelocals.go, Go 1.23 on): what one use says of the place is
true of it only where all of them are known.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from iced_x86 import FlowControl, Instruction, MemorySizeExt, Mnemonic, OpKind, Register

from goprobe.arch.amd64.codeflow import MOVES, CodeFlow, FrameSlot, full_name, is_zero
from goprobe.arch.amd64.controlflow import CALLS
from goprobe.arch.amd64.operands import immediate
from goprobe.arch.amd64.reaching import Holder
from goprobe.arch.amd64.registers import CLOSURE, INTEGER_ARGUMENTS, SP, signed

_MOST = 1 << 14  # instructions
_COMPARING = frozenset({Mnemonic.CMP, Mnemonic.TEST, Mnemonic.NOP})
_CLEARS = frozenset({"rdi"})  # what duffzero changes: it copies nothing
_MOVED = {Mnemonic.ADD: 1, Mnemonic.SUB: -1}
_WORD = 8
_BEFORE = 64  # bytes: s[i + 1] with i = -1 is the element before the one that is named


class ObjectUse(msgspec.Struct, frozen=True, array_like=True):
    """The call at `pc` of the function at `target` (0: the code does not say which) gets the
    address `into` bytes into the variable, in a register."""

    pc: int
    target: int
    register: str
    into: int


_State = frozenset[tuple[Holder, int]]
"""Where such addresses are, and how far into the variable each leads."""


class _LostError(Exception):
    """An address goes where it cannot be followed."""


def uses_of(
    flow: CodeFlow, low: int, high: int, objects: tuple[tuple[int, int], ...]
) -> tuple[ObjectUse, ...] | None:
    """Of the variable in [low, high) of the frame, from its CFA. None where the code may do more
    with its address: keep it in memory, or in one of the other `objects` of the frame."""
    if len(flow.instructions) > _MOST:
        return None
    try:
        return tuple(_Walk(flow, low, high, objects).run())
    except _LostError:
        return None


class _Walk:
    def __init__(
        self, flow: CodeFlow, low: int, high: int, objects: tuple[tuple[int, int], ...]
    ) -> None:
        self._flow, self._low, self._high = flow, low, high
        self._objects = objects
        self._uses: set[ObjectUse] = set()

    def run(self) -> Iterator[ObjectUse]:
        code = self._flow.instructions
        if any(map(self._is_blind, code.values())):
            raise _LostError
        states: dict[int, _State] = {}
        work = [ins.ip for ins in code.values() if self._taken(ins) is not None]
        while work:
            ins = code[work.pop()]
            after = self._after(ins, states.get(ins.ip, frozenset()))
            for then in self._flow.leaving(ins):
                known = states.get(then)
                if then in code and after and not (known is not None and after <= known):
                    states[then] = after | (known or frozenset())
                    work.append(then)
        yield from sorted(self._uses, key=lambda use: (use.pc, use.register, use.into))

    def _is_blind(self, ins: Instruction) -> bool:
        """A jump by a table, or a store to the frame by an index that may be of the variable."""
        if ins.flow_control == FlowControl.INDIRECT_BRANCH:
            return True
        indexed = ins.memory_base == Register.RSP and ins.memory_index != Register.NONE
        if not indexed or ins.op0_kind != OpKind.MEMORY:
            return False
        place = self._flow.offset(ins, ins.memory_displacement)
        return self._low - _BEFORE <= place < self._high + _BEFORE

    def _taken(self, ins: Instruction) -> int | None:
        place = self._flow.taken(ins)
        inside = place is not None and self._low <= place < self._high
        return place - self._low if place is not None and inside else None

    def _after(self, ins: Instruction, state: _State) -> _State:
        if ins.flow_control in CALLS:
            return self._called(ins, state)
        gone = self._flow.changed(ins.ip)
        slots = self._flow.stored(ins.ip)
        kept = {
            (holder, into)
            for holder, into in state
            if (isinstance(holder, str) and holder not in gone)
            or not (
                isinstance(holder, str)
                or any(
                    s.offset < holder.offset + holder.size and holder.offset < s.offset + s.size
                    for s in slots
                )
            )
        }
        if (taken := self._taken(ins)) is not None:
            kept.add((full_name(ins.op0_register), taken))
        if state:
            kept |= set(self._made(ins, state))
        return frozenset(kept)

    def _called(self, ins: Instruction, state: _State) -> _State:
        direct = ins.flow_control == FlowControl.CALL
        target = ins.near_branch_target if direct else 0
        if target and self._flow.changed(ins.ip) == _CLEARS:
            return frozenset(each for each in state if each[0] not in _CLEARS)
        for holder, into in state:
            if holder == CLOSURE:
                raise _LostError
            if holder in INTEGER_ARGUMENTS and isinstance(holder, str):
                self._uses.add(ObjectUse(ins.ip, target, holder, into))
        gone = self._flow.changed(ins.ip)
        return frozenset(each for each in state if each[0] not in gone)

    def _made(self, ins: Instruction, state: _State) -> Iterator[tuple[Holder, int]]:
        """Where an instruction puts what it makes of the addresses."""
        stores = ins.op_count and ins.op0_kind == OpKind.MEMORY and ins.mnemonic not in _COMPARING
        if stores and _at(state, full_name(ins.memory_base)) and not is_zero(ins):
            raise _LostError  # whose type nothing tells
        if ins.has_rep_prefix and ins.mnemonic != Mnemonic.STOSQ and _at(state, "rdi"):
            raise _LostError  # REP MOVSQ: a copy of another variable
        read = [
            full_name(ins.op_register(i))
            for i in range(ins.op_count)
            if ins.op_kind(i) == OpKind.REGISTER
        ]
        if ins.mnemonic == Mnemonic.MOV and ins.op1_kind == OpKind.REGISTER:
            for into in _at(state, full_name(ins.op1_register)):
                yield self._place(ins), into
        elif ins.mnemonic == Mnemonic.MOV and ins.op1_kind == OpKind.MEMORY:
            if ins.memory_base == Register.RSP and not ins.memory_index:
                slot = next(iter(self._loaded(ins, state)), None)
                for into in _at(state, slot) if slot is not None else ():
                    yield full_name(ins.op0_register), into
        elif ins.mnemonic == Mnemonic.LEA:
            if ins.memory_index and _at(state, full_name(ins.memory_index)):
                raise _LostError
            for into in _at(state, full_name(ins.memory_base)):
                if ins.memory_index:
                    raise _LostError
                yield from self._moved(ins, into + signed(ins.memory_displacement))
        elif ins.mnemonic in _MOVED and (number := immediate(ins)) is not None:
            for into in _at(state, read[0]) if read else ():
                yield from self._moved(ins, into + _MOVED[ins.mnemonic] * signed(number))
        elif (
            ins.mnemonic not in _COMPARING
            and any(_at(state, name) for name in read)
            and not _clears(ins, read)
        ):
            raise _LostError

    def _moved(self, ins: Instruction, into: int) -> Iterator[tuple[Holder, int]]:
        """Behind the variable's end nothing is known of: a loop that clears it ends there."""
        if 0 <= into < self._high - self._low:
            yield full_name(ins.op0_register), into

    def _place(self, ins: Instruction) -> Holder:
        """Where an address is stored: a register, or a slot that nobody else has the address of."""
        if ins.op0_kind == OpKind.REGISTER:
            return full_name(ins.op0_register)
        slots = self._flow.stored(ins.ip)
        if len(slots) != 1 or slots[0].size != _WORD or full_name(ins.memory_base) != SP:
            raise _LostError
        if any(low <= slots[0].offset < high for low, high in self._objects):
            raise _LostError
        return slots[0]

    def _loaded(self, ins: Instruction, state: _State) -> Iterator[Holder]:
        slot = FrameSlot(self._flow.offset(ins, ins.memory_displacement), _WORD)
        if MemorySizeExt.size(ins.memory_size) == _WORD:
            yield from (holder for holder, _ in state if holder == slot)


def _clears(ins: Instruction, read: list[str]) -> bool:
    """Whether it reads none of its registers: it only writes one."""
    same = ins.mnemonic == Mnemonic.XOR and len(read) == 2 and read[0] == read[1]
    written = len(read) == 1 and ins.op0_kind == OpKind.REGISTER and ins.mnemonic in MOVES
    return same or written


def _at(state: _State, holder: Holder) -> list[int]:
    return [into for each, into in state if each == holder]
