"""`goprobe ps`: the Go programs that run on this machine."""

from __future__ import annotations

from goprobe.cli.options import Output


class Ps:
    name = "ps"
    takes_program_args = False

    def run(self, *, output: Output) -> int:
        """List the Go processes that run on this machine.

        None of them is stopped. Goroutines are counted where goprobe may read the process.
        """
        from goprobe.analysis.ps import ps
        from goprobe.cli.output import destination
        from goprobe.cli.progress import Progress
        from goprobe.model.ps import PsReport

        place = destination(output, PsReport)
        with Progress() as progress:
            report = ps(progress)
        place.deliver(report)
        return 0
