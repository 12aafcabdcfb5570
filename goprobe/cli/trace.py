"""`goprobe trace`: where the variables of a Go program live, and where their bytes do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from msgspec.structs import replace

from goprobe.cli.declare import Argument, Context, Option, program_args
from goprobe.cli.options import Output, Patience, Tools
from goprobe.errors import UsageError

if TYPE_CHECKING:
    from goprobe.analysis.trace.trace import TraceRequest

_BREAK = "Stop at pkg.Func, pkg.(*T).Method, file.go:LINE or *0xADDR; may be given more than once."


class Trace:
    name = "trace"
    takes_program_args = True

    def run(
        self,
        context: Context,
        *,
        target: Annotated[str, Argument(metavar="TARGET", hidden=True)],
        breaks: Annotated[list[str] | None, Option("--break", metavar="WHERE", help=_BREAK)] = None,
        variables: Annotated[
            list[str] | None,
            Option("--var", metavar="NAME", help="Answer for this variable; repeatable."),
        ] = None,
        optimized: Annotated[
            bool, Option("--optimized", help="Build as users ship: with the optimiser on.")
        ] = False,
        compare: Annotated[
            bool,
            Option("--compare", help="Hold the builds against each other."),
        ] = False,
        output: Output,
        tools: Tools,
        patience: Patience,
    ) -> int:
        """Run a Go program under GDB and say where its variables and their bytes live.

        TARGET is a .go file, a Go package (a directory or an import path) or a compiled Go
        binary. It stops at main.main and fmt.Println, or at each --break.
        """
        if compare and optimized:
            raise UsageError("--compare builds both ways: it does not go with --optimized")
        from goprobe.analysis.trace.gdb_start import gdb_ahead

        with gdb_ahead(tools.gdb) as gdb:  # starts while the rest is imported
            from goprobe.analysis.trace.trace import TraceRequest

            request = TraceRequest(
                target=target,
                args=program_args(context),
                breaks=tuple(breaks or ()),
                variables=tuple(variables or ()),
                optimized=optimized,
                go=tools.go or None,
                gdb=tools.gdb or None,
                timeout=patience.seconds,
                started=gdb,
                tells_when_interrupted=not compare,
            )
            return _compare(request, output) if compare else _trace(request, output)


def _trace(request: TraceRequest, output: Output) -> int:
    from goprobe.analysis.trace.trace import trace
    from goprobe.model.trace import TraceReport

    return _delivered(request, output, trace, TraceReport)


def _compare(request: TraceRequest, output: Output) -> int:
    from goprobe.analysis.trace.compare import compare
    from goprobe.model.compare import CompareReport

    return _delivered(request, output, compare, CompareReport)


def _delivered(
    request: TraceRequest,
    output: Output,
    question: Callable[[TraceRequest], object],
    report_type: type,
) -> int:
    from goprobe.cli.output import destination
    from goprobe.cli.progress import Progress

    place = destination(output, report_type)
    with Progress() as progress:
        report = question(replace(request, stdout_fd=place.program_stdout, progress=progress))
    place.deliver(report, variables=request.variables)
    return 0
