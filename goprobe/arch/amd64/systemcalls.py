"""System calls of Linux on amd64: their numbers, and how a thread makes one.

Sources: <asm/unistd_64.h>; Linux arch/x86/entry/entry_64.S (which registers).
"""

from __future__ import annotations

from goprobe.arch.amd64.registers import (
    ORIG_RAX,
    R8,
    R9,
    R10,
    RAX,
    RDI,
    RDX,
    RSI,
    Words,
)

(CLOSE, MMAP, MUNMAP, RT_SIGRETURN, CLONE, EXIT, EXECVE, WAIT4, FUTEX, EXIT_GROUP, TGKILL, KCMP,
 MEMFD_CREATE, EXECVEAT) = (
    3, 9, 11, 15, 56, 60, 59, 61, 202, 231, 234, 312, 319, 322
)  # fmt: skip

INSTRUCTION = b"\x0f\x05"
AND_RETURN = INSTRUCTION + b"\xc3"
"""`syscall; ret`"""
SIGNAL_RETURNS: tuple[bytes, ...] = (
    b"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05",
    b"\xb8\x0f\x00\x00\x00\x0f\x05",
)
"""`mov $15, %rax; syscall`: how the C library and Go's runtime return from a signal handler."""

_NONE = (1 << 64) - 1
_ARGUMENTS = (RDI, RSI, RDX, R10, R8, R9)


def prepare(words: Words, number: int, arguments: tuple[int, ...]) -> None:
    """Make the registers those of a thread that is about to run INSTRUCTION."""
    words[RAX], words[ORIG_RAX] = number, _NONE
    for register, value in zip(_ARGUMENTS, arguments, strict=False):
        words[register] = value


def result(words: Words) -> int:
    """What the call has given back, unsigned: an errno is negative."""
    return int(words[RAX])


def current(words: Words) -> int:
    """The number of the call that the thread is in."""
    return int(words[ORIG_RAX])
