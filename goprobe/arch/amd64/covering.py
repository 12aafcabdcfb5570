"""Which instructions of a function can be noted, several as one, by code elsewhere that does them
in their place (`once.py`): what has to be seen of the whole function for that. x86-64 only;
iced-x86 decodes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from iced_x86 import (
    FlowControl,
    Instruction,
    InstructionInfoFactory,
    OpAccess,
    Register,
    RegisterExt,
)

from goprobe.arch.amd64.callstub import JUMP_SIZE, PLAIN, harmless
from goprobe.arch.amd64.elsewhere import MOST_PUT_BY
from goprobe.arch.amd64.registers import GENERAL, WORDS

_INFO = InstructionInfoFactory()
_MEMORY, _FLAGS = -1, -2
"""Besides the numbers of registers: what instructions read and write."""
_READS = frozenset({OpAccess.READ, OpAccess.READ_WRITE, OpAccess.COND_READ,
                    OpAccess.READ_COND_WRITE, OpAccess.COND_WRITE})  # fmt: skip
_WRITES = frozenset({OpAccess.WRITE, OpAccess.READ_WRITE, OpAccess.COND_WRITE,
                     OpAccess.READ_COND_WRITE})  # fmt: skip
_WORDS = {int(getattr(Register, name.upper())): WORDS[name] for name in GENERAL if name != "rsp"}


class Covering:
    """Of one function: its instructions by address, and where its branches lead. `whole`: these are
    all of them."""

    def __init__(
        self, instructions: Mapping[int, Instruction], targets: Collection[int], *, whole: bool
    ) -> None:
        self._instructions, self._targets = instructions, targets
        # A switch by a table leads to places that no instruction names.
        self._all_known = whole and all(
            ins.flow_control != FlowControl.INDIRECT_BRANCH for ins in instructions.values()
        )

    def room(self, pc: int) -> int:
        """How many bytes from an instruction on, too short for a jump, can be run elsewhere as
        one: straight on, come to only at their beginning, and the same when they are begun again
        after a part of them, with a few registers as they were. Only the first may fault. 0 where
        they cannot."""
        first = self._instructions.get(pc)
        if first is None or first.len >= JUMP_SIZE or not self._all_known:
            return 0
        if first.mnemonic not in PLAIN or first.flow_control != FlowControl.NEXT:
            return 0
        several: list[Instruction] = []
        for ins in self._following(pc):
            branch = ins.is_jcc_short_or_near
            if ins is not first and not branch and not harmless(ins):
                return 0
            several.append(ins)
            size = int(ins.next_ip - pc)
            if size >= JUMP_SIZE:
                return size if put_by(several) is not None else 0
            if branch:
                return 0
        return 0

    def _following(self, pc: int) -> Iterator[Instruction]:
        at = pc
        while at in self._instructions and (at == pc or at not in self._targets):
            yield self._instructions[at]
            at = self._instructions[at].next_ip


def put_by(instructions: Sequence[Instruction]) -> tuple[int, ...] | None:
    """Which words of a thread's have to be as they were for instructions to be begun again after a
    part of them; None where that is not enough."""
    needed, written, changed = set[int](), set[int](), set[int]()
    for ins in instructions:
        reads, writes = _uses(ins)
        needed |= reads - written
        written |= writes
        changed |= needed & written
    if not changed <= _WORDS.keys() or len(changed) > MOST_PUT_BY:
        return None
    # What is put by is found again by the stack pointer.
    if changed and int(Register.RSP) in written:
        return None
    return tuple(sorted(_WORDS[register] for register in changed))


def _uses(ins: Instruction) -> tuple[set[int], set[int]]:
    info = _INFO.info(ins)
    reads, writes = set[int](), set[int]()
    for used in info.used_registers():
        whole = int(RegisterExt.full_register(used.register))
        if used.access in _READS:
            reads.add(whole)
        if used.access in _WRITES:
            writes.add(whole)
            if RegisterExt.size(used.register) < 4:  # the rest stays as it was
                reads.add(whole)
    for place in info.used_memory():
        if place.access in _READS:
            reads.add(_MEMORY)
        if place.access in _WRITES:
            writes.add(_MEMORY)
    if ins.rflags_read:
        reads.add(_FLAGS)
    if ins.rflags_modified:
        writes.add(_FLAGS)
    return reads, writes
