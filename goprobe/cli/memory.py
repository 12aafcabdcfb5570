"""`goprobe memory`: why a process is as large as it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import msgspec

from goprobe.cli.declare import Option
from goprobe.cli.lengths import length
from goprobe.cli.options import Output, Process
from goprobe.errors import UsageError

if TYPE_CHECKING:
    from goprobe.cli.output import Destination
    from goprobe.model.memory import MemoryReport
    from goprobe.target.live import AnyTarget

_KEPT = 60
_REPEATED = ("text", "json", "openmetrics")


class Repetition(msgspec.Struct, frozen=True):
    """How often it is looked at."""

    every: Annotated[
        str, Option("--every", metavar="TIME", help="Look again after so long, until Ctrl-C.")
    ] = ""
    count: Annotated[
        int, Option("--count", metavar="N", help="Look so many times with --every.")
    ] = 0

    def check(self, output: Output) -> None:
        """Raises UsageError where the options contradict each other."""
        if self.every:
            length("--every", self.every)
            if output.format_name not in _REPEATED:
                raise UsageError(f"--every writes {' or '.join(_REPEATED)}")
        elif self.count:
            raise UsageError("--count says how often --every looks, and that is not given")
        if self.count < 0:
            raise UsageError("--count takes a number from 1 on")


class Memory:
    name = "memory"
    takes_program_args = False

    def run(self, *, process: Process, repetition: Repetition, output: Output) -> int:
        """Say what the memory of a running Go process is for, and why there is so much of it.

        PROCESS is a process number, or a core file with --exe BINARY. The parts add up to what
        the kernel says is resident. With --every it is shown live, with rates; --json then writes
        a line for each look.
        """
        from goprobe.analysis.memory.memory import memory
        from goprobe.cli.attach import answer
        from goprobe.model.memory import MemoryReport

        repetition.check(output)
        if repetition.every:
            return _repeated(process, repetition, output)
        return answer(process, output, MemoryReport, lambda target, _: memory(target))


def _repeated(process: Process, repetition: Repetition, output: Output) -> int:
    from goprobe.cli.attach import ended, opened
    from goprobe.cli.output import destination
    from goprobe.errors import TargetGoneError
    from goprobe.model.memory import MemoryReport

    place = destination(output, MemoryReport)
    target = opened(process)
    looked = False
    try:
        for reports in _looks(target, repetition):
            _show(place, reports)
            looked = True
    except KeyboardInterrupt:
        if not looked:
            raise
    except TargetGoneError:
        if not looked:
            raise
    return ended(target)


def _looks(target: AnyTarget, repetition: Repetition) -> Iterator[list[MemoryReport]]:
    """The last looks, the latest last, each time one has been made."""
    import time

    from goprobe.analysis.memory.memory import memory
    from goprobe.analysis.memory.rates import with_rates

    pause = length("--every", repetition.every)
    kept: list[MemoryReport] = []
    number, then = 0, 0.0
    while not repetition.count or number < repetition.count:
        if number:
            time.sleep(pause)
        report, now = memory(target), time.monotonic()
        kept.append(with_rates(report, kept[-1], now - then) if kept else report)
        then, number = now, number + 1
        del kept[:-_KEPT]
        yield kept


def _show(place: Destination, reports: list[MemoryReport]) -> None:
    """As a line of JSON, or as a screen that takes the place of the one before on a terminal."""
    from goprobe.report import render

    report = reports[-1]
    if place.format == "json":
        from goprobe.model.codec import to_json
        from goprobe.report.escaping import escape_json

        place.write(escape_json(to_json(report)) + b"\n")
    elif place.format == "text":
        from goprobe.report.text.memory import history

        screen = render(report, "text", place.options) + history(reports, place.options)
        place.write((b"\x1b[H\x1b[2J" if place.options.colour else b"") + screen)
    else:
        place.write(render(report, place.format, place.options))
