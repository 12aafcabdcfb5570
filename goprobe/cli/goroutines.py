"""`goprobe goroutines`: what the goroutines of a running process are doing."""

from __future__ import annotations

from typing import Annotated

from goprobe.cli.declare import Option
from goprobe.cli.options import Output, Process

_FINDINGS = 1


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
        leaked: Annotated[
            bool,
            Option(
                "--leaked",
                help="Show those that can never run again, for nothing that can run leads to what "
                "they wait on, and what they keep; the exit code is 1 where there are any.",
            ),
        ] = False,
        output: Output,
    ) -> int:
        """List the goroutines of a running Go process, those with the same stack together.

        PROCESS is a process number.
        """
        from goprobe.process.ptrace.priority import import_numpy

        import_numpy()
        from goprobe.cli.attach import answer
        from goprobe.model.attached import GoroutinesReport

        if leaked:
            return self._leaked(process, output, stacks=stacks)
        from goprobe.analysis.goroutines.goroutines import goroutines

        return answer(
            process,
            output,
            GoroutinesReport,
            lambda target, progress: goroutines(target, stacks=stacks, each=every),
        )

    @staticmethod
    def _leaked(process: Process, output: Output, *, stacks: bool) -> int:
        from msgspec import UNSET

        from goprobe.analysis.leaks.leaks import leaked
        from goprobe.cli.attach import answer
        from goprobe.model.attached import GoroutinesReport

        def code(report: GoroutinesReport) -> int:
            return _FINDINGS if report.leaks is not UNSET and report.leaks.leaked else 0

        return answer(
            process,
            output,
            GoroutinesReport,
            lambda target, progress: leaked(target, stacks=stacks, progress=progress),
            code=code,
        )
