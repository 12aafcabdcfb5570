"""`goprobe escape`: what the compiler predicts of memory, held against what happens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec.structs import replace

from goprobe.cli.declare import Argument, Context, Option, program_args
from goprobe.cli.escapeoptions import Building, Comparing, Showing
from goprobe.cli.options import Output, Timeout, Toolchain, limit
from goprobe.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from goprobe.analysis.escape.escape import EscapeRequest
    from goprobe.analysis.escape.policy import Policy
    from goprobe.cli.output import Destination
    from goprobe.cli.settings import Settings
    from goprobe.model.escape import EscapeReport

_FOUND = 1
_NOT_WHOLE = 4
_HITS = 32
_AT_ONCE = 2
"""Packages looked at at a time: reading the code of each takes up to some 100 MB."""
_KEYS = (
    "packages", "test", "bench", "run", "static", "deep", "hits", "check-pointers", "tags",
    "gcflags", "pgo", "go", "baseline", "repeat", "fail-on", "timeout", "promise", "format",
    "output", "only", "file",
)  # fmt: skip


class Escape:
    name = "escape"
    takes_program_args = True

    def run(
        self,
        context: Context,
        *,
        targets: Annotated[list[str] | None, Argument(metavar="PACKAGE", hidden=True)] = None,
        test: Annotated[bool, Option("--test", help="Run the packages' tests.")] = False,
        bench: Annotated[
            str, Option("--bench", metavar="REGEX", help="Run these benchmarks.")
        ] = "",
        tests: Annotated[str, Option("--run", metavar="REGEX", help="Run only these tests.")] = "",
        static: Annotated[
            bool, Option("--static", help="Run nothing: look at the code alone.")
        ] = False,
        deep: Annotated[bool, Option("--deep", help="Take in the code of every package.")] = False,
        hits: Annotated[
            int,
            Option(
                "--hits",
                metavar="N",
                help="Look at the first N results of a call; up to 32 not at all of those alike.",
            ),
        ] = _HITS,
        check_pointers: Annotated[
            int,
            Option(
                "--check-pointers", metavar="N", help="Look for pointers into stacks every N hits."
            ),
        ] = 0,
        promises: Annotated[
            list[str] | None,
            Option(
                "--promise", metavar="'FUNC WORDS'", help="Check a promise: 'pkg.F noalloc deep'."
            ),
        ] = None,
        building: Building,
        comparing: Comparing,
        showing: Showing,
        output: Output,
        toolchain: Toolchain,
        timeout: Timeout = "",
    ) -> int:
        """Run a Go program and say of each prediction of its compiler whether it came true.

        PACKAGE is a Go package (a directory or an import path) or a .go file; with --diff the two
        reports, OLD.json NEW.json. The program is built optimised, as users build it. Lines of the
        source can hold promises that are checked: //goprobe:heap, //goprobe:stack,
        //goprobe:noalloc; of all that it calls, without a run, //goprobe:noalloc deep. --go takes
        releases too, as 1.26,1.27: what the last makes of the code that the others did not.
        goprobe.toml (table escape) or [tool.goprobe.escape] of pyproject.toml can hold these
        options.
        """
        from goprobe.analysis.escape.escape import EscapeRequest, Mode
        from goprobe.analysis.escape.gate import differing, gated
        from goprobe.analysis.escape.policy import policy, verdicts
        from goprobe.cli.run import say
        from goprobe.cli.settings import settings

        if comparing.diff:
            rules = policy(comparing.fail_on)
            old, new = _two_reports(targets or [], context)
            return _delivered(differing(old, new, rules), _place(output), rules, showing)
        ours = settings(self.name, _KEYS)
        rules = policy(ours.text("fail-on", comparing.fail_on))
        releases = [go for go in ours.text("go", toolchain.go).split(",") if go]
        baseline = ours.place("baseline", comparing.baseline)
        output = _with_settings(output, ours)
        showing = Showing(ours.text("only", showing.only), ours.texts("file", showing.files))
        verdicts(showing.only.split(","), "--only")
        if comparing.write_baseline:
            output = _with_baseline(output, baseline)
            rules, baseline = replace(rules, new_heap=False, growth=None), ""
        elif baseline and not comparing.baseline and static and not ours.flag("static", False):
            # A hook that proves promises in a project whose tests have a baseline.
            say(f"goprobe: --static: not compared with {baseline}, which is of a run")
            baseline = ""
            if not comparing.fail_on:
                rules = replace(rules, new_heap=False, growth=None)
        if rules.compares and not baseline and len(releases) < 2:
            raise UsageError(
                "--fail-on names changes, and there is nothing to compare with",
                hint="--baseline OLD.json, or --go V,V",
            )
        only, benchmarks = ours.text("run", tests), ours.text("bench", bench)
        time = ours.text("timeout", timeout)
        place = _place(output)
        request = EscapeRequest(
            targets=tuple(ours.texts("packages", targets)),
            mode=Mode.TEST if ours.flag("test", test) or benchmarks or only else Mode.PROGRAM,
            run=only,
            bench=benchmarks,
            static=ours.flag("static", static),
            args=program_args(context),
            hits=ours.number("hits", hits, _HITS),
            check_pointers=ours.number("check-pointers", check_pointers, 0),
            deep=ours.flag("deep", deep),
            repeat=ours.number("repeat", comparing.repeat, 1),
            promises=tuple(ours.texts("promise", promises)),
            files=tuple(showing.files or ()),
            flags=Building(
                tags=ours.text("tags", building.tags),
                gcflags=ours.texts("gcflags", building.gcflags),
                pgo=ours.text("pgo", building.pgo),
            ).flags,
            timeout=limit(time) if time else None,
            cwd=ours.folder if not targets else Path.cwd(),
        )
        report = _report(request, place, lambda r: gated(r, releases, baseline, rules))
        return _delivered(report, place, rules, showing)


def _with_settings(output: Output, ours: Settings) -> Output:
    """A file that the command line names is written instead of those of the settings."""
    from goprobe.report import all_formats

    form = output.format if output.json else ours.text("format", output.format)
    if output.path:
        return replace(output, format=form)
    paths = []
    for text in ours.texts("output", None):
        named, _, file = text.partition("=")
        named = named if file and named in all_formats() else ""
        path = ours.below(file if named else text)
        paths.append(f"{named}={path}" if named else path)
    return replace(output, format=form, path=paths or None)


def _with_baseline(output: Output, path: str) -> Output:
    if not path:
        raise UsageError("--write-baseline: no baseline is named", hint="--baseline FILE names it")
    return replace(output, path=[*(output.path or ()), f"json={path}"])


def _two_reports(targets: list[str], context: Context) -> tuple[str, str]:
    if len(targets) != 2 or program_args(context):
        raise UsageError("--diff takes two reports: goprobe escape --diff OLD.json NEW.json")
    return targets[0], targets[1]


def _place(output: Output) -> Destination:
    from goprobe.cli.output import destination
    from goprobe.model.escape import EscapeReport

    return destination(output, EscapeReport)


def _report(
    request: EscapeRequest, place: Destination, ask: Callable[[EscapeRequest], EscapeReport]
) -> EscapeReport:
    from goprobe.cli.progress import Progress
    from goprobe.importing import importing
    from goprobe.model.escape import EscapeReport
    from goprobe.report import text
    from goprobe.report.composers import composer_name

    later = [composer_name(EscapeReport, text.__name__)] if place.format == "text" else []
    with Progress() as progress, importing(*later):
        at_once = min(_AT_ONCE, len(os.sched_getaffinity(0)))
        return ask(
            replace(request, stdout=place.program_stdout, progress=progress, at_once=at_once)
        )


def _delivered(report: EscapeReport, place: Destination, rules: Policy, showing: Showing) -> int:
    from goprobe.analysis.escape.gate import part
    from goprobe.analysis.escape.policy import verdicts

    only = verdicts(showing.only.split(","), "--only")
    report = replace(report, fail_on=tuple(sorted(rules.verdicts)))
    place.deliver(part(report, sorted(only), showing.files or ()))
    return _exit_code(report, rules)


def _exit_code(report: EscapeReport, rules: Policy) -> int:
    """4 where the run was not seen to its end, or the program crashed: what was found is then not
    all there is."""
    from msgspec import UNSET

    end = report.exit
    killed = end is not UNSET and (end.signal is not UNSET or end.panicked)
    if report.partial or (killed and not report.failed):
        return _NOT_WHOLE
    broken = any(not assertion.held for assertion in report.assertions)
    failed = broken or report.failed or rules.failed(report)
    return _FOUND if failed or report.dangling else 0
