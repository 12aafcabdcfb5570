"""The registers of amd64: their names, what Go uses them for, and how the kernel lays them out.

Sources: struct user_regs_struct, Linux arch/x86/include/asm/user_64.h; the System V ABI for
AMD64, figure 3.36 (DWARF numbers); Go's src/cmd/compile/abi-internal.md (1.21 to 1.27).
"""

from __future__ import annotations

import struct

import msgspec

PC, SP, FP, FLAGS = "rip", "rsp", "rbp", "eflags"
SYSCALL = "orig_rax"
"""The system call that a thread is inside of: else NO_SYSCALL."""
GOROUTINE = "r14"
"""Holds g in all code that Go compiled, but around system calls and C."""
INTEGER_ARGUMENTS: tuple[str, ...] = ("rax", "rbx", "rcx", "rdi", "rsi", "r8", "r9", "r10", "r11")
FLOAT_ARGUMENTS = tuple(f"xmm{i}" for i in range(15))
"""In this order arguments and results of Go functions travel in registers."""
FIRST_ARGUMENT = INTEGER_ARGUMENTS[0]
CLOSURE = "rdx"
"""Holds the closure when its function is entered (abi-internal.md)."""
RESUMED_THROUGH = "rbx"
"""Where runtime.gogo has the pc at which it lets a goroutine go on (asm_amd64.s,
Go 1.21 to 1.27)."""
GENERAL = (
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *(f"r{i}" for i in range(8, 16)),
)  # fmt: skip
"""Registers that may hold an address."""
VECTORS = tuple(f"xmm{i}" for i in range(16))
THREAD: tuple[str, ...] = ("fs_base", "gs_base")
"""Where a thread's own storage hangs."""
WORD, VECTOR = 8, 16
"""Sizes in bytes."""
_DWARF = (
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "rip",
)  # fmt: skip


def signed(word: int) -> int:
    """A word that was read without a sign, as a number with one."""
    return (word + (1 << 63)) % (1 << 64) - (1 << 63)


def by_dwarf_number(number: int) -> str:
    """The register that debug information has under a number. Raises KeyError."""
    if number < len(_DWARF):
        return _DWARF[number]
    if number - len(_DWARF) < len(VECTORS):
        return VECTORS[number - len(_DWARF)]
    raise KeyError(number)


# Where each register lies in struct user_regs_struct, in words.
(R15, R14, R13, R12, RBP, RBX, R11, R10, R9, R8, RAX, RCX, RDX, RSI, RDI,
 ORIG_RAX, RIP, CS, EFLAGS, RSP) = range(20)  # fmt: skip
PC_WORD, SP_WORD, FP_WORD, GOROUTINE_WORD = RIP, RSP, RBP, R14
RESULT_WORDS = (RAX, RBX, RCX, RDI, RSI, R8, R9, R10, R11)

Words = memoryview
"""The registers of a thread that stands still: 27 words, indexed by the names above."""

_LAYOUT = struct.Struct("<27Q")
REGISTERS_SIZE = _LAYOUT.size
NO_SYSCALL = (1 << 64) - 1
"""orig_rax of a thread that is not inside a system call."""
RESULT = "rax"
"""Where a system call leaves its result."""
RESTARTS = range((1 << 64) - 516, (1 << 64) - 511)
"""Results of system calls that the kernel makes once more: ERESTARTSYS to ERESTART_RESTARTBLOCK,
Linux include/linux/errno.h."""


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
    def fp(self) -> int:
        return self.rbp

    @property
    def thread(self) -> int:
        """Where the thread's own storage hangs."""
        return self.fs_base

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

    @property
    def syscall_arguments(self) -> tuple[int, ...]:
        """What it was given, by the kernel's convention (arch/x86/entry/entry_64.S)."""
        return self.rdi, self.rsi, self.rdx, self.r10, self.r8, self.r9

    def value(self, name: str) -> int:
        return int(getattr(self, name))

    def at(self, pc: int, sp: int) -> Registers:
        """The same, standing elsewhere."""
        return msgspec.structs.replace(self, rip=pc, rsp=sp)


WORDS = {name: index for index, name in enumerate(Registers.__struct_fields__[: RSP + 1])}
"""The words by the registers' names."""
WORD_COUNT = len(Registers.__struct_fields__)
FIRST_WORD = WORDS[FIRST_ARGUMENT]
THREAD_WORD = Registers.__struct_fields__.index(THREAD[0])
