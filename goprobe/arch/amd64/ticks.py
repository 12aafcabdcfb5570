"""The clock of the processor, which the runtime measures waits by (cputicks, src/runtime/
asm_amd64.s, Go 1.21 to 1.27)."""

from __future__ import annotations

import ctypes
import mmap
import time

_CODE = bytes.fromhex("0f31 48c1e220 4809d0 c3")  # rdtsc; shl rdx, 32; or rax, rdx; ret
_TRIES = 5


def ticks_and_time() -> tuple[int, int]:
    """What it shows, and CLOCK_MONOTONIC in ns at the same moment; (0, 0) where it may not be
    read: where we are allowed no code of our own."""
    try:
        code = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        code.write(_CODE)
        at = ctypes.addressof(ctypes.c_char.from_buffer(code))
        if ctypes.CDLL(None).mprotect(
            ctypes.c_void_p(at), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC
        ):
            return 0, 0
    except OSError:
        return 0, 0
    ticks = ctypes.CFUNCTYPE(ctypes.c_uint64)(at)
    best = (1 << 63, 0, 0)
    for _ in range(_TRIES):
        before, shown, after = time.monotonic_ns(), ticks(), time.monotonic_ns()
        best = min(best, (after - before, shown, (before + after) // 2))
    return best[1:]
