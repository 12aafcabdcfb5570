"""`goprobe doctor`: whether goprobe can work on this machine, and what to do where it cannot."""

from __future__ import annotations

from goprobe.cli.options import Output, Tools

_CANNOT_WORK = 3


class Doctor:
    name = "doctor"
    takes_program_args = False

    def run(self, *, output: Output, tools: Tools) -> int:
        """Check that goprobe can work here: Go, GDB, permissions, and a tiny program traced.

        The exit code is 0 where it can and 3 where it cannot.
        """
        from goprobe.analysis.doctor import examine
        from goprobe.cli.output import destination
        from goprobe.cli.progress import Progress
        from goprobe.model.doctor import DoctorReport

        place = destination(output, DoctorReport)
        with Progress() as progress:
            report = examine(tools.go or None, tools.gdb or None, progress)
        place.deliver(report)
        return 0 if report.works else _CANNOT_WORK
