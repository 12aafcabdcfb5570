"""Where stretches of a function's code show that they run, and how surely that shows more.

A stretch is code of one place in the source. Where it acts (`moves`), that it does so is a part of
what the source does there; where it only makes or moves values that may be for another time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterator
from enum import IntEnum
from functools import cached_property

from iced_x86 import Decoder, FlowControl, Instruction, Mnemonic

from goprobe.arch.amd64.controlflow import BRANCHES, CODE_LIMIT, ENDS
from goprobe.arch.amd64.covering import Covering
from goprobe.arch.amd64.moves import Moves

_NO_FURTHER = ENDS | {FlowControl.UNCONDITIONAL_BRANCH}
_COMPARING = frozenset({Mnemonic.CMP, Mnemonic.TEST, Mnemonic.BT})


class Weight(IntEnum):
    """What a stretch of code does at most."""

    MOVES = 0
    RECKONS = 1
    ACTS = 2


class CodeStarts:
    """Of one function, whose code starts at `low`. `saved` is as in Moves."""

    def __init__(self, code: bytes, low: int) -> None:
        self._all = list(Decoder(64, code[:CODE_LIMIT], ip=low))
        self._addresses = [ins.ip for ins in self._all]
        self._instructions = dict(zip(self._addresses, self._all, strict=True))
        self._whole = len(code) <= CODE_LIMIT
        self._moves = Moves(self._all)
        self.saved = self._moves.saved
        self._targets = set[int]()
        self._calls = list[Instruction]()
        for ins in self._all:
            flow = ins.flow_control
            if flow in BRANCHES:
                self._targets.add(ins.near_branch_target)
            elif flow == FlowControl.CALL:
                self._calls.append(ins)

    def of(self, low: int, high: int) -> tuple[Weight, list[int]]:
        """Where control may come into [low, high) and then does what the code there does most:
        acts, if anything there does."""
        first, end = bisect_left(self._addresses, low), bisect_left(self._addresses, high)
        inside = self._all[first:end]
        if acting := list(self._acting(inside)):
            return Weight.ACTS, acting
        reckons = [ins.ip for ins in inside if not self._moves.moves(ins)]
        return (Weight.RECKONS, reckons[:1]) if reckons else (Weight.MOVES, [low])

    @cached_property
    def covering(self) -> Covering:
        """What of its code can be noted or counted elsewhere."""
        return Covering(self._instructions, self._targets, whole=self._whole)

    def returns(self, callees: Container[int]) -> Iterator[int]:
        """Where calls of some functions return to."""
        return (ins.next_ip for ins in self._calls if ins.near_branch_target in callees)

    def writes(self, pc: int) -> bool:
        """Whether the instruction there writes to memory: such have an order among themselves."""
        return pc in self._instructions and self._moves.writes(self._instructions[pc])

    def _decides(self, ins: Instruction) -> bool:
        """Whether a branch does what the instruction says: where blocks were merged it may bear the
        line of what stood between (an `if` below another one that became a conditional move)."""
        if ins.mnemonic not in _COMPARING:
            return False
        after = self._instructions.get(ins.next_ip)
        return after is not None and after.flow_control == FlowControl.CONDITIONAL_BRANCH

    def _acting(self, inside: list[Instruction]) -> list[int]:
        starts = list[int]()
        entered: int | None = None
        arrives = False  # whether control comes here from the instruction before
        for ins in inside:
            if ins.ip in self._targets or not arrives:
                entered = ins.ip
            if entered is not None and (self._moves.acts(ins) or self._decides(ins)):
                starts.append(entered)
                entered = None
            arrives = ins.flow_control not in _NO_FURTHER
            if not arrives:
                entered = None
        return starts
