"""What the commands that look at a running process have in common. None of them uses GDB."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from goprobe.cli.options import Output, Process

if TYPE_CHECKING:
    from goprobe.analysis.hold import Target


def answer(process: Process, output: Output, kind: type, ask: Callable[[Target], object]) -> int:
    """Opens the process, asks, writes the report of struct type `kind`. The exit code is 0."""
    from goprobe.analysis.hold import open_target
    from goprobe.cli.output import destination
    from goprobe.cli.progress import Progress

    place = destination(output, kind)
    with Progress() as progress:
        progress(f"reading process {process.pid}")
        report = ask(open_target(process.pid, assume_go=process.assume_go))
    place.deliver(report)
    return 0
