"""`goprobe where`: what addresses of a running process are."""

from __future__ import annotations

from typing import Annotated

from goprobe.cli.declare import Argument
from goprobe.cli.options import Output, Process
from goprobe.errors import UsageError

_ADDRESS_BITS = 64


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

        PROCESS is a process number; an ADDRESS is hexadecimal, as Go's %p prints it.
        """
        from goprobe.analysis.where import where
        from goprobe.cli.attach import answer
        from goprobe.model.attached import WhereReport

        wanted = [_address(text) for text in addresses]
        return answer(process, output, WhereReport, lambda target: where(target, wanted))


def _address(text: str) -> int:
    """The address that a text stands for: 0xc000012040, or the same without 0x."""
    try:
        found = int(text.removeprefix("*"), 16)
    except ValueError:
        found = -1
    if not 0 <= found < 1 << _ADDRESS_BITS or "_" in text:
        raise UsageError(f"{text!r} is not an address", hint="addresses look like 0xc000012040")
    return found
