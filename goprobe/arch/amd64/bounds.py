"""How large an index can be at most, by what a function compares it with.

Code that stores to an array by an index compares that with the array's length, if the compiler does
not know that it is less by another comparison (cmd/compile, ssagen/ssa.go, boundsCheck;
ssa/prove.go, Go 1.21 to 1.27).
"""

from __future__ import annotations

from functools import cached_property

from iced_x86 import Instruction, Mnemonic, OpKind, RegisterExt

from goprobe.arch.amd64.codeflow import ENTRY, CodeFlow, full_name
from goprobe.arch.amd64.operands import immediate
from goprobe.arch.amd64.reaching import LOST, Definitions, Holder

_WORD = 8
_MOST = 1 << 16  # elements
_ORDERED = frozenset(
    getattr(Mnemonic, name) for name in ("JAE", "JB", "JA", "JBE", "JL", "JGE", "JG", "JLE")
)


_GIVEN = (ENTRY, LOST)
_Maker = tuple[int, Holder]
"""The pc of an instruction; of what the function was given where that was."""


class Bounds:
    """Of one function."""

    def __init__(self, flow: CodeFlow) -> None:
        self._flow = flow
        self._definitions = Definitions(flow)

    def least(self, register: str, pc: int) -> int:
        """The least constant that what a register holds at a pc is compared with, by which is less
        or more; 0 where it is with none. What makes it is the same, or is all that makes what is
        compared: in loops that is the next index."""
        made = self._made(register, pc)
        bounds = [bound for of, bound in self._compared if of <= made] if made else []
        return min(bounds, default=0)

    @cached_property
    def _compared(self) -> list[tuple[frozenset[_Maker], int]]:
        """What makes the values that are compared with constants, with those."""
        compared = []
        for ins in self._flow.instructions.values():
            bound = self._bound(ins)
            made = self._made(full_name(ins.op0_register), ins.ip) if bound else None
            if made:
                compared.append((made, bound))
        return compared

    def _bound(self, ins: Instruction) -> int:
        if ins.mnemonic != Mnemonic.CMP or ins.op0_kind != OpKind.REGISTER:
            return 0
        after = self._flow.instructions.get(ins.next_ip)
        if after is None or after.mnemonic not in _ORDERED:
            return 0
        number = immediate(ins) if RegisterExt.size(ins.op0_register) == _WORD else None
        return number if number is not None and 0 < number <= _MOST else 0

    def _made(self, register: str, pc: int) -> frozenset[_Maker]:
        """What made what a register holds; nothing where that is not known."""
        definitions = self._definitions.of(register, pc)
        return frozenset(
            (each.pc, each.holder if each.pc in _GIVEN else "") for each in definitions or ()
        )
