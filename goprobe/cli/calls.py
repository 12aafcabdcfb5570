"""`goprobe calls`: each call of Go functions as it is made, like strace for system calls."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from goprobe.cli.declare import Argument, Context, Option, program_args
from goprobe.cli.lengths import length
from goprobe.cli.options import Output, Toolchain

if TYPE_CHECKING:
    from types import FrameType

    from goprobe.analysis.calls.calls import CallBegan, CallsRequest, CallWatch
    from goprobe.cli.output import Destination
    from goprobe.model.calls import CallRecord
    from goprobe.process.calltracer.plan import After
    from goprobe.target.goprocess import GoProcess


class Calls:
    name = "calls"
    takes_program_args = True

    def run(
        self,
        context: Context,
        *,
        target: Annotated[
            str, Argument(metavar="TARGET|PROCESS", help="A Go program to run, or a process.")
        ],
        patterns: Annotated[
            list[str], Argument(metavar="PATTERN...", help="main.add, main.(*Store).*, net/http.*")
        ],
        arguments: Annotated[bool, Option("--args", help="Show the arguments.")] = False,
        results: Annotated[bool, Option("--results", help="Show the results.")] = False,
        stack: Annotated[bool, Option("--stack", help="Show who calls.")] = False,
        count: Annotated[bool, Option("--count", help="Count the calls only.")] = False,
        duration: Annotated[
            str, Option("--for", metavar="TIME", help="End the watch after so long: 10s, 2m.")
        ] = "",
        optimized: Annotated[
            bool, Option("--optimized", help="Build as users ship: with the optimiser on.")
        ] = False,
        output: Output,
        toolchain: Toolchain,
    ) -> int:
        """Show each call of Go functions as it is made, in a program or a running process.

        TARGET is a .go file, a package or a Go binary, which is run; or a process number, and
        that process runs on, unharmed, when the watch ends (Ctrl-C, or --for). Times are without
        those for which goprobe stops a call, but hold some microseconds of what that costs, the
        first call's most.
        """
        from goprobe.analysis.calls.calls import CallsRequest
        from goprobe.cli.output import destination
        from goprobe.model.calls import CallsReport

        request = CallsRequest(
            patterns=tuple(patterns),
            arguments=arguments,
            results=results,
            stack=stack,
            counts=count,
            seconds=length("--for", duration) if duration else None,
        )
        place = destination(output, CallsReport)
        if (pid := _pid_of(target)) is not None:
            return _attached(pid, request, place)
        return _launched(
            target, program_args(context), request, place, optimized=optimized, go=toolchain.go
        )


def _pid_of(target: str) -> int | None:
    """Of a process that runs; None for what is to be started: a file, a folder, a package."""
    if Path(target).exists():
        return None
    if target.isascii() and target.isdecimal():
        return int(target)
    from goprobe.target.naming import process_called, processes_called

    return process_called(target) if "/" not in target and processes_called(target) else None


def _attached(pid: int, request: CallsRequest, place: Destination) -> int:
    from goprobe.process.calltracer.plan import After
    from goprobe.target.live import open_target

    return _watched(open_target(pid).process, request, place, After.GO)


def _launched(
    target: str, args: tuple[str, ...], request: CallsRequest, place: Destination, *,
    optimized: bool, go: str,
) -> int:  # fmt: skip
    from goprobe.analysis.calls.launched import launched
    from goprobe.cli.progress import Progress
    from goprobe.process.calltracer.plan import After

    with (
        Progress() as progress,
        launched(
            target, args, optimized=optimized, go=go, progress=progress,
            stdout=place.program_stdout,
        ) as process,
    ):  # fmt: skip
        progress("")
        return _watched(process, request, place, After.KILL)


def _watched(process: GoProcess, request: CallsRequest, place: Destination, after: After) -> int:
    from goprobe.analysis.calls.calls import CallWatch

    with CallWatch(process, request, after) as watch:
        lines = bytearray()
        write = _writer(place, lines)
        with _interruptible(watch):
            for event in watch.events():
                write(event)
    write(None)
    if place.format == "json":
        from goprobe.model.codec import to_json

        place.write(bytes(lines) + to_json(watch.report) + b"\n")
        place.deliver_beside(watch.report)
    else:
        place.deliver(watch.report, before=bytes(lines))
    watch.check()
    return 0


def _writer(place: Destination, kept: bytearray) -> Callable[[CallBegan | CallRecord | None], None]:
    """Writes each event as it comes, in lines of text or of JSON; nothing where a page is wanted. A
    file is written in one piece: what it is to hold is kept until then."""
    from goprobe.model.calls import CallRecord
    from goprobe.model.codec import to_json
    from goprobe.report.text.calltree import CallTree

    tree = CallTree(place.options)
    put = place.write if place.streams else kept.extend

    def line_of_json(event: CallBegan | CallRecord | None) -> None:
        if isinstance(event, CallRecord):
            put(to_json(event) + b"\n")

    def lines_of_text(event: CallBegan | CallRecord | None) -> None:
        if event is None:
            lines = tree.pending()
        else:
            lines = tree.ended(event) if isinstance(event, CallRecord) else tree.began(event)
        put("".join(lines).encode(errors="replace"))

    if place.format == "json":
        return line_of_json
    return lines_of_text if place.format == "text" else lambda _event: None


@contextmanager
def _interruptible(watch: CallWatch) -> Iterator[None]:
    """The first Ctrl-C ends the watch, and what was seen is told; the second ends goprobe."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        watch.stop()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        sys.stdout.flush()
