"""Which variables of a frame a function has surely written by the time it reaches a pc.

An unoptimised Go function keeps every variable in the frame from its entry on, but the slot holds
garbage until its declaration has run; the debug information does not say when that is. The code
does: a declaration dominates every place where its variable is in scope, so a slot is assigned at
a pc exactly if every path from the entry to it writes the slot. That is a forward data-flow
analysis over the machine code, on sets of frame bytes (bits of one integer). Writes that belong
to lines before the declaration do not count: a prologue zeroes slots for the collector's sake.
On the line of the declaration itself a slot may be zeroed before its value is reckoned.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import msgspec
from iced_x86 import (
    Decoder,
    Instruction,
    InstructionInfoFactory,
    MemorySizeExt,
    Mnemonic,
    OpKind,
    Register,
)

from goprobe.arch.amd64.codeflow import WRITES, is_zero
from goprobe.arch.amd64.controlflow import (
    BRANCHES,
    CODE_LIMIT,
    Defers,
    Recovery,
    Returns,
    successors,
)
from goprobe.arch.amd64.registers import signed

_STRING_STORES = frozenset({Mnemonic.STOSQ, Mnemonic.STOSB, Mnemonic.MOVSQ, Mnemonic.MOVSB})


class VariableSlot(msgspec.Struct, frozen=True):
    """A variable's place in the frame: CFA-relative [start, start + size), declared at `line`."""

    start: int
    size: int
    line: int

    @property
    def end(self) -> int:
        return self.start + self.size


class _Block(msgspec.Struct):
    start: int
    end: int
    successors: list[int]
    writes: list[tuple[int, int]]  # (pc, mask of frame bytes)
    may_panic: int = 0  # the first instruction that may, while calls are deferred


