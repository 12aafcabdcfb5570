"""What is done in place of instructions that a breakpoint or a jump covers: plain data, which can
be kept, and what it makes of a thread's registers. x86-64 only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from goprobe.arch.amd64.registers import PC_WORD, SP_WORD, WORD, Words

MAX_INSTRUCTION = 15  # bytes; Intel SDM volume 2, 2.3.11
_ALL = 1 << 64  # addresses wrap there


class NotDisplaceableError(Exception):
    """The instruction cannot be run elsewhere (a loop instruction, an interrupt, no code)."""


class CodeCopy(msgspec.Struct, frozen=True, tag=True):
    """To be run at `slot`: `code`, whose first `length` bytes are the instruction, or several that
    can be begun again after a part of them. After it comes a jump back to `next`. What comes before
    it in the cave (`arch/amd64/once.py`) can be run again."""

    address: int
    slot: int
    code: bytes
    length: int
    next: int

    def original(self, pc: int) -> int:
        """Where in the program a thread stands that stands at `pc` in the slot."""
        return self.address if pc < self.slot + self.length else self.next

    def leave(self, words: Words) -> None:
        """Put a thread that is in the slot to where it would be in the program."""
        words[PC_WORD] = self.original(words[PC_WORD])


class FrameCount(CodeCopy, frozen=True, tag=True):
    """An instruction that makes its `register` (a word of the thread's) RSP plus `distance`, behind
    code that counts (`framecount.py`). In the ranges `uncounted` nothing is counted yet."""

    register: int
    distance: int
    uncounted: tuple[tuple[int, int], ...]

    def leave(self, words: Words) -> None:
        pc = words[PC_WORD]
        if any(low <= pc < high for low, high in self.uncounted):
            words[PC_WORD] = self.address
            return
        if pc < self.slot + self.length:
            words[self.register] = (words[SP_WORD] + self.distance) % _ALL
        words[PC_WORD] = self.next


class Jump(msgspec.Struct, frozen=True, tag=True):
    """To be done by hand: go to `target`."""

    target: int


class CallByHand(msgspec.Struct, frozen=True, tag=True):
    """To be done by hand: push `back`, go to `callee`, or to where the word `register` of a thread
    says, or (both -1) to where a pointer says that lies `distance` from what `base` holds, and
    `index` so many times (-1: none)."""

    back: int
    callee: int = -1
    register: int = -1
    base: int = -1
    index: int = -1
    times: int = 1
    distance: int = 0

    def made(self, words: Words, word_at: Callable[[int], int]) -> tuple[int, int]:
        """Make the registers those of a thread that has made the call; returns the word to be put
        into memory for it: address and value."""
        target = self.target(words)
        words[PC_WORD] = word_at(self.operand(words)) if target is None else target
        words[SP_WORD] -= WORD
        return words[SP_WORD], self.back

    def target(self, words: Sequence[int]) -> int | None:
        """The callee where it is known without memory, else None: read it at `operand`."""
        if self.callee >= 0:
            return self.callee
        return words[self.register] if self.register >= 0 else None

    def operand(self, words: Sequence[int]) -> int:
        """The address of the pointer that is called."""
        base = words[self.base] if self.base >= 0 else 0
        index = words[self.index] if self.index >= 0 else 0
        return (base + index * self.times + self.distance) % _ALL


Displaced = CodeCopy | FrameCount | Jump | CallByHand
