"""How many operations the benchmarks of a run did.

`testing` tells nobody but its own code: (*testing.B).runN gets how many it is to do (one first, to
see, and then as many as -benchtime asks for), and what came of them (N) becomes a line by
testing.BenchmarkResult.String. With b.Loop the benchmark does N of them in a single run of one
(testing/benchmark.go, runN, launch, loopSlowPath and processBench, Go 1.21 to 1.27).
"""

from __future__ import annotations

from collections.abc import Iterator

from goprobe.arch.registers import INTEGER_ARGUMENTS
from goprobe.errors import UnreadableError
from goprobe.model.escape import BenchmarkRun
from goprobe.process.memory.memory import Memory, u64
from goprobe.process.tracer.events import ProbeHit, ProbeSite
from goprobe.runtime.image.program import GoProgram

_RUN, _TOLD = "testing.(*B).runN", "testing.BenchmarkResult.String"
_MOST = 1 << 14
_NAME_MOST = 256
_FIRST, _SECOND = INTEGER_ARGUMENTS[:2]


class Benchmarks:
    """Those of one run. A breakpoint may be hit twice by one call, where its stack grows: no two
    runs of one benchmark are of the same length, and each is told of once."""

    def __init__(self, program: GoProgram) -> None:
        self._program = program
        functions = (program.lines.function_named(name) for name in (_RUN, _TOLD))
        self._run, self._told = (f.entry if f else 0 for f in functions)
        self._begun: dict[int, set[int]] = {}
        self._last = 0
        self._done: dict[str, int] = {}

    @property
    def probes(self) -> Iterator[ProbeSite]:
        for pc in filter(None, (self._run, self._told)):
            yield ProbeSite(pc, pc, _MOST)

    @property
    def runs(self) -> tuple[BenchmarkRun, ...]:
        """Of all that ran to their end, -count and -cpu taken together."""
        return tuple(BenchmarkRun(name, operations) for name, operations in self._done.items())

    def on_probe(self, hit: ProbeHit, memory: Memory) -> None:
        first = hit.registers[_FIRST]
        if hit.site.pc == self._run:
            self._begun.setdefault(first, set()).add(hit.registers[_SECOND])
            self._last = first
        elif hit.site.pc == self._told and (lengths := self._begun.pop(self._last, None)):
            name = self._name(self._last, memory)
            self._done[name] = self._done.get(name, 0) + max(sum(lengths), first)

    def _name(self, benchmark: int, memory: Memory) -> str:
        try:
            debug = self._program.debug
            at = debug.type_named("testing.common").member("name").offset
            at += debug.type_named("testing.B").member("common").offset + benchmark
            size = min(u64(memory, at + 8), _NAME_MOST)
            return memory.read(u64(memory, at), size).decode(errors="replace")
        except (KeyError, UnreadableError):
            return f"a benchmark at {benchmark:#x}"
