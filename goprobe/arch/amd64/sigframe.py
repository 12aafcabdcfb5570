"""Chains of system calls that a thread makes by itself and then goes on as if nothing had been.

The thread is pointed once at `rt_sigreturn`, which loads every register from a context in memory:
the first context makes a system call, whose `ret` leads to the next `rt_sigreturn`, and so on;
the last context holds what the thread had before. From the one step that starts it a chain
completes without us: killed at any moment, we leave a thread that still finds its way back.

Sources: Linux arch/x86/include/uapi/asm/sigcontext.h (sigcontext_64, _fpx_sw_bytes),
include/uapi/asm-generic/ucontext.h, arch/x86/kernel/signal_64.c (rt_sigreturn).
"""

from __future__ import annotations

import struct

import msgspec
from msgspec.structs import replace

from goprobe.arch.amd64.registers import Registers, signed

# uc_flags, uc_link, uc_stack (sp, flags, size); 18 registers; segments; err, trapno, oldmask, cr2,
# fpstate, eight reserved words; uc_sigmask.
_UCONTEXT = struct.Struct("<5Q 18Q 4H 4Q Q 64x Q")
_UC_FLAGS = 0b111  # UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
_NO_SUCH_MODE = 4  # an alternate signal stack that is refused: the thread keeps its own
_ALL_BLOCKED = (1 << 64) - 1

_SOFTWARE = struct.Struct("<IIQI28x")  # struct _fpx_sw_bytes
_SOFTWARE_AT = 464  # _fpx_sw_bytes in _fpstate_64
_MAGIC1, _MAGIC2 = 0x46505853, 0x46505845  # FP_XSTATE_MAGIC1 and 2
_ALIGN = 64

_RETURN = struct.Struct("<Q")
BLOCK_SIZE = -(-(_RETURN.size + _UCONTEXT.size) // 16) * 16

_RESTARTED = (-512, -513, -514)  # ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND: linux/errno.h
_RESTARTED_BY_MEMORY = -516  # ERESTART_RESTARTBLOCK: the kernel alone knows how
_SYSCALL_SIZE = 2
_CLEAR_FLAGS = 0x202


class Gadgets(msgspec.Struct, frozen=True):
    """Addresses of instructions of the target: `syscall; ret`, and `mov $15, %eax; syscall`."""

    syscall: int
    sigreturn: int


class Chain:
    """Blocks from `low` upwards: each is a return address (to `rt_sigreturn`) and a context.

    A stack pointer at a block makes `ret` load its context.
    """

    def __init__(self, low: int, gadgets: Gadgets, registers: Registers) -> None:
        self._low = low
        self._gadgets = gadgets
        self._registers = registers
        self._blocks: list[bytes] = []
        self._tail = b""

    def call(self, number: int, *arguments: int, then: int | None = None) -> int:
        """Add a block that makes a system call with every signal blocked, and `then` goes on
        with that block (None: it does not return). Returns the block's address."""
        rdi, rsi, rdx, r10, r8 = (*arguments, 0, 0, 0, 0, 0)[:5]
        registers = replace(
            self._registers,
            rip=self._gadgets.syscall,
            rsp=then or self._here,
            rax=number,
            rdi=rdi % (1 << 64),
            rsi=rsi,
            rdx=rdx,
            r10=r10,
            r8=r8,
            eflags=_CLEAR_FLAGS,
        )
        return self._add(_context(registers, _ALL_BLOCKED, 0))

    def restore(self, mask: int, xstate: bytes) -> int:
        """Add the block that gives the thread everything back. `xstate` is what
        PTRACE_GETREGSET gave for NT_X86_XSTATE, `mask` its blocked signals."""
        # Behind all blocks, whose number is small and known: see `_XSTATE_AT`.
        state = -(-(self._low + _XSTATE_AT) // _ALIGN) * _ALIGN
        self._tail = bytes(state - self._low - _XSTATE_AT) + _signal_xstate(xstate)
        return self._add(_context(resumed(self._registers), mask, state))

    @property
    def _here(self) -> int:
        return self._low + len(self._blocks) * BLOCK_SIZE

    def _add(self, context: bytes) -> int:
        at = self._here
        block = _RETURN.pack(self._gadgets.sigreturn) + context
        self._blocks.append(block.ljust(BLOCK_SIZE, b"\0"))
        return at

    def data(self) -> bytes:
        """The bytes to write at `low`."""
        return b"".join(self._blocks).ljust(_XSTATE_AT, b"\0") + self._tail

    def entry(self, block: int) -> Registers:
        """Registers that start the chain with a block."""
        return replace(
            self._registers,
            rip=self._gadgets.sigreturn,
            rsp=block + _RETURN.size,
            orig_rax=(1 << 64) - 1,
        )


_XSTATE_AT = 8 * BLOCK_SIZE


def can_be_resumed(registers: Registers) -> bool:
    """Whether we know how the thread would go on: of a timed sleep the kernel keeps the rest."""
    return registers.syscall is None or signed(registers.rax) != _RESTARTED_BY_MEMORY


def resumed(registers: Registers) -> Registers:
    """The registers with which the kernel would let the thread go on: an interrupted system call
    is made again (Linux arch/x86/kernel/signal.c, arch_do_signal_or_restart)."""
    if registers.syscall is None or signed(registers.rax) not in _RESTARTED:
        return registers
    return replace(registers, rip=registers.rip - _SYSCALL_SIZE, rax=registers.orig_rax)


def _context(r: Registers, mask: int, xstate: int) -> bytes:
    return _UCONTEXT.pack(
        _UC_FLAGS,
        0,
        0,
        _NO_SUCH_MODE,
        0,
        r.r8,
        r.r9,
        r.r10,
        r.r11,
        r.r12,
        r.r13,
        r.r14,
        r.r15,
        r.rdi,
        r.rsi,
        r.rbp,
        r.rbx,
        r.rdx,
        r.rax,
        r.rcx,
        r.rsp,
        r.rip,
        r.eflags,
        r.cs,
        0,
        0,
        r.ss,
        0,
        0,
        0,
        0,
        xstate,
        mask,
    )


def _signal_xstate(xstate: bytes) -> bytes:
    """The floating-point and vector state as a signal frame has it."""
    features = int.from_bytes(xstate[_SOFTWARE_AT : _SOFTWARE_AT + 8], "little")
    software = _SOFTWARE.pack(_MAGIC1, len(xstate) + 4, features, len(xstate))
    at = _SOFTWARE_AT + len(software)
    return xstate[:_SOFTWARE_AT] + software + xstate[at:] + _MAGIC2.to_bytes(4, "little")
