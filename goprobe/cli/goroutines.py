"""`goprobe goroutines`: what the goroutines of a running process are doing."""

from __future__ import annotations

from typing import Annotated

from goprobe.cli.declare import Option
from goprobe.cli.options import Output, Process


class Goroutines:
    name = "goroutines"
    takes_program_args = False

    def run(
        self,
        *,
        process: Process,
        stacks: Annotated[bool, Option("--stacks", help="Show whole stacks.")] = False,
        every: Annotated[
            bool, Option("--all", help="Show each goroutine by itself, not in groups.")
        ] = False,
        output: Output,
    ) -> int:
        """List the goroutines of a running Go process, those with the same stack together.

        PROCESS is a process number.
        """
        from goprobe.process.ptrace.priority import import_numpy

        import_numpy()
        from goprobe.analysis.goroutines.goroutines import goroutines
        from goprobe.cli.attach import answer
        from goprobe.model.attached import GoroutinesReport

        return answer(
            process,
            output,
            GoroutinesReport,
            lambda target: goroutines(target, stacks=stacks, each=every),
        )
