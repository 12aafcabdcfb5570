"""A thread of a real program, kept at an instruction: what is there jumps to itself meanwhile.

So a program stands between two steps of its runtime's for as long as a test wants, and is attached
to, stopped, forked as any other.
"""

from __future__ import annotations

import os
from itertools import pairwise
from types import TracebackType

from iced_x86 import Decoder, FlowControl, Instruction, InstructionInfoFactory, OpAccess

_JUMP = b"\xeb\xfe"  # jmp to itself


class Halting:
    """At most one place at a time. At the end the program runs on."""

    def __init__(self, pid: int) -> None:
        self._memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)
        self._at = 0
        self._was = b""

    def __enter__(self) -> Halting:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.let_go()
        os.close(self._memory)

    def at(self, pc: int) -> None:
        """Whoever waits at the place before runs on to this one."""
        was = os.pread(self._memory, len(_JUMP), pc)
        os.pwrite(self._memory, _JUMP, pc)
        self.let_go()
        self._at, self._was = pc, was

    def let_go(self) -> None:
        if self._at:
            os.pwrite(self._memory, self._was, self._at)
        self._at = 0

    def code(self, low: int, high: int) -> list[Instruction]:
        """Of a function that nobody waits in."""
        return list(Decoder(64, os.pread(self._memory, high - low, low), ip=low))

    def word(self, address: int) -> int:
        return int.from_bytes(os.pread(self._memory, 8, address), "little")


def behind_writes(code: list[Instruction]) -> list[int]:
    """Where instructions follow that have changed memory, from the last call before a function's
    first return on. (A jump to itself takes two bytes.)"""
    kinds = [ins.flow_control for ins in code]
    end = kinds.index(FlowControl.RETURN)
    calls = [at for at, kind in enumerate(kinds[:end]) if kind == FlowControl.CALL]
    code = code[calls[-1] if calls else 0 : end]
    looked = InstructionInfoFactory()
    writing = (OpAccess.WRITE, OpAccess.READ_WRITE)
    return [
        after.ip
        for before, after in pairwise(code)
        if after.len > 1
        and any(used.access in writing for used in looked.info(before).used_memory())
    ]
