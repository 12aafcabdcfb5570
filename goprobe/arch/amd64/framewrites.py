"""Which instructions last wrote the words of a place in a function's frame, as seen from a pc.

A variable that lives in memory is written in the source's order; but once nothing reads it any
more the compiler gives its place to others (cmd/compile, liveness/mergelocals.go, since Go 1.23),
and what zeroes these is no assignment of the variable. Writes go to the stack pointer plus a
distance, or through an address that was taken just before: by stores, by string instructions, by
the runtime's duffzero and duffcopy. Where an address is passed to a call, or kept, nothing is said
of what is written through it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

import msgspec
from iced_x86 import FlowControl, Instruction, MemorySizeExt, Mnemonic

from goprobe.arch.amd64.codeflow import ENTRY, WRITES, CodeFlow, FrameSlot, full_name
from goprobe.arch.amd64.controlflow import CALLS
from goprobe.arch.amd64.operands import immediate
from goprobe.arch.amd64.registers import signed

_WORD = 8
_WORDS_LIMIT = 512
_STEPS_LIMIT = 200_000
_STRAIGHT_LIMIT = 200
_STRINGS = frozenset({Mnemonic.STOSQ, Mnemonic.STOSB, Mnemonic.MOVSQ, Mnemonic.MOVSB})

Fills = Callable[[int], tuple[int, int]]
"""Which bytes the code at a call's target writes: from where on, as a distance from RDI, and how
many. That of duffzero and duffcopy; none for others."""


class _Write(msgspec.Struct, frozen=True):
    """`exact`: all of the slot is written; else any part of it may be."""

    slot: FrameSlot
    exact: bool


class FrameWrites:
    """Of one function."""

    def __init__(self, flow: CodeFlow, fills: Fills) -> None:
        self._flow, self._fills = flow, fills
        self._known: dict[tuple[FrameSlot, int], frozenset[int] | None] = {}

    def last(self, slot: FrameSlot, pc: int) -> frozenset[int] | None:
        """The instructions that may have been the last to write some word of the slot when `pc`
        is about to run, or while the call runs that `pc` is within; ENTRY where none may have been;
        None where that cannot be followed."""
        key = slot, pc
        if key not in self._known:
            self._known[key] = self._find(slot, pc)
        return self._known[key]

    def _find(self, slot: FrameSlot, pc: int) -> frozenset[int] | None:
        flow = self._flow
        words = -(-slot.size // _WORD)
        if not 0 < words <= _WORDS_LIMIT:
            return None
        offsets: set[int] = set()
        asked = {pc: (1 << words) - 1}
        work = [(pc, asked[pc])]
        steps = 0
        while work:
            at, wanted = work.pop()
            if at == flow.low:
                offsets.add(ENTRY)
            before = flow.arriving(at)
            if not before and at != flow.low:
                return None  # over a jump table
            for previous in before:
                rest = wanted
                for write in self._writes.get(previous, ()):
                    touched, whole = _words_of(write, slot)
                    if touched & rest:
                        offsets.add(previous)
                    rest &= ~whole
                new = rest & ~asked.get(previous, 0)
                if new:
                    asked[previous] = asked.get(previous, 0) | new
                    work.append((previous, new))
            steps += 1
            if steps > _STEPS_LIMIT:
                return None
        return frozenset(offsets)

    def calls_since(
        self, slot: FrameSlot, pc: int, counts: Callable[[int], bool]
    ) -> frozenset[int] | None:
        """Of the ways to `pc` that do not write a word of the frame: where the last call of each
        returns to, ENTRY of one without a call. `counts(target)` tells which calls do; None where
        the ways cannot be followed."""
        flow = self._flow
        returns: set[int] = set()
        work, seen = [pc], {pc}
        while work:
            at = work.pop()
            if at == flow.low:
                returns.add(ENTRY)
            before = flow.arriving(at)
            if not before and at != flow.low:
                return None  # over a jump table, or by the runtime
            for previous in before:
                if any(_words_of(w, slot)[1] for w in self._writes.get(previous, ())):
                    continue
                ins = flow.instructions[previous]
                direct = ins.flow_control == FlowControl.CALL
                if ins.flow_control in CALLS and not (
                    direct and not counts(ins.near_branch_target)
                ):
                    returns.add(ins.next_ip)
                elif previous not in seen:
                    seen.add(previous)
                    work.append(previous)
        return frozenset(returns)

    def touching(self, slot: FrameSlot) -> Iterator[int]:
        """The instructions that write any of it, or take an address in it."""
        end = slot.offset + slot.size
        for ins in self._flow.instructions.values():
            at = self._flow.taken(ins)
            if at is not None:
                if slot.offset <= at < end:
                    yield ins.ip
            elif any(
                s.offset < end and slot.offset < s.offset + s.size for s in self._flow.stores(ins)
            ):
                yield ins.ip

    @cached_property
    def addressed(self) -> frozenset[int]:
        """The offsets in the frame whose address some instruction takes."""
        taken = (self._flow.taken(ins) for ins in self._flow.instructions.values())
        return frozenset(at for at in taken if at is not None)

    @cached_property
    def _writes(self) -> dict[int, tuple[_Write, ...]]:
        by_offset: dict[int, list[_Write]] = {}
        for ins in self._flow.instructions.values():
            for slot in self._flow.stores(ins):
                by_offset.setdefault(ins.ip, []).append(_Write(slot, exact=True))
            at = self._flow.taken(ins)
            if at is not None:
                for pc, write in self._through(ins, at):
                    by_offset.setdefault(pc, []).append(write)
        return {pc: tuple(writes) for pc, writes in by_offset.items()}

    def _through(self, taking: Instruction, at: int) -> Iterator[tuple[int, _Write]]:
        """What is written through an address on the straight way on from where it is taken."""
        register = full_name(taking.op0_register)
        pc, moved = taking.next_ip, 0
        first = -1  # the first write through it, which a loop may repeat
        for _ in range(_STRAIGHT_LIMIT):
            ins = self._flow.instructions.get(pc)
            if ins is None:
                return
            if ins.flow_control in CALLS or ins.mnemonic in _STRINGS:
                low, size = self._filled(ins, at + moved) if register == "rdi" else (0, 0)
                if size:
                    yield pc, _Write(FrameSlot(at + moved + low, size), exact=True)
                return
            for low, size, exact in self._based(ins, register):
                first = pc if first < 0 else first
                yield pc, _Write(FrameSlot(at + moved + low, size), exact)
            if self._flow.changes(ins, register):
                step = _step(ins, register)
                if step is None:
                    return
                moved += step
            if ins.flow_control == FlowControl.CONDITIONAL_BRANCH:
                if first >= 0 and taking.ip < ins.near_branch_target <= first:
                    yield first, _Write(FrameSlot(at, self._room(at)), exact=True)
            elif ins.flow_control != FlowControl.NEXT:
                return
            pc = ins.next_ip

    def _based(self, ins: Instruction, register: str) -> Iterator[tuple[int, int, bool]]:
        """(offset, size, whether that is exact) of the writes relative to a register."""
        for used in self._flow.info.info(ins).used_memory():
            if used.access in WRITES and register and full_name(used.base) == register:
                size = int(MemorySizeExt.size(used.memory_size))
                yield signed(used.displacement), size, not used.index

    def _filled(self, ins: Instruction, at: int) -> tuple[int, int]:
        """The bytes that a call, or a string instruction, writes: from where on, as a distance
        from RDI, and how many."""
        if ins.flow_control in CALLS:
            direct = ins.flow_control == FlowControl.CALL
            return self._fills(ins.near_branch_target) if direct else (0, 0)
        return 0, self._room(at)

    def _room(self, at: int) -> int:
        """The bytes up to the next place whose address is taken: what a loop fills ends there."""
        return next((other for other in sorted(self.addressed) if other > at), 0) - at


def _step(ins: Instruction, register: str) -> int | None:
    """By how much an instruction moves an address on; None where it makes another of it."""
    if ins.mnemonic == Mnemonic.ADD and (added := immediate(ins)) is not None:
        return signed(added)
    if ins.mnemonic == Mnemonic.LEA and full_name(ins.memory_base) == register:
        return None if ins.memory_index else signed(ins.memory_displacement)
    return None


def _words_of(write: _Write, slot: FrameSlot) -> tuple[int, int]:
    """The words of a slot (bits) that a write may touch, and those that it writes as a whole."""
    low = max(write.slot.offset, slot.offset) - slot.offset
    high = min(write.slot.offset + write.slot.size, slot.offset + slot.size) - slot.offset
    if low >= high:
        return 0, 0
    touched = _bits(low // _WORD, -(-high // _WORD))
    if not write.exact:
        return touched, 0
    last = high == slot.size  # the slot's last word may be a part of one
    return touched, _bits(-(-low // _WORD), -(-high // _WORD) if last else high // _WORD)


def _bits(first: int, end: int) -> int:
    return ((1 << end) - 1) & ~((1 << first) - 1) if end > first else 0
