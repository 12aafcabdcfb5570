"""Whether a thread's seccomp filters let it make a system call: by running them ourselves.

A container's default filter allows what a snapshot by fork needs, others may not, and a filter
that forbids a call may kill who makes it: so nothing is tried out. The kernel hands out filters
to a tracer with CAP_SYS_ADMIN that has none of its own (PTRACE_SECCOMP_GET_FILTER).

Sources: Linux kernel/seccomp.c (seccomp_run_filters, seccomp_check_filter), include/uapi/linux/
seccomp.h, bpf_common.h and filter.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterable
from functools import lru_cache

from goprobe.process.ptrace import requests

_GET_FILTER = 0x420C  # PTRACE_SECCOMP_GET_FILTER, <linux/ptrace.h>
_INSTRUCTION = struct.Struct("<HBBI")
_LONGEST = 4096  # BPF_MAXINSNS
_FILTERS_LIMIT = 64
_DATA = struct.Struct("<IIQ6Q")  # struct seccomp_data
_X86_64 = 0xC000003E  # AUDIT_ARCH_X86_64
_ACTION = 0xFFFF0000  # SECCOMP_RET_ACTION_FULL
_ALLOW, _LOG = 0x7FFF0000, 0x7FFC0000  # SECCOMP_RET_ALLOW, SECCOMP_RET_LOG
_WORD = 0xFFFFFFFF

Call = tuple[str, int, tuple[int, ...]]
"""A system call: its name, number and arguments."""


class BadFilterError(Exception):
    """No program that the kernel would have taken."""


def forbidden(tid: int, calls: Iterable[Call], pc: int) -> str:
    """Why a thread that stands still, and has a filter, may not make one of these calls, from the
    instruction before `pc`; "" where it may make all of them."""
    filters: list[bytes] = []
    while len(filters) < _FILTERS_LIMIT:
        program = _filter(tid, len(filters))
        if isinstance(program, int):
            if program == errno.ENOENT and filters:  # there are no more
                return _verdict(tuple(filters), tuple(calls), pc)
            return f"its seccomp filter cannot be read: {os.strerror(program)}"
        filters.append(program)
    return f"it has more than {_FILTERS_LIMIT} seccomp filters"


def _filter(tid: int, index: int) -> bytes | int:
    """A filter of a stopped thread, the newest first, or an errno."""
    size, why = requests.request_for_number(_GET_FILTER, tid, index, None)
    if size < 0:
        return why
    if not 0 < size <= _LONGEST:
        return errno.EINVAL
    buffer = ctypes.create_string_buffer(size * _INSTRUCTION.size)
    size, why = requests.request_for_number(_GET_FILTER, tid, index, ctypes.addressof(buffer))
    return buffer.raw if size >= 0 else why


@lru_cache(maxsize=16)
def _verdict(filters: tuple[bytes, ...], calls: tuple[Call, ...], pc: int) -> str:
    for name, number, arguments in calls:
        data = _DATA.pack(number, _X86_64, pc, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
        for program in filters:
            try:
                action = run(program, data) & _ACTION
            except BadFilterError as error:
                return f"its seccomp filter cannot be followed: {error}"
            if action not in (_ALLOW, _LOG):
                return f"its seccomp filter forbids {name}"
    return ""


def run(program: bytes, data: bytes) -> int:
    """What a filter returns of a call. Jumps lead forward only, so it ends. BadFilterError."""
    code = list(_INSTRUCTION.iter_unpack(program))
    words = struct.unpack(f"<{len(data) // 4}I", data)
    a = x = at = 0
    memory = [0] * 16
    while at < len(code):
        op, jt, jf, k = code[at]
        at += 1
        kind = op & 7
        if op == 0x20:  # ld [k]
            if k % 4 or k // 4 >= len(words):
                raise BadFilterError(f"it reads at {k}")
            a = words[k // 4]
        elif kind == 5:  # a jump
            at += k if op == 5 else jt if _holds(op, a, x if op & 8 else k) else jf
        elif kind == 6:
            return a if op & 0x18 == 0x10 else k
        elif kind == 4:
            a = _computed(op, a, x if op & 8 else k)
        elif kind == 7:
            a, x = (x, x) if op & 0x80 else (a, a)
        elif kind in (2, 3):
            memory[k & 15] = a if kind == 2 else x
        elif kind in (0, 1):
            value = {0x00: k, 0x60: memory[k & 15], 0x80: len(data)}.get(op & 0xE0)
            if value is None:
                raise BadFilterError(f"instruction {op:#x}")
            a, x = (value, x) if kind == 0 else (a, value)
    raise BadFilterError("it has no end")


def _holds(op: int, a: int, other: int) -> bool:
    match op & 0xF0:
        case 0x10:
            return a == other
        case 0x20:
            return a > other
        case 0x30:
            return a >= other
        case 0x40:
            return bool(a & other)
    raise BadFilterError(f"jump {op:#x}")


def _computed(op: int, a: int, other: int) -> int:
    match op & 0xF0:
        case 0x00:
            return a + other & _WORD
        case 0x10:
            return a - other & _WORD
        case 0x20:
            return a * other & _WORD
        case 0x30:
            if not other:
                raise BadFilterError("it divides by zero")
            return a // other
        case 0x40:
            return a | other
        case 0x50:
            return a & other
        case 0x60:
            return a << (other & 31) & _WORD
        case 0x70:
            return a >> (other & 31)
        case 0x80:
            return -a & _WORD
        case 0xA0:
            return a ^ other
    raise BadFilterError(f"operation {op:#x}")
