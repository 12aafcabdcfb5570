"""`goprobe heap`: what is on the heap of a running process."""

from __future__ import annotations

from goprobe.cli.options import Output, Process


class Heap:
    name = "heap"
    takes_program_args = False

    def run(self, *, process: Process, output: Output) -> int:
        """Count the objects on the heap of a running Go process, by size class.

        PROCESS is a process number.
        """
        from goprobe.analysis.census import heap_census
        from goprobe.cli.attach import answer
        from goprobe.model.heap import HeapReport

        return answer(process, output, HeapReport, heap_census)
