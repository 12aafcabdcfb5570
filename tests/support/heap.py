"""Worlds of real processes for tests of the heap."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goprobe.analysis.heap.graph import HeapGraph
from goprobe.analysis.heap.snapshot import take
from goprobe.binary.elf.elf import ElfFile
from goprobe.process.memory.memory import ProcessMemory
from goprobe.process.proc.maps import read_maps
from goprobe.process.ptrace.stop import stopped
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.world import World, load_bias
from goprobe.target.goprocess import GoProcess
from goprobe.target.live import open_target
from tests.support.go import build, running

WITHOUT_NAMES = {
    "plain": (),
    "stripped": ("-ldflags=-s -w",),
    "pie": ("-ldflags=-s -w", "-buildmode=pie"),
    "unoptimized-stripped": ("-ldflags=-s -w", "-gcflags=all=-N -l"),
}
"""Builds that tell less and less of what variables hold, with the flags of go build."""
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


def told_objects(source: str, go: str, flags: tuple[str, ...]) -> list[tuple[str, str]]:
    """What each object of the program is that is in the heap, and what is told of it."""
    with running(build(TESTDATA / source, go=go, flags=flags)) as process:
        said = [line.split(" ", 2)[1:] for line in process.lines if line.startswith("obj ")]
        snapshot = take(open_target(process.pid))
        try:
            graph = HeapGraph(snapshot, lambda message: None)
            nodes = [(what, graph.node_at(int(at, 16))) for at, what in said]
            reached = graph.reachable
            return [
                (what, graph.type_name(node)) for what, node in nodes if node >= 0 and reached[node]
            ]
        finally:
            snapshot.close()
