"""A GDB to type at, as a witness: it stops a program somewhere, and we look at the same process."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from goprobe.arch.registers import GENERAL
from goprobe.binary.elf.elf import ElfFile
from goprobe.process.memory.memory import ProcessMemory
from goprobe.process.proc.maps import read_maps
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.world import World, load_bias
from goprobe.target.goprocess import GoProcess
from tests.support.gdb import gdbs

_END = "@@answered@@"
_SETTINGS = (
    *("pagination off", "confirm off", "width 0", "startup-with-shell off", "debuginfod enabled 0"),
    *("auto-load no", "inferior-tty /dev/null", "backtrace limit 64", "print frame-arguments none"),
)


@dataclass(frozen=True)
class Registers:
    values: dict[str, int]

    @property
    def pc(self) -> int:
        return self.values["rip"]

    @property
    def sp(self) -> int:
        return self.values["rsp"]

    @property
    def fp(self) -> int:
        return self.values["rbp"]

    @property
    def thread(self) -> int:
        return self.values["fs_base"]

    def value(self, name: str) -> int:
        return self.values[name]


class GdbSession:
    def __init__(self, process: subprocess.Popen[bytes], binary: Path) -> None:
        self._process = process
        self._binary = binary
        self._said = ""
        self._program = GoProgram(ElfFile(binary))

    def __call__(self, command: str, timeout: float = 60.0) -> str:
        """What GDB says to a command; AssertionError where it ends or does not answer."""
        assert self._process.stdin
        self._process.stdin.write(f"{command}\necho \\n{_END}\\n\n".encode())
        self._process.stdin.flush()
        deadline = time.monotonic() + timeout
        while f"\n{_END}\n" not in self._said:
            self._said += self._more(command, deadline - time.monotonic())
        said, _, self._said = self._said.partition(f"\n{_END}\n")
        return said.replace("(gdb) ", "").strip()

    def _more(self, command: str, timeout: float) -> str:
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], max(timeout, 0))
        chunk = os.read(self._process.stdout.fileno(), 1 << 16) if ready else b""
        assert chunk, f"GDB {'ended' if ready else 'does not answer'} at {command!r}: {self._said}"
        return chunk.decode("utf-8", "replace")

    def registers(self) -> Registers:
        names = ("rip", "fs_base", *GENERAL)
        said = self(f"info registers {' '.join(names)}")
        found = dict(re.findall(r"^(\w+)\s+(0x[0-9a-f]+)", said, re.M))
        return Registers({name: int(found[name], 16) for name in names})

    def backtrace(self) -> list[tuple[int, str]]:
        """(pc, function) of the frames that are not inlined; the innermost pc is the register's."""
        rows = re.findall(r"^#\d+\s+(?:(0x[0-9a-f]+) in )?(\S+?) \(", self("bt"), re.M)
        first = self.registers().pc
        return [(int(pc, 16) if pc else first, name) for pc, name in rows]

    @property
    def thread(self) -> int:
        match = re.search(r"^\* .*?(?:LWP|process) (\d+)", self("info threads"), re.M)
        assert match
        return int(match[1])

    def world(self) -> World:
        """The process as it stands, with the registers of GDB's current thread."""
        match = re.search(r"process (\d+)", self("info inferiors"))
        assert match
        pid = int(match[1])
        program = self._program
        mappings = read_maps(pid)
        bias = load_bias(program, mappings, str(self._binary.resolve()))
        threads = {self.thread: self.registers()}
        return GoProcess(pid, program, bias).world(ProcessMemory(pid), mappings, threads)


@contextmanager
def gdb_at(binary: Path, *commands: str) -> Iterator[GdbSession]:
    """The newest GDB with the binary loaded and `commands` run; all is killed at the end."""
    tool = gdbs()[-1]
    process = subprocess.Popen(
        [*tool.command, "-nx", "-q", str(binary)],
        env={**os.environ, **tool.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    )
    session = GdbSession(process, binary)
    try:
        for setting in _SETTINGS:
            session(f"set {setting}")
        for command in commands:
            session(command)
        yield session
    finally:
        # With GDB gone, the kernel kills what it traced.
        process.kill()
        process.communicate()
