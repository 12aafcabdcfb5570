"""A thread that stands at a breakpoint, and what can be read there."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

from goprobe.arch.registers import SP_WORD, VECTOR, VECTORS, WORD, Words
from goprobe.process.libc import address_of, process_vm_readv_quick
from goprobe.process.ptrace import requests
from goprobe.process.tracer.threadregs import Machine

_VECTORS_AT = 160  # of the XSAVE area: Intel SDM volume 1, 13.4.1
_BLOCK_LIMIT = 4096


class ThreadHit:
    """`words` are the registers of the thread that stands; one object serves every hit."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._file = machine.file
        self.words: Words = machine.words
        self.high = 0
        self._tid = 0
        self._state = b""
        self._room = bytearray(_BLOCK_LIMIT + WORD)
        self.block: Words = memoryview(self._room).cast("Q")
        self._iovecs = (ctypes.c_size_t * 6)(address_of(self._room))
        self._local, self._remote = ctypes.byref(self._iovecs), ctypes.byref(self._iovecs, 16)
        self._iovecs[5] = WORD
        self._known = 0, 0, 0

    def goes_on(self) -> None:
        """What was read of the thread need not be so any more."""
        self._known = 0, 0, 0

    def stands(self, tid: int, high: int) -> None:
        self._tid, self.high, self._state = tid, high, b""

    def read_block(self, address: int, size: int) -> bool:
        """Have so much of what lies there in `block`, at a whole number of words. One call of the
        kernel reads the top of the stack besides, which most breakpoints take to be passed."""
        iovecs, top = self._iovecs, self.words[SP_WORD]
        iovecs[1], iovecs[2], iovecs[3], iovecs[4] = size + WORD, address, size, top
        got = process_vm_readv_quick(self._machine.pid, self._local, 1, self._remote, 2, 0)
        self._known = (address, top, size) if got == size + WORD else (0, 0, 0)
        return bool(got >= size)

    def read(self, address: int, size: int) -> bytes:
        try:
            return os.pread(self._file, size, address)
        except (OSError, OverflowError, ValueError):
            return b""

    def word(self, address: int) -> int:
        """8 bytes, 0 where there are none."""
        return int.from_bytes(self.read(address, WORD), "little")

    def near_word(self, address: int) -> int:
        """The same, from what `read_block` has read of this thread where it has."""
        at, top, size = self._known
        if address == top:
            return self.block[size // WORD]
        if at <= address < at + size and not (address - at) % WORD:
            return self.block[(address - at) // WORD]
        return self.word(address)

    def put_word(self, address: int, value: int) -> None:
        os.pwrite(self._file, value.to_bytes(WORD, "little"), address)

    def vector(self, name: str) -> bytes:
        self._state = self._state or requests.extended_state(self._tid)
        at = _VECTORS_AT + VECTOR * VECTORS.index(name)
        return self._state[at : at + VECTOR]

    def registers(self) -> RegisterHit:
        """What is left of it when the thread goes on."""
        return RegisterHit(self._machine.copied(), self.high)


class RegisterHit:
    """The registers of a thread that stood, and runs again: there is nothing else to be read."""

    __slots__ = ("high", "words")

    def __init__(self, words: Sequence[int], high: int) -> None:
        self.words, self.high = words, high

    def read(self, address: int, size: int) -> bytes:
        raise RuntimeError(f"{size} bytes at {address:#x} read of a thread that runs again")

    def vector(self, name: str) -> bytes:
        raise RuntimeError(f"{name} read of a thread that runs again")
