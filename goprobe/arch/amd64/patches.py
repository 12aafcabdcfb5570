"""What is written into a program's code: breakpoints, and other callees for its calls."""

from __future__ import annotations

import struct

BREAKPOINT = 0xCC  # int3
BREAKPOINT_SIZE = 1
"""A thread that it stops stands so many bytes behind it."""
NO_OPERATION = b"\x90"  # nop
PADDING = b"\xcc"
"""What the linker fills the room behind functions with (cmd/link, CodeFill, Go 1.21 to 1.27)."""
CALL_SIZE = 5
NEVER_REACHED = (b"\xcc", b"\x0f\x0b")
"""What the compiler writes behind a call that does not return: int3, ud2."""
STORE_BYTE = 0x0888  # mov byte [rax], cl: as a little-endian half word
STORE_REGISTER = "rax"

_CALL = 0xE8  # call rel32, Intel SDM volume 2
_DISTANCE = struct.Struct("<i")


def callee(code: bytes | bytearray, at: int, pc: int) -> int | None:
    """Whom the instruction at `code[at:]`, which lies at address `pc`, calls directly; None where
    it is no such call."""
    if code[at] != _CALL:
        return None
    return int(pc + CALL_SIZE + _DISTANCE.unpack_from(code, at + 1)[0])


def set_callee(code: bytearray, at: int, pc: int, target: int) -> None:
    """Let that call go to `target`, which must be within 2 GiB."""
    _DISTANCE.pack_into(code, at + 1, target - (pc + CALL_SIZE))


def imm32(value: int) -> str:
    """A number as an instruction has it, in hexadecimal."""
    return value.to_bytes(4, "little").hex()
