"""`goprobe escape`: what the compiler predicts of memory, held against what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec.structs import replace

from goprobe.cli.declare import Argument, Context, Option, program_args
from goprobe.cli.options import Output, Timeout, Toolchain, limit
from goprobe.errors import UsageError

if TYPE_CHECKING:
    from goprobe.analysis.escape.escape import EscapeRequest
    from goprobe.model.escape import EscapeReport, Verdict

_FOUND = 1
_NOT_WHOLE = 4


class Escape:
    name = "escape"
    takes_program_args = True

    def run(
        self,
        context: Context,
        *,
        targets: Annotated[list[str], Argument(metavar="PACKAGE", hidden=True)],
        test: Annotated[bool, Option("--test", help="Run the packages' tests.")] = False,
        bench: Annotated[
            str, Option("--bench", metavar="REGEX", help="Run these benchmarks.")
        ] = "",
        only: Annotated[str, Option("--run", metavar="REGEX", help="Run only these tests.")] = "",
        static: Annotated[
            bool, Option("--static", help="Run nothing: look at the code alone.")
        ] = False,
        deep: Annotated[bool, Option("--deep", help="Take in the code of every package.")] = False,
        hits: Annotated[
            int, Option("--hits", metavar="N", help="Look at the first N results of a call.")
        ] = 32,
        check_pointers: Annotated[
            int,
            Option(
                "--check-pointers", metavar="N", help="Look for pointers into stacks every N hits."
            ),
        ] = 0,
        fail_on: Annotated[
            str,
            Option("--fail-on", metavar="VERDICT,...", help="Exit with 1 on these verdicts."),
        ] = "",
        output: Output,
        toolchain: Toolchain,
        timeout: Timeout = "",
    ) -> int:
        """Run a Go program and say of each prediction of its compiler whether it came true.

        PACKAGE is a Go package (a directory or an import path) or a .go file. The program is
        built optimised, as users build it. Lines of the source can hold promises that are
        checked: //goprobe:heap, //goprobe:stack, //goprobe:noalloc.
        """
        from goprobe.analysis.escape.escape import EscapeRequest, Mode

        alarms = _verdicts(fail_on)
        request = EscapeRequest(
            targets=tuple(targets),
            mode=Mode.TEST if test or bench or only else Mode.PROGRAM,
            run=only,
            bench=bench,
            static=static,
            args=program_args(context),
            hits=hits,
            check_pointers=check_pointers,
            deep=deep,
            go=toolchain.go,
            timeout=limit(timeout) if timeout else None,
        )
        return _exit_code(_report(request, output), alarms)


def _report(request: EscapeRequest, output: Output) -> EscapeReport:

    from goprobe.analysis.escape.escape import escape
    from goprobe.cli.output import destination
    from goprobe.cli.progress import Progress
    from goprobe.model.escape import EscapeReport

    place = destination(output, EscapeReport)
    with Progress() as progress:
        report = escape(replace(request, stdout=place.program_stdout, progress=progress))
    place.deliver(report)
    return report


def _verdicts(text: str) -> frozenset[Verdict]:
    from goprobe.model.escape import Verdict

    verdicts = set()
    for word in filter(None, text.split(",")):
        try:
            verdicts.add(Verdict(word.strip()))
        except ValueError:
            raise UsageError(
                f"--fail-on knows no verdict {word.strip()!r}",
                hint=f"verdicts: {', '.join(Verdict)}",
            ) from None
    return frozenset(verdicts)


def _exit_code(report: EscapeReport, alarms: frozenset[Verdict]) -> int:
    """4 where the run was not seen to its end, or a signal ended it: what was found is then not
    all there is."""
    from msgspec import UNSET

    from goprobe.model.escape import Verdict

    killed = report.exit is not UNSET and report.exit.signal is not UNSET
    if report.partial or killed:
        return _NOT_WHOLE
    bad = alarms | {Verdict.CONTRADICTED}
    bad_site = any(site.verdict in bad for site in report.sites)
    broken = any(not assertion.held for assertion in report.assertions)
    return _FOUND if bad_site or broken or report.dangling else 0
