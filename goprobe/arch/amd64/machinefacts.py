"""What machine code says, as plain data. x86-64 only."""

from __future__ import annotations

import msgspec

_CALL, _CALL_SIZE = 0xE8, 5  # call rel32, Intel SDM volume 2


class DirectCall(msgspec.Struct, frozen=True):
    """A CALL (or JMP) with a fixed target, at link-time addresses."""

    pc: int
    target: int
    jump: bool = False


class Constant(msgspec.Struct, frozen=True, tag=True):
    """A number or a link-time address (`address`: it was taken relative to the code)."""

    value: int
    address: bool = False


class StackAddress(msgspec.Struct, frozen=True, tag=True):
    """The address `offset` above the stack pointer at that point."""

    offset: int


Known = dict[str, Constant | StackAddress]
"""What is known of registers; those that are missing may hold anything."""


class Reference(msgspec.Struct, frozen=True):
    """An instruction that takes an address: of static data, or of its own frame.

    Once the instruction has run (at `after`), `register` holds it; "" where the instruction only
    reads or writes there.
    """

    pc: int
    after: int
    register: str
    what: Constant | StackAddress


def is_call(code: bytes, at: int, target: int) -> bool:
    """Whether a CALL of `target` stands in code at `at`, both counted from where that begins."""
    end = at + _CALL_SIZE
    distance = int.from_bytes(code[at + 1 : end], "little", signed=True)
    return 0 <= at <= len(code) - _CALL_SIZE and code[at] == _CALL and end + distance == target
