"""`goprobe explore`: walk through the heap, the goroutines and the memory of a process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from goprobe.cli.options import Process
from goprobe.errors import CannotWorkError, UsageError

if TYPE_CHECKING:
    from goprobe.explore.asked import Asked, Saved


class Explore:
    name = "explore"
    takes_program_args = False

    def run(self, *, process: Process) -> int:
        """Walk through the heap, goroutines and memory of a Go process, as one walks a disk.

        PROCESS is a process number or name (goprobe help processes), a core file, a saved report
        (FILE.json, of heap, goroutines, maps, memory, escape or trace) or a folder of them (goprobe
        report). The process stands still for milliseconds at each look, never while you read. Press
        ? for the keys.
        """
        source = source_of(process)
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise UsageError(
                "explore needs a terminal", hint="goprobe heap PROCESS --retained needs none"
            )
        try:
            from goprobe.explore.app import Explorer
        except ImportError:
            raise CannotWorkError(
                "explore needs textual, which is not installed", hint="pip install 'textual>=1'"
            ) from None
        app = Explorer(source)
        app.run()
        if app.failed is not None:
            raise app.failed
        return 0


def source_of(process: Process) -> Asked | Saved:
    """Saved reports, or what goprobe's own commands are asked. Raises UsageError."""
    from pathlib import Path

    from goprobe.cli.attach import names_file
    from goprobe.explore.asked import Asked, Saved

    path = Path(process.process)
    if path.suffix == ".json" or path.is_dir():
        return Saved(path)
    words = [process.process if process.exe or names_file(process) else str(process.pid)]
    for option, value in (
        ("--assume-go", process.assume_go),
        ("--image", process.image),
        ("--exe", process.exe),
        ("--max-stop", process.max_stop),
    ):
        words += [option, value] if value else []
    return Asked(tuple(words))
