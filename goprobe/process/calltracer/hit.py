"""A thread that stands at a breakpoint, and what can be read there."""

from __future__ import annotations

import os

from goprobe.arch.registers import VECTOR, VECTORS, WORD, Words
from goprobe.process.ptrace import requests
from goprobe.process.tracer.threadregs import Machine

_VECTORS_AT = 160  # of the XSAVE area: Intel SDM volume 1, 13.4.1


class ThreadHit:
    """`words` are the registers of the thread that stands; one object serves every hit."""

    def __init__(self, machine: Machine) -> None:
        self._file = machine.file
        self.words: Words = machine.words
        self.high = 0
        self._tid = 0
        self._state = b""

    def stands(self, tid: int, high: int) -> None:
        self._tid, self.high, self._state = tid, high, b""

    def read(self, address: int, size: int) -> bytes:
        try:
            return os.pread(self._file, size, address)
        except (OSError, OverflowError, ValueError):
            return b""

    def word(self, address: int) -> int:
        """8 bytes, 0 where there are none."""
        return int.from_bytes(self.read(address, WORD), "little")

    def put_word(self, address: int, value: int) -> None:
        os.pwrite(self._file, value.to_bytes(WORD, "little"), address)

    def vector(self, name: str) -> bytes:
        self._state = self._state or requests.extended_state(self._tid)
        at = _VECTORS_AT + VECTOR * VECTORS.index(name)
        return self._state[at : at + VECTOR]
