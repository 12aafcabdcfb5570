"""What is done in place of instructions that a breakpoint or a jump covers: plain data, which can
be kept, and what it makes of a thread's registers. x86-64 only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from goprobe.arch.amd64.registers import (
    EFLAGS,
    GOROUTINE_WORD,
    PC_WORD,
    RAX,
    SP_WORD,
    WORD,
    Words,
)

MAX_INSTRUCTION = 15  # bytes; Intel SDM volume 2, 2.3.11
_ALL = 1 << 64  # addresses wrap there
RAX_BY, FLAGS_BY = 16, 24
"""How far below the stack pointer code that counts puts them by."""
MOST_PUT_BY = 4
_LAHF, _OVERFLOW = 0xD5, 11  # SF ZF AF PF CF; the bit of OF: EFLAGS, Intel SDM volume 1, 3.4.3
_ARITHMETIC = _LAHF | 1 << _OVERFLOW

WordAt = Callable[[int], int]


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

    def leave(self, words: Words, word_at: WordAt) -> None:
        """Put a thread that is in the slot to where it would be in the program."""
        words[PC_WORD] = self.original(words[PC_WORD])


class SeveralCopy(CodeCopy, frozen=True, tag=True, kw_only=True):
    """Several instructions behind others that put registers by which they need and change (words of
    the thread's): from `begun` on these are there, so that they can be begun again."""

    begun: int
    put_by: tuple[int, ...]

    def leave(self, words: Words, word_at: WordAt) -> None:
        pc = words[PC_WORD]
        if self.begun <= pc < self.slot + self.length:
            for number, word in enumerate(self.put_by):
                words[word] = word_at(words[SP_WORD] - put_by_at(number))
        words[PC_WORD] = self.original(pc)


class FrameCount(CodeCopy, frozen=True, tag=True, kw_only=True):
    """An instruction behind code that counts (`framecount.py`): what lies `offset` above the stack
    pointer. From `rax_by` up to the instruction RAX is put by, from `flags_by` on the flags are. In
    the ranges `counted` it is counted, where more are wanted, but has not run."""

    offset: int
    rax_by: int
    flags_by: int
    counted: tuple[tuple[int, int], ...]

    def leave(self, words: Words, word_at: WordAt) -> None:
        pc, sp = words[PC_WORD], words[SP_WORD]
        if self.flags_by <= pc < self.slot:
            words[EFLAGS] = words[EFLAGS] & ~_ARITHMETIC | _flags(word_at(sp - FLAGS_BY))
        if self.rax_by <= pc < self.slot:
            words[RAX] = word_at(sp - RAX_BY)
        words[PC_WORD] = self.original(pc)

    def has_counted(self, pc: int) -> bool:
        return any(low <= pc < high for low, high in self.counted)

    def is_inside(self, words: Words, word_at: WordAt) -> bool:
        """Which of the two it has counted: whether the frame lies in the goroutine's own stack."""
        g, at = words[GOROUTINE_WORD], (words[SP_WORD] + self.offset) % _ALL
        return word_at(g) <= at < word_at(g + WORD)


def put_by_at(number: int) -> int:
    """How far below the stack pointer."""
    return 16 + WORD * number


def _flags(put_by: int) -> int:
    """The flags as LAHF and SETO AL have them in RAX (Intel SDM volume 2)."""
    return put_by >> 8 & _LAHF | (put_by & 1) << _OVERFLOW


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

    def made(self, words: Words, word_at: WordAt) -> tuple[int, int]:
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


Copied = CodeCopy | SeveralCopy | FrameCount
Displaced = Copied | Jump | CallByHand
