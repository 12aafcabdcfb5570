"""A process of testdata/fuzz/tangle as it stood, in a core: what most questions are asked of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from goprobe.runtime.world import World
from goprobe.target.core import CoreTarget, open_core
from scripts.fuzzing.oracle import Said, Teller, said_of_files, said_of_memory
from scripts.fuzzing.questions import OF_PROCESS, Asked
from tests.support.gdb import gdbs, write_core
from tests.support.go import build, running

PROGRAM = Path(__file__).parents[2] / "testdata" / "fuzz" / "tangle"


@dataclass(frozen=True)
class Standing:
    """A core of one Go release's program, and the program."""

    go: str
    build: str
    binary: Path
    core: Path

    @cached_property
    def target(self) -> CoreTarget:
        """Opened, with everything loaded that does not depend on the core's memory."""
        target = open_core(str(self.core), str(self.binary))
        program = target.program
        _ = program.lines, program.facts
        if not program.stripped:
            _ = program.debug.index
        return target

    @property
    def tells(self) -> Teller:
        """What is compared where its binary or its core is damaged."""
        return _of_files[bool(self.target.program.elf.symbols)]

    @property
    def tells_of_memory(self) -> Teller:
        """What is compared where its memory is damaged."""
        return _of_memory[bool(self.target.program.elf.symbols)]

    @cached_property
    def world(self) -> World:
        """Undamaged, for finding things in."""
        return self.target.world()

    @cached_property
    def addresses(self) -> tuple[int, ...]:
        """Some of every kind of memory: code, variables, heap, stacks, mappings, none."""
        world = self.world
        heap = [s.base + s.elemsize for s in world.heap.all_spans() if world.heap.in_use(s)]
        goroutines = [a for g in world.goroutines.all if g.low for a in (g.sp, g.low, g.address)]
        mappings = [m.low + m.size // 2 for m in world.mappings]
        roots = list(world.roots.values())
        found: list[int] = [0, (1 << 64) - 8, 0x1234]
        for some in (heap, goroutines, mappings, roots):
            found += some[:: max(len(some) // 12, 1)]
        return tuple(found)

    @cached_property
    def objects(self) -> tuple[int, ...]:
        """Beginnings of a few allocated objects of different sizes."""
        heap = self.world.heap
        spans = {s.elemsize: s for s in heap.all_spans() if heap.in_use(s) and s.freeindex}
        return tuple(s.base for s in spans.values())

    def honest(self, name: str, told: Teller) -> Said:
        """What the undamaged process's answer to a question says."""
        known = _honest.setdefault((self.core, name), {})
        if told not in known:
            asked = Asked(self.target, self.addresses, self.objects[0])
            known[told] = told(OF_PROCESS[name](asked))
        return known[told]


_of_files: dict[bool, Teller] = {b: partial(said_of_files, symbols=b) for b in (True, False)}
_of_memory: dict[bool, Teller] = {b: partial(said_of_memory, symbols=b) for b in (True, False)}
_honest: dict[tuple[Path, str], dict[Teller, Said]] = {}

BUILDS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "-N -l": ("-gcflags=all=-N -l",),
    "stripped": ("-ldflags=-s -w",),
    "PIE": ("-buildmode=pie",),
    "uncompressed": ("-ldflags=-compressdwarf=false",),
}


def standing(home: Path, go: str, kind: str = "plain") -> Standing:
    """Built, run until it stands, and written down by GDB."""
    binary = build(PROGRAM, go=go, flags=BUILDS[kind])
    core = home / f"{binary.parent.name}.core"
    if not core.exists():
        with running(binary) as program:
            write_core(program.pid, core, gdbs()[-1])
    return Standing(go, kind, binary, core)


def standings(home: Path, gos: Sequence[str], kinds: Sequence[str]) -> list[Standing]:
    return [standing(home, go, kind) for kind in kinds for go in gos]
