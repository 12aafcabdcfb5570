"""A Go process as it stands at one moment: what every question is asked of."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from functools import cached_property
from typing import Protocol

from goprobe.binary.pclntab import LineTable
from goprobe.process.maps import Mapping
from goprobe.process.memory import Memory
from goprobe.runtime.goroutines import Goroutines
from goprobe.runtime.heap import Heap
from goprobe.runtime.layout import Layout
from goprobe.runtime.program import Program
from goprobe.runtime.typedata import TypeData
from goprobe.runtime.view import Record, read_record


class ThreadState(Protocol):
    """What is asked of a thread's registers."""

    @property
    def rip(self) -> int: ...
    @property
    def rsp(self) -> int: ...
    @property
    def rbp(self) -> int: ...


class World:
    """One consistent view: memory, mappings, registers and Go's bookkeeping of one stop.

    `bias` is what to add to a link-time address of the main binary. Nothing in it outlives the
    stop: after the process ran on, a new World is needed.
    """

    def __init__(
        self,
        pid: int,
        program: Program,
        memory: Memory,
        mappings: tuple[Mapping, ...],
        threads: MappingOf[int, ThreadState],
        bias: int,
    ) -> None:
        self.pid = pid
        self.program = program
        self.memory = memory
        self.mappings = mappings
        self.threads = threads
        self.bias = bias

    @property
    def layout(self) -> Layout:
        return self.program.facts.layout

    @cached_property
    def roots(self) -> dict[str, int]:
        """Addresses of the runtime's globals in this process."""
        return {name: a + self.bias for name, a in self.program.facts.roots.items()}

    @cached_property
    def lines(self) -> LineTable:
        """The line table at this process's addresses."""
        table = self.program.lines
        return table.rebased(self.bias) if self.bias else table

    @cached_property
    def heap(self) -> Heap:
        return Heap(self.memory, self.layout, self.roots["mheap_"])

    @cached_property
    def goroutines(self) -> Goroutines:
        return Goroutines(self.memory, self.layout, self.roots)

    @cached_property
    def moduledata(self) -> Record:
        """The first module's moduledata."""
        struct = self.layout.struct("moduledata")
        return read_record(self.memory, struct, self.roots["firstmoduledata"])

    @cached_property
    def typedata(self) -> TypeData:
        return TypeData(self.memory, self.layout, self.program, self.bias, self.moduledata)


def load_bias(program: Program, mappings: tuple[Mapping, ...], executable: str) -> int:
    """How far above its link-time addresses the binary was loaded, in bytes; 0 unless a PIE."""
    if not program.elf.pie:
        return 0
    low, _ = program.image
    names = {executable, f"{executable} (deleted)"}
    starts = [m.low - m.offset for m in mappings if m.path in names]
    return min(starts) - low if starts else 0
