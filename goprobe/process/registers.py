"""The general registers of a thread, as ptrace and core files both lay them out.

Source: struct user_regs_struct, Linux arch/x86/include/asm/user_64.h.
"""

from __future__ import annotations

import struct

import msgspec

_LAYOUT = struct.Struct("<27Q")
REGISTERS_SIZE = _LAYOUT.size
NO_SYSCALL = (1 << 64) - 1
"""orig_rax of a thread that is not inside a system call."""


class Registers(msgspec.Struct, frozen=True):
    """Every register unsigned, in the kernel's order. `fs_base` is where thread locals hang."""

    r15: int
    r14: int
    r13: int
    r12: int
    rbp: int
    rbx: int
    r11: int
    r10: int
    r9: int
    r8: int
    rax: int
    rcx: int
    rdx: int
    rsi: int
    rdi: int
    orig_rax: int
    rip: int
    cs: int
    eflags: int
    rsp: int
    ss: int
    fs_base: int
    gs_base: int
    ds: int
    es: int
    fs: int
    gs: int

    @classmethod
    def from_bytes(cls, raw: bytes | bytearray | memoryview, at: int = 0) -> Registers:
        """Raises struct.error where fewer than REGISTERS_SIZE bytes are left."""
        return cls(*_LAYOUT.unpack_from(raw, at))

    def to_bytes(self) -> bytes:
        return _LAYOUT.pack(*msgspec.structs.astuple(self))

    @property
    def pc(self) -> int:
        return self.rip

    @property
    def sp(self) -> int:
        return self.rsp

    @property
    def syscall(self) -> int | None:
        """The number of the system call that the thread is in."""
        return None if self.orig_rax == NO_SYSCALL else self.orig_rax
