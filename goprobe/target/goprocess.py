"""A process that runs a Go program, whoever holds it: the one place in which a World is made."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from types import MappingProxyType

import msgspec

from goprobe.model.report import Head
from goprobe.process.memory.memory import Memory
from goprobe.process.proc.maps import Mapping, read_maps
from goprobe.runtime.image.goimage import GoImage, head_of
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.world import ThreadState, World


class GoProcess(msgspec.Struct, frozen=True):
    """`bias` is what to add to the program's link-time addresses, `beside` are other Go programs
    in it, and `memory_size` how many bytes of memory there are, where it is not a live process."""

    pid: int
    program: GoProgram
    bias: int
    beside: tuple[GoImage, ...] = ()
    memory_size: int | None = None

    @property
    def head(self) -> Head:
        return head_of(self.pid, self.program, self.beside)

    def loaded(self, memory: Memory) -> World:
        """A live process as it runs, with the plugins that it has loaded by now: for questions of
        its code."""
        world = self.world(memory, ())
        return self.world(memory, read_maps(self.pid)) if len(world.modules) > 1 else world

    def world(
        self,
        memory: Memory,
        mappings: tuple[Mapping, ...],
        threads: MappingOf[int, ThreadState] = MappingProxyType({}),
    ) -> World:
        """The process as these show it."""
        return World(
            self.pid,
            self.program,
            memory,
            mappings,
            threads,
            self.bias,
            self.memory_size,
            self.beside,
        )
