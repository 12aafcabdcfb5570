"""`goprobe where`: what addresses of a running process are."""

from __future__ import annotations

from typing import Annotated

from goprobe.cli.addresses import address, settled
from goprobe.cli.declare import Argument
from goprobe.cli.options import Output, Process


class Where:
    name = "where"
    takes_program_args = False

    def run(
        self,
        *,
        process: Process,
        addresses: Annotated[list[str], Argument(metavar="ADDRESS", hidden=True)],
        output: Output,
    ) -> int:
        """Say of addresses of a running Go process what they are, and how that is known.

        PROCESS is a process number or name (goprobe help processes), or a core file; an ADDRESS
        is hexadecimal, as Go's %p prints it, or decimal, as it prints a uintptr.
        """
        from goprobe.analysis.locate.where import where
        from goprobe.cli.attach import answer
        from goprobe.model.attached import WhereReport

        for text in addresses:
            address(text)  # nonsense is said before anything is read
        return answer(
            process,
            output,
            WhereReport,
            lambda target, progress: where(target, [settled(text, target) for text in addresses]),
        )
