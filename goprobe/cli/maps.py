"""`goprobe maps`: the memory of a running process as Go uses it."""

from __future__ import annotations

from goprobe.cli.options import Output, Process


class Maps:
    name = "maps"
    takes_program_args = False

    def run(self, *, process: Process, output: Output) -> int:
        """Draw the memory of a running Go process as Go uses it, with what of it is resident.

        PROCESS is a process number or name (goprobe help processes), or a core file.
        """
        from goprobe.analysis.locate.maps import maps
        from goprobe.cli.attach import answer
        from goprobe.model.attached import MapsReport

        return answer(process, output, MapsReport, lambda target, progress: maps(target))
