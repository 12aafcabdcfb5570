"""Calls that are noted without a stop: stubs in a program's memory (`arch/amd64/callstub.py`) that
write into a ring, which we read.

They are put into a program of ours before its first instruction: what a jump covers are several
instructions, and later some goroutine could stand between two of them. A thread that is about to
take a signal inside a stub is stepped out of it first, for Go knows no pc there; so are all when
they are let go, and nothing stays behind.
"""

from __future__ import annotations

import mmap
import os
import signal
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from goprobe.arch import systemcalls
from goprobe.arch.callstub import CallStub, Covered, Places, call_stub, jump
from goprobe.arch.patches import BREAKPOINT_SIZE
from goprobe.arch.registers import PC_WORD
from goprobe.errors import GoprobeError
from goprobe.process.calltracer import ring
from goprobe.process.calltracer.plan import WatchedFunction
from goprobe.process.calltracer.ring import Clock, Ring
from goprobe.process.proc.identity import entry_point, facts, interpreter_entry
from goprobe.process.proc.maps import read_maps
from goprobe.process.proc.procfs import PAGE_SIZE
from goprobe.process.ptrace import constants, requests
from goprobe.process.tracer import inject, waits
from goprobe.process.tracer.threadregs import Machine
from goprobe.process.tracer.waits import WaitEvent

_STUB = 384  # bytes: more than any takes
_STEPS = 400  # instructions; a stub has less than a hundred
_CLOEXEC = 1  # MFD_CLOEXEC, Linux include/uapi/linux/memfd.h
_IDENT_PADDING = 9  # zeros in the ELF header from there to 16: man 5 elf
_BLOCKED = (1 << 64) - 1 & ~(1 << signal.SIGTRAP - 1)


class Patched(msgspec.Struct, frozen=True):
    """A place of a function (its number) whose code a jump covers."""

    number: int
    covered: Covered
    zero: tuple[int, ...]
    original: bytes