class AssignedSlots:
    """The analysis of one function, whose code starts at `address`.

    `depth(pc)` is the distance in bytes from the stack pointer up to the CFA at a pc; `line(pc)`
    the source line of an instruction. `values`: what only makes room for a value does not count,
    a zero or that the slot's address is taken.
    """

    def __init__(
        self,
        code: bytes,
        address: int,
        slots: Sequence[VariableSlot],
        depth: Callable[[int], int],
        line: Callable[[int], int],
        returns: Returns,
        defers: Defers,
        *,
        values: bool = False,
    ) -> None:
        self._returns, self._defers = returns, defers
        self._values = values
        self._code = code[:CODE_LIMIT]
        self._address = address
        self._slots = sorted(slots, key=lambda s: s.start)
        self._starts = [s.start for s in self._slots]
        self._low = self._starts[0] if slots else 0
        self._depth = depth
        self._line = line
        self._info = InstructionInfoFactory()

    def covers(self, pc: int, start: int, size: int) -> bool:
        """Whether frame bytes [start, start + size) are written whenever control reaches `pc`."""
        need = self._mask(start, size)
        return self._at(pc) & need == need

    def reaches(self, pc: int) -> bool:
        """Whether control comes to the code there at all."""
        at = bisect_right(self._block_starts, pc)
        return bool(at) and self._block_starts[at - 1] in self._entry_sets

    def writes(self, start: int, size: int) -> bool:
        """Whether the function writes any of these frame bytes anywhere."""
        mask = self._mask(start, size)
        return any(m & mask for b in self._blocks.values() for _, m in b.writes)

    def _mask(self, start: int, size: int) -> int:
        return ((1 << size) - 1) << (start - self._low) if start >= self._low and size > 0 else 0

    def _at(self, pc: int) -> int:
        starts = self._block_starts
        at = bisect_right(starts, pc)
        block = self._blocks[starts[at - 1]] if at else None
        if block is None or pc >= block.end or block.start not in self._entry_sets:
            return 0
        bits = self._entry_sets[block.start]
        for where, mask in block.writes:
            if where >= pc:
                break
            bits |= mask
        return bits

    @cached_property
    def _block_starts(self) -> list[int]:
        return sorted(self._blocks)

    @cached_property
    def _entry_sets(self) -> dict[int, int]:
        """What is written on every path to each block that can be reached."""
        sets = {self._address: 0}
        work = [self._address]
        while work:
            block = self._blocks.get(work.pop())
            if block is None:
                continue
            for target, out in self._ways(block, sets[block.start]):
                old = sets.get(target)
                new = out if old is None else old & out
                if new != old:
                    sets[target] = new
                    work.append(target)
        return sets

    def _ways(self, block: _Block, bits: int) -> Iterator[tuple[int, int]]:
        """Where control goes on from a block that begins with these bytes written, and what is
        written then."""
        out = bits
        for pc, mask in block.writes:
            if block.may_panic and pc >= block.may_panic:
                break
            out |= mask
        if block.may_panic:
            for target in self._recovery.targets:
                yield target, out
        for _, mask in block.writes:
            out |= mask
        for target in block.successors:
            yield target, out

    @cached_property
    def _recovery(self) -> Recovery:
        return self._defers.recovery(self._instructions, self._returns)

    @cached_property
    def _instructions(self) -> dict[int, Instruction]:
        return {ins.ip: ins for ins in Decoder(64, self._code, ip=self._address)}

    @cached_property
    def _blocks(self) -> dict[int, _Block]:
        instructions = self._instructions.values()
        may_panic = frozenset(self._recovery.sources)
        leaders = {self._address, *self._recovery.targets}
        for ins in instructions:
            if ins.flow_control in BRANCHES:
                leaders.update((ins.near_branch_target, ins.next_ip))
        blocks: dict[int, _Block] = {}
        block: _Block | None = None
        for ins in instructions:
            if block is None or ins.ip in leaders:
                if block is not None:
                    block.successors.append(ins.ip)
                block = blocks[ins.ip] = _Block(ins.ip, ins.ip, [], [])
            block.end = ins.next_ip
            if ins.ip in may_panic and not block.may_panic:
                block.may_panic = ins.ip
            block.writes.extend((ins.ip, mask) for mask in self._masks(ins))
            following = successors(ins, self._returns)
            if following != (ins.next_ip,) or ins.flow_control in BRANCHES:
                block.successors.extend(following)
                block = None
        return blocks

    # What an instruction writes

    def _masks(self, ins: Instruction) -> Iterator[int]:
        if self._values and (ins.mnemonic == Mnemonic.LEA or is_zero(ins)):
            return
        if ins.mnemonic == Mnemonic.LEA:
            # Whoever takes a slot's address fills the whole variable through it.
            at = self._frame_offset(ins, ins.memory_base, ins.memory_displacement)
            if at is not None and not ins.memory_index:
                yield self._from(ins, at, 1 << 62)
        elif ins.mnemonic != Mnemonic.CALL and ins.mnemonic not in _STRING_STORES:
            if ins.op_count and ins.op0_kind != OpKind.MEMORY:
                return
            for used in self._info.info(ins).used_memory():
                if used.access in WRITES and not used.index:
                    at = self._frame_offset(ins, used.base, used.displacement)
                    if at is not None:
                        yield self._from(ins, at, int(MemorySizeExt.size(used.memory_size)))

    def _frame_offset(self, ins: Instruction, base: int, displacement: int) -> int | None:
        if base != Register.RSP:
            return None
        at = signed(displacement)
        # Below the stack pointer lies no variable: the stack check of a big frame reckons there.
        return at - self._depth(ins.ip) if at >= 0 else None

    def _from(self, ins: Instruction, at: int, size: int) -> int:
        mask = 0
        line = self._line(ins.ip)
        index = max(0, bisect_right(self._starts, at) - 1)
        for slot in self._slots[index:]:
            if slot.start >= at + size or (size > 1 << 32 and slot.start > at):
                break
            if slot.end > at and line >= slot.line:
                low, high = max(slot.start, at), min(slot.end, at + size)
                mask |= self._mask(low, high - low)
        return mask
