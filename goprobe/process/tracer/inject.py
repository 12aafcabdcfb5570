"""Making a stopped program do system calls of ours, and finding room for a code cave in it."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from goprobe.arch import systemcalls
from goprobe.arch.registers import PC_WORD, Words
from goprobe.elfheaders import HEADER_SIZE, is_ours, read_header
from goprobe.errors import CannotWorkError, TargetGoneError, UsageError
from goprobe.process.libc import address_of
from goprobe.process.proc.identity import entry_point
from goprobe.process.proc.maps import Mapping, find
from goprobe.process.ptrace import constants, requests
from goprobe.process.tracer import waits

# Linux include/uapi/asm-generic/mman-common.h, as the next two
PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS = 0x1, 0x2, 0x20
MAP_FIXED_NOREPLACE = 0x100000

_REACH = (1 << 31) - (1 << 16)  # of a 32-bit displacement, with some room for its instruction
_LOWEST = 1 << 16  # vm.mmap_min_addr, as distributions set it
_HIGHEST = (1 << 47) - (1 << 24)  # TASK_SIZE of x86-64 without 5-level tables, less some room
_SHADOW = (0x7FFF7000, 0x1000_7FFF_8000)
"""AddressSanitizer's, which aborts a program where anything lies in it: LLVM and GCC,
asan_mapping.h, SHADOW_OFFSET 0x7fff8000 of x86-64."""
_MAX_ERRNO = 4095  # MAX_ERRNO, Linux include/linux/err.h


def place(mappings: Sequence[Mapping], low: int, high: int, size: int, near: int) -> int:
    """An address for `size` bytes whose first `near` all lie within reach of [low, high).

    As far from the program as that allows, so that what grows behind it (the C heap) has room, and
    not where AddressSanitizer wants its own memory. Raises CannotWorkError.
    """
    first = max(_LOWEST, high - _REACH + 4095 & ~4095)
    last = min(_HIGHEST - size, low + _REACH - near) & ~4095
    # Mappings come in ascending order: every second pair of edges is a gap between two of them.
    edges = [_LOWEST, *(edge for m in mappings for edge in (m.low, m.high)), _HIGHEST]
    gaps = [(edges[i], edges[i + 1]) for i in range(0, len(edges) - 1, 2)]
    shadow, over = _SHADOW
    beside = [(s, min(e, shadow)) for s, e in gaps] + [(max(s, over), e) for s, e in gaps]

    def ends(gaps: Sequence[tuple[int, int]]) -> list[int]:
        fits = (
            (max(first, start + 4095 & ~4095), min(last, end - size & ~4095)) for start, end in gaps
        )
        return [at for start, end in fits if start <= end for at in (start, end)]

    places = ends(beside) or ends(gaps)
    if not places:
        raise CannotWorkError("the program leaves no room near its code for counting")
    return max(places, key=lambda at: max(low - at, at - high))


def bias_of(pid: int, binary: str) -> tuple[int, int]:
    """What was added to the link-time addresses, and where the program's own entry is.

    The kernel says the latter (AT_ENTRY), the file's header the former.
    """
    entry = entry_point(pid)
    with open(f"/proc/{pid}/exe", "rb") as file:
        header = file.read(HEADER_SIZE)
    if not entry or len(header) < HEADER_SIZE or not is_ours(header):
        raise UsageError(f"{binary} is not an ELF program")
    return entry - read_header(header).entry, entry


def image(mappings: Sequence[Mapping], entry: int) -> tuple[int, int]:
    """[low, high) of the program's own mappings, with the .bss behind them."""
    own = find(mappings, entry)
    if own is None:
        raise CannotWorkError("the program's code is not where the kernel says")
    same = [m for m in mappings if (m.device, m.inode) == (own.device, own.inode)]
    low, high = same[0].low, same[-1].high
    for mapping in mappings:
        if mapping.low == high and not mapping.path:
            high = mapping.high
    return low, high


class Injector:
    """System calls in the place of a thread that stands still at an instruction's start.

    Use `injecting`, which puts back the instruction and the registers.
    """

    def __init__(self, tid: int, words: Words) -> None:
        self._tid = tid
        self._saved = bytes(words)
        self._room = bytearray(self._saved)
        self._words = memoryview(self._room).cast("Q")

    def call(self, number: int, *arguments: int) -> int:
        """The result; OSError with the target's errno; TargetGoneError."""
        self._room[:] = self._saved
        words = self._words
        systemcalls.prepare(words, number, arguments)
        self._request(constants.PTRACE_SETREGS)
        self._step()
        self._request(constants.PTRACE_GETREGS)
        # The kernel tells an error as its number below zero, none of which is an address.
        result = systemcalls.result(words)
        if result > (1 << 64) - 1 - _MAX_ERRNO:
            number = (1 << 64) - result
            raise OSError(number, os.strerror(number))
        return result

    def restore(self) -> None:
        self._room[:] = self._saved
        self._request(constants.PTRACE_SETREGS)

    def _step(self) -> None:
        signals: list[int] = []
        while True:
            self._check(requests.request(constants.PTRACE_SINGLESTEP, self._tid))
            stop = waits.wait_any(self._tid)
            if stop is None or stop.over or stop.event == constants.PTRACE_EVENT_EXIT:
                raise TargetGoneError("the program was killed before it began")
            if stop.signal == signal.SIGTRAP and not stop.event:
                break
            if not stop.event:
                signals.append(stop.signal)
        for number in signals:  # not lost, only later
            os.kill(self._tid, number)

    def _request(self, number: int) -> None:
        self._check(requests.request(number, self._tid, None, address_of(self._room)))

    def _check(self, number: int) -> None:
        if number == errno.ESRCH:
            raise TargetGoneError("the program was killed before it began")
        if number:
            raise CannotWorkError(f"cannot prepare the program: {os.strerror(number)}")


@contextmanager
def injecting(tid: int, words: Words, memory: int) -> Iterator[Injector]:
    """`words` are the thread's registers; `memory` its writable /proc/PID/mem."""
    pc = words[PC_WORD]
    # /proc/PID/mem writes to code that is not writable, into a copy that is the process's own.
    # Nobody else can run into it: the program has one thread yet, and that stands here.
    original = os.pread(memory, len(systemcalls.INSTRUCTION), pc)
    os.pwrite(memory, systemcalls.INSTRUCTION, pc)
    injector = Injector(tid, words)
    try:
        yield injector
    finally:
        os.pwrite(memory, original, pc)
        injector.restore()
