"""The registers and words of a traced program's threads, of those that stand still."""

from __future__ import annotations

import contextlib
import os

from goprobe.arch.registers import PC_WORD, WORD, WORD_COUNT, Words
from goprobe.process.libc import address_of
from goprobe.process.memory.memory import ProcessMemory
from goprobe.process.ptrace import constants, requests

_FEW = 512  # bytes


class _OpenMemory(ProcessMemory):
    """Reads a few words by a file that is open anyway: a third of what a system call through ctypes
    takes, and at each stop some are read."""

    def __init__(self, pid: int, file: int) -> None:
        super().__init__(pid)
        self._opened = file

    def close(self) -> None:
        super().close()
        self._opened = -1

    def read(self, address: int, size: int) -> bytes:
        if size <= _FEW:
            with contextlib.suppress(OSError, OverflowError):
                data = os.pread(self._opened, size, address)
                if len(data) == size:
                    return data
        return super().read(address, size)  # tells what is wrong


class Machine:
    """Process `pid`. `words` are the registers of the thread that was fetched last."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.file = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        self.memory = _OpenMemory(pid, self.file)
        self._room = bytearray(WORD_COUNT * WORD)
        self._room_at = address_of(self._room)
        self.words: Words = memoryview(self._room).cast("Q")

    def close(self) -> None:
        self.memory.close()
        os.close(self.file)

    def fetch(self, tid: int) -> bool:
        """Read a thread's registers into `words`; False where it is gone."""
        return requests.request(constants.PTRACE_GETREGS, tid, None, self._room_at) == 0

    def store(self, tid: int) -> None:
        """Give a thread the registers that `words` are."""
        requests.request(constants.PTRACE_SETREGS, tid, None, self._room_at)

    def copied(self) -> Words:
        """What `words` are now."""
        return memoryview(bytes(self._room)).cast("Q")

    def set_pc(self, tid: int, pc: int) -> None:
        requests.request(constants.PTRACE_POKEUSER, tid, PC_WORD * WORD, pc)

    def word(self, address: int) -> int:
        """8 bytes of memory, 0 where there are none."""
        try:
            return int.from_bytes(os.pread(self.file, 8, address), "little")
        except (OSError, OverflowError):
            return 0

    def put_word(self, address: int, value: int) -> None:
        with contextlib.suppress(OSError):  # killed meanwhile
            os.pwrite(self.file, value.to_bytes(8, "little"), address)
