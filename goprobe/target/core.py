"""A core file in the place of a running process: every question that needs no second moment."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import msgspec

from goprobe.binary.cache import identity_of
from goprobe.binary.elf.elf import ElfFile
from goprobe.errors import UsageError
from goprobe.process.core.file import CoreFile
from goprobe.process.memory.memory import Memory, PageCache
from goprobe.process.ptrace.priority import import_numpy
from goprobe.runtime.image.goimage import GoImage
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.layout.layout import Layout
from goprobe.runtime.world import World, load_bias
from goprobe.target.goprocess import GoProcess


class CoreTarget(msgspec.Struct, frozen=True):
    """A core file and the binary that it is of, opened."""

    core: CoreFile
    program: GoProgram
    bias: int
    beside: tuple[GoImage, ...] = ()
    is_core: ClassVar[Literal[True]] = True

    @property
    def doubts(self) -> tuple[str, ...]:
        """What is wrong with the core file and with the binary, as far as is known by now."""
        of_core = (f"{self.core.path} is damaged: {doubt}" for doubt in self.core.doubts)
        return (*of_core, *self.program.contradictions)

    @property
    def pid(self) -> int:
        return self.core.pid

    @property
    def layout(self) -> Layout:
        return self.program.facts.layout

    def root(self, name: str) -> int:
        """Where one of the runtime's globals is in the process; KeyError where it is unknown."""
        return self.program.facts.roots[name] + self.bias

    @property
    def process(self) -> GoProcess:
        return GoProcess(self.pid, self.program, self.bias, memory_size=self.core.size)

    def reader(self) -> Memory:
        return self.core

    def world(self) -> World:
        """The process as it stood."""
        return self.process.world(PageCache(self.core), self.core.mappings, self.core.threads)


def open_core(path: str, executable: str = "", *, assume_go: str = "") -> CoreTarget:
    """A core file with its executable, which the core itself may name.

    Raises UsageError (no core, not its executable, no executable), NotGoError, CannotWorkError.
    """
    if not executable:
        with CoreFile(path) as core:
            recorded = core.recorded_executable
        if not recorded or not Path(recorded).is_file():
            raise UsageError(
                f"the executable of {path} is not known"
                + (f": {recorded} is not there" if recorded else ""),
                hint="--exe BINARY names it",
            )
        executable = recorded
    core = CoreFile(path, executable)
    program = GoProgram(ElfFile(executable), assume_go=assume_go)
    bias = load_bias(program, core.mappings, core.recorded_executable, core.entry) or load_bias(
        program, core.mappings, executable
    )
    if program.stripped:
        import_numpy()
        from goprobe.runtime.stripped import stripped_facts  # brings numpy along

        shown_by = identity_of(Path(path).stat(), "core")
        program.adopt(stripped_facts(program, core, bias, shown_by=shown_by))
    _ = program.facts
    return CoreTarget(core, program, bias)
