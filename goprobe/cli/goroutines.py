"""`goprobe goroutines`: what the goroutines of a running process are doing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import msgspec

from goprobe.cli.declare import Option
from goprobe.cli.lengths import length
from goprobe.cli.options import Output, Process
from goprobe.errors import UsageError

if TYPE_CHECKING:
    from goprobe.analysis.goroutines.chosen import Chosen
    from goprobe.model.attached import GoroutinesReport
    from goprobe.target.live import AnyTarget

_FINDINGS = 1


class Choice(msgspec.Struct, frozen=True):
    """Which goroutines are asked about, and in which order."""

    within: Annotated[
        str,
        Option(
            "--in", metavar="NAME", help="Only those in a function, type or package, or made there."
        ),
    ] = ""
    state: Annotated[
        str, Option("--state", metavar="STATE", help="Only those: running, select, chan send ...")
    ] = ""
    older: Annotated[
        str, Option("--older", metavar="TIME", help="Only those blocked for so long: 30s, 5m.")
    ] = ""
    id: Annotated[
        list[str] | None, Option("--id", metavar="N,...", help="Only those with these numbers.")
    ] = None
    label: Annotated[
        list[str] | None,
        Option("--label", metavar="K=V", help="Only those with this pprof label."),
    ] = None
    user: Annotated[bool, Option("--user", help="Leave out the runtime's own.")] = False
    sort: Annotated[
        str, Option("--sort", metavar="BY", help="The most first: count, age or memory.")
    ] = "count"

    def chosen(self) -> Chosen:
        """Raises UsageError."""
        from goprobe.analysis.goroutines.chosen import Chosen

        pairs = [label.partition("=") for label in self.label or ()]
        for key, equals, _ in pairs:
            if not (key and equals):
                raise UsageError(f"--label {key!r} is no label", hint="for example queue=mail")
        return Chosen(
            within=self.within,
            state=self.state,
            older_us=int(length("--older", self.older) * 1e6) if self.older else 0,
            ids=frozenset(map(_number, ",".join(self.id).split(","))) if self.id else frozenset(),
            labels=tuple((key, value) for key, _, value in pairs),
            user=self.user,
            order=self.sort,
        )


def _number(word: str) -> int:
    if not (word.isascii() and word.isdecimal()) or len(word) > 19:
        raise UsageError(f"--id {word!r} is no goroutine's number", hint="for example --id 7,12")
    return int(word)


class Goroutines:
    name = "goroutines"
    takes_program_args = False

    def run(
        self,
        *,
        process: Process,
        stacks: Annotated[bool, Option("--stacks", help="Show whole stacks.")] = False,
        every: Annotated[
            bool, Option("--all", help="Show each goroutine by itself, not in groups.")
        ] = False,
        variables: Annotated[
            bool, Option("--locals", help="Show the variables of the program's own frames.")
        ] = False,
        waits: Annotated[
            bool,
            Option(
                "--waits",
                help="Show what each waits on, and who else has it; the exit code is 1 where some "
                "wait for each other for ever.",
            ),
        ] = False,
        leaked: Annotated[
            bool,
            Option(
                "--leaked",
                help="Show those that can never run again, for nothing that can run leads to what "
                "they wait on, and what they keep; the exit code is 1 where there are any.",
            ),
        ] = False,
        contention: Annotated[
            bool,
            Option(
                "--contention",
                help="Show where goroutines have waited, and who let them wait for locks, as the "
                "runtime's own profiles have it.",
            ),
        ] = False,
        choice: Choice,
        output: Output,
    ) -> int:
        """List the goroutines of a running Go process, those with the same stack together.

        PROCESS is a process number or name (goprobe help processes), or a core file.
        """
        from goprobe.process.ptrace.priority import import_numpy

        import_numpy()
        from msgspec import UNSET

        from goprobe.cli.attach import answer
        from goprobe.model.attached import GoroutinesReport

        chosen = choice.chosen()

        def code(report: GoroutinesReport) -> int:
            lost = report.leaks is not UNSET and report.leaks.leaked
            dead = report.deadlocks is not UNSET and any(not d.possible for d in report.deadlocks)
            return _FINDINGS if lost or dead else 0

        def ask(target: AnyTarget, progress: Callable[[str], None]) -> GoroutinesReport:
            from goprobe.analysis.locals.ask import GoroutineQuestions, goroutines_of

            questions = GoroutineQuestions(
                stacks=stacks,
                each=every,
                locals=variables,
                waits=waits,
                leaked=leaked,
                chosen=chosen,
            )
            report = goroutines_of(target, questions, progress=progress)
            if contention:
                from goprobe.analysis.goroutines.contention import with_contention

                return with_contention(target, report)
            return report

        return answer(process, output, GoroutinesReport, ask, code=code)
