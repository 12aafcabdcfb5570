"""`goprobe explain`: the familiar picture of a Go program's memory, measured claim by claim."""

from __future__ import annotations

from typing import Annotated

from goprobe.cli.declare import Argument, Context, program_args
from goprobe.cli.options import Output, Patience, Tools


class Explain:
    name = "explain"
    takes_program_args = True

    def run(
        self,
        context: Context,
        *,
        target: Annotated[
            str, Argument(metavar="TARGET", help="A .go file, a package or a Go binary.")
        ] = "",
        output: Output,
        tools: Tools,
        patience: Patience,
    ) -> int:
        """Measure what a well-known picture says of a small Go program's memory.

        Without TARGET the program is a built-in "Hello, Go!".
        """
        from goprobe.analysis.explain.explain import explain
        from goprobe.analysis.trace.prepare import Launch
        from goprobe.cli.output import destination
        from goprobe.cli.progress import Progress
        from goprobe.model.explain import ExplainReport

        place = destination(output, ExplainReport)
        with Progress() as progress:
            report = explain(
                Launch(
                    target=target,
                    args=program_args(context),
                    go=tools.go,
                    gdb=tools.gdb,
                    timeout=patience.seconds,
                    stdout=place.program_stdout,
                    progress=progress,
                )
            )
        place.deliver(report)
        return 0
