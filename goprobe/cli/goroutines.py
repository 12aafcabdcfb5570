"""`goprobe goroutines`: what the goroutines of a running process are doing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from goprobe.cli.declare import Option
from goprobe.cli.options import Output, Process

if TYPE_CHECKING:
    from goprobe.model.attached import GoroutinesReport
    from goprobe.target.live import AnyTarget

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
        waits: Annotated[
            bool,
            Option(
                "--waits",
                help="Show what each waits on, and who else has it; the exit code is 1 where some "
                "wait for each other for ever.",
            ),
        ] = False,
        output: Output,
    ) -> int:
        """List the goroutines of a running Go process, those with the same stack together.

        PROCESS is a process number or name (goprobe help processes), or a core file.
        """
        from goprobe.process.ptrace.priority import import_numpy

        import_numpy()
        from msgspec import UNSET

        from goprobe.cli.attach import answer
        from goprobe.model.attached import GoroutinesReport

        def code(report: GoroutinesReport) -> int:
            lost = report.leaks is not UNSET and report.leaks.leaked
            return _FINDINGS if lost or report.deadlocks else 0

        def ask(target: AnyTarget, progress: Callable[[str], None]) -> GoroutinesReport:
            if not waits and not leaked:
                from goprobe.analysis.goroutines.goroutines import goroutines

                return goroutines(target, stacks=stacks, each=every)
            from goprobe.analysis.waits.waits import in_graph

            return in_graph(
                target, stacks=stacks, each=every, only_leaked=leaked, progress=progress
            )

        return answer(process, output, GoroutinesReport, ask, code=code)