class Stubs:
    """Those of one process. `patched` by the number that records have; `looks` and `fulls` say
    which of them traps at an address, and why (see CallStub)."""

    def __init__(self, machine: Machine, patched: Sequence[Patched]) -> None:
        self._machine = machine
        self.patched = patched
        self.looks: dict[int, tuple[Patched, int]] = {}
        self.fulls: dict[int, int] = {}
        self.low = self.high = 0
        self._data = 0

    def install(self, pid: int, goid: int) -> None:
        """Map and write them; the thread `pid` stands, its registers at hand. Raises OSError,
        GoprobeError, struct.error."""
        machine = self._machine
        own, interpreter = entry_point(pid), interpreter_entry(pid, machine.word)
        if len(os.listdir(f"/proc/{pid}/task")) != 1:  # noqa: PTH208
            raise OSError("it has run")
        if machine.words[PC_WORD] not in (own, interpreter):
            raise OSError("it has run")
        mappings = read_maps(pid)
        low, high = inject.image(mappings, own)
        size = (len(self.patched) * _STUB + PAGE_SIZE - 1) & -PAGE_SIZE
        base = inject.place(mappings, low, high, size + ring.SIZE, size)
        self.clock = Clock()
        words = machine.copied()
        runs, keeps = mmap.PROT_READ | mmap.PROT_EXEC, mmap.PROT_READ | mmap.PROT_WRITE
        code = inject.MAP_PRIVATE | inject.MAP_ANONYMOUS | inject.MAP_FIXED_NOREPLACE
        data = inject.MAP_SHARED | inject.MAP_FIXED_NOREPLACE
        with inject.injecting(pid, words, machine.file) as injector:
            theirs = injector.call(systemcalls.MEMFD_CREATE, low + _IDENT_PADDING, _CLOEXEC)
            file = os.open(f"/proc/{pid}/fd/{theirs}", os.O_RDWR | os.O_CLOEXEC)
            try:
                os.ftruncate(file, ring.SIZE)
                self.ring = Ring(file)
            finally:
                os.close(file)
            for at, length, how, flags, source in (
                (base, size, runs, code, (1 << 64) - 1),
                (base + size, ring.SIZE, keeps, data, theirs),
            ):
                if injector.call(systemcalls.MMAP, at, length, how, flags, source, 0) != at:
                    raise OSError("it was mapped elsewhere")
            injector.call(systemcalls.CLOSE, theirs)
        self.low, self.high, self._data = base, base + size, base + size
        self._assemble(goid)

    def _assemble(self, goid: int) -> None:
        data = self._data
        places = Places(
            claimed=data + 8 * ring.CLAIMED, taken=data + 8 * ring.TAKEN,
            records=data + 8 * ring.RECORDS, count=ring.COUNT, limit=ring.LIMIT, goid=goid,
        )  # fmt: skip
        self.ring.begin(data + PAGE_SIZE)
        made: list[tuple[Patched, CallStub]] = []
        for number, patched in enumerate(self.patched):
            at = self.low + number * _STUB
            stub = call_stub(patched.covered, patched.original, number, at, places, patched.zero)
            if len(stub.code) >= _STUB:
                raise OSError("a stub is too long")
            made.append((patched, stub))
        file = self._machine.file
        for patched, stub in made:
            os.pwrite(file, stub.code, stub.begin)
            self.fulls[stub.full] = stub.again
            if stub.look:
                self.looks[stub.look] = patched, stub.on
        for patched, stub in made:
            os.pwrite(file, jump(patched.covered, stub.begin), patched.covered.address)

    # Threads inside of them

    def holds(self, pc: int) -> bool:
        return self.low <= pc < self.high

    def trap(self, pc: int) -> int:
        """The trap of a stub's that a thread at `pc` has run into; 0 for none."""
        at = pc - BREAKPOINT_SIZE
        return at if at in self.fulls or at in self.looks else 0

    def step_out(self, tid: int, trapped: Callable[[], object] | None) -> WaitEvent | None:
        """Have a thread that stands in a stub, its registers at hand, stand behind it, the signal
        that it is about to get still to be given; `trapped` is called where it runs into a trap:
        it stays there where there is none. The end of it, if it comes to that."""
        details, mask = requests.signal_details(tid), requests.signal_mask(tid)
        requests.set_signal_mask(tid, _BLOCKED)
        machine, later = self._machine, list[int]()
        for _ in range(_STEPS):
            if not self.holds(machine.words[PC_WORD]):
                break
            if requests.request(constants.PTRACE_SINGLESTEP, tid):
                break
            event = waits.wait_any(tid)
            if event is None or event.over:
                return event
            if event.signal != signal.SIGTRAP and not event.event:
                later.append(event.signal)
            if not machine.fetch(tid):
                break
            if self.trap(machine.words[PC_WORD]):
                if trapped is None:
                    break
                trapped()
        requests.set_signal_mask(tid, mask or 0)
        requests.set_signal_details(tid, details)
        for number in later:
            with suppress(ProcessLookupError):
                os.kill(tid, number)
        return None

    # Taking them out

    def restore_in(self, file: int) -> None:
        """Put the program's own code back, in a memory that is open at `file`."""
        for patched in self.patched:
            with suppress(OSError):
                os.pwrite(file, patched.original, patched.covered.address)

    def restore_of(self, pid: int) -> None:
        with suppress(OSError), open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            self.restore_in(memory.fileno())

    def unmap(self, tid: int) -> bool:
        """Have a thread that stands give the memory back, with no thread in it any more; whether it
        did."""
        machine, left = self._machine, -1
        if not machine.fetch(tid):
            return False
        own = machine.copied()
        words = memoryview(bytearray(own)).cast("Q")
        words[PC_WORD] = self.patched[0].covered.address
        injected = inject.injecting(tid, words, machine.file)
        with suppress(OSError, GoprobeError), injected as injector:
            left = injector.call(systemcalls.MUNMAP, self.low, self.high - self.low + ring.SIZE)
        requests.write_registers(tid, bytes(own))
        return left == 0


def wanted(
    functions: Sequence[WatchedFunction], read: Callable[[int, int], bytes]
) -> list[Patched]:
    """What stubs can note of functions, by the code that `read` gives."""
    places: list[Patched] = []
    for number, function in enumerate(functions):
        for covered, zero in function.stubs:
            code = read(covered.address, covered.size)
            if len(code) == covered.size:
                places.append(Patched(number, covered, zero, code))
    return places


def may_be_used(pid: int) -> bool:
    """Whether the process may make the system calls that stubs take, and the processor's clock
    tells times."""
    return facts(pid).get("Seccomp", "0") == "0" and ring.is_steady()


INSTALL_ERRORS = (OSError, GoprobeError, struct.error)
