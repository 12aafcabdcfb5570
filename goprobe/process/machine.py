"""The registers and words of a traced program's threads, of those that stand still."""

from __future__ import annotations

import contextlib
import os

from goprobe.process import stops, tracing
from goprobe.process.libc import address_of
from goprobe.process.memory import ProcessMemory
from goprobe.process.stops import RIP

_REGISTERS = 27  # struct user_regs_struct


class Machine:
    """Process `pid`. `words` are the registers of the thread that was fetched last."""

    def __init__(self, pid: int) -> None:
        self.memory = ProcessMemory(pid)
        self.file = os.open(f"/proc/{pid}/mem", os.O_RDWR | os.O_CLOEXEC)
        self._room = bytearray(_REGISTERS * 8)
        self._room_at = address_of(self._room)
        self.words: stops.Words = memoryview(self._room).cast("Q")

    def close(self) -> None:
        os.close(self.file)

    def fetch(self, tid: int) -> bool:
        """Read a thread's registers into `words`; False where it is gone."""
        return tracing.request(tracing.PTRACE_GETREGS, tid, None, self._room_at) == 0

    def store(self, tid: int) -> None:
        """Give a thread the registers that `words` are."""
        tracing.request(tracing.PTRACE_SETREGS, tid, None, self._room_at)

    def set_pc(self, tid: int, pc: int) -> None:
        tracing.request(stops.PTRACE_POKEUSER, tid, RIP * 8, pc)

    def word(self, address: int) -> int:
        """8 bytes of memory, 0 where there are none."""
        try:
            return int.from_bytes(os.pread(self.file, 8, address), "little")
        except (OSError, OverflowError):
            return 0

    def put_word(self, address: int, value: int) -> None:
        with contextlib.suppress(OSError):  # killed meanwhile
            os.pwrite(self.file, value.to_bytes(8, "little"), address)
