"""Worlds of real processes for tests of the heap."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goprobe.binary.elf.elf import ElfFile
from goprobe.process.memory.memory import ProcessMemory
from goprobe.process.proc.maps import read_maps
from goprobe.process.ptrace.stop import stopped
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.world import World, load_bias
from goprobe.target.goprocess import GoProcess

TESTDATA = Path(__file__).parents[2] / "testdata" / "heap"


@contextmanager
def standing_world(pid: int, binary: Path) -> Iterator[World]:
    """The process as it stands while it is held."""
    program = GoProgram(ElfFile(binary))
    assert program.facts
    with stopped(pid) as process:
        mappings = read_maps(pid)
        bias = load_bias(program, mappings, str(binary))
        go = GoProcess(pid, program, bias)
        yield go.world(ProcessMemory(pid), mappings, process.threads)
