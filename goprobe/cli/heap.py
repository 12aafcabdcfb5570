"""`goprobe heap`: what is on the heap of a running process, and who keeps it there."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from goprobe.cli.addresses import address_or_name, settled
from goprobe.cli.declare import Option
from goprobe.cli.lengths import length
from goprobe.cli.options import Output, Process
from goprobe.errors import UsageError
from goprobe.files import read_regular

if TYPE_CHECKING:
    from goprobe.analysis.heap.questions import HeapQuestions
    from goprobe.model.heap import EarlierHeap, HeapReport
    from goprobe.runtime.profiles.memoryprofile import MemoryProfile
    from goprobe.target.live import AnyTarget

_FINDINGS = 1
_REPORT_LIMIT = 1 << 30
_MOST_RATE = 1 << 40  # bytes: beyond that nothing would be sampled
_USUAL_RATE = 512 << 10  # runtime.MemProfileRate, mprof.go, Go 1.21 to 1.27


class Questions(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked besides the census."""

    types: Annotated[bool, Option("--types", help="Count objects by Go type.")] = False
    retained: Annotated[
        bool, Option("--retained", help="Say what each type and root alone keeps.")
    ] = False
    path_to: Annotated[
        str | None,
        Option("--path", metavar="OBJECT", help="Say which root keeps it (help objects)."),
    ] = None
    paths: Annotated[
        int, Option("--paths", metavar="N", help="Show so many paths with --path.")
    ] = 1
    referrers: Annotated[
        str | None, Option("--referrers", metavar="OBJECT", help="Say who points at it.")
    ] = None
    object: Annotated[
        str | None,
        Option("--object", metavar="OBJECT", help="Show its value: entries, elements, fields."),
    ] = None
    dangling: Annotated[bool, Option("--dangling", help="List pointers to what is no object.")] = (
        False
    )
    unreachable: Annotated[
        bool, Option("--unreachable", help="Count garbage that waits, by type.")
    ] = False
    waste: Annotated[
        bool, Option("--waste", help="Say which bytes live and serve nobody, and what helps.")
    ] = False
    leaked: Annotated[
        bool,
        Option(
            "--leaked",
            help="Say what goroutines keep that can never run again; the exit code is 1 where "
            "there are any.",
        ),
    ] = False
    snapshot: Annotated[
        str,
        Option(
            "--snapshot",
            metavar="stop|fork",
            help="Read the process while it stands, or a copy of it.",
        ),
    ] = ""

    sites: Annotated[
        bool,
        Option("--sites", help="Say which stacks allocated what, as the runtime sampled it."),
    ] = False
    raw: Annotated[
        bool, Option("--raw", help="With --sites: what was sampled, not scaled to the whole.")
    ] = False
    sample: Annotated[
        bool, Option("--sample", help="Count the types in as much of the heap as fits here.")
    ] = False

    def asked(self, *, growth: bool) -> HeapQuestions:
        """Raises UsageError where they make no sense. Growth is told by type and root."""
        from goprobe.analysis.heap.questions import HeapQuestions

        if self.snapshot not in ("", "stop", "fork"):
            raise UsageError(f"--snapshot takes stop or fork, not {self.snapshot!r}")
        if not 0 < self.paths <= 1000:
            raise UsageError("--paths takes a number from 1 to 1000")
        return HeapQuestions(
            types=self.types or growth,
            retained=self.retained or growth,
            path=address_or_name(self.path_to) if self.path_to is not None else 0,
            paths=self.paths,
            referrers=address_or_name(self.referrers) if self.referrers is not None else 0,
            object=address_or_name(self.object) if self.object is not None else 0,
            dangling=self.dangling,
            unreachable=self.unreachable,
            waste=self.waste,
            leaked=self.leaked,
            snapshot=self.snapshot,
            sample=self.sample,
            sites=self.sites,
            raw=self.raw,
        )

    def settled(self, asked: HeapQuestions, target: AnyTarget) -> HeapQuestions:
        """The same with addresses as they are meant in this process."""
        texts = {"path": self.path_to, "referrers": self.referrers, "object": self.object}
        addresses = {
            name: settled(text, target)
            for name, text in texts.items()
            if isinstance(getattr(asked, name), int) and text
        }
        if 0 in addresses.values():
            raise UsageError("0x0 is nil, and no object lies there")
        return replace(asked, **addresses)


class Sampling(msgspec.Struct, frozen=True):
    """Whether the program is made to sample its allocations, for how long and how often."""

    sample_for: Annotated[
        str,
        Option(
            "--sample-for",
            metavar="TIME",
            help="Have the program sample for so long, and say --sites: it changes one word there.",
        ),
    ] = ""
    rate: Annotated[
        int,
        Option(
            "--rate",
            metavar="BYTES",
            help="Sample one object for each BYTES allocated, 1 for all.",
        ),
    ] = _USUAL_RATE

    def check(self) -> None:
        """Raises UsageError where the options make no sense together."""
        if not self.sample_for:
            if self.rate != _USUAL_RATE:
                raise UsageError("--rate says how often --sample-for samples: that is not given")
            return
        length("--sample-for", self.sample_for)
        if not 1 <= self.rate <= _MOST_RATE:
            raise UsageError(f"--rate takes a number from 1 to {_MOST_RATE}")


class Comparison(msgspec.Struct, frozen=True):
    """What the heap is compared with: an older report, or itself a while ago."""

    diff: Annotated[
        str,
        Option(
            "--diff",
            metavar="OLD.json",
            help="Say what has grown since a report, of what that tells.",
        ),
    ] = ""
    every: Annotated[
        str, Option("--every", metavar="TIME", help="Look again after so long (30s, 5m).")
    ] = ""
    count: Annotated[
        int, Option("--count", metavar="N", help="Look so many times with --every: 2 unless said.")
    ] = 0

    @property
    def wanted(self) -> bool:
        return bool(self.diff or self.every)

    @property
    def looks(self) -> int:
        return self.count or 2

    def check(self) -> None:
        """Raises UsageError where the options contradict each other."""
        if self.diff and self.every:
            raise UsageError("--diff and --every contradict each other")
        if self.every:
            length("--every", self.every)
            if not 2 <= self.looks <= 100_000:
                raise UsageError("--count takes a number from 2 to 100000")
        elif self.count:
            raise UsageError(
                "--count says how often --every looks, and that is not given",
                hint=f"--every 30s --count {self.count}",
            )


class Heap:
    name = "heap"
    takes_program_args = False

    def run(
        self,
        *,
        process: Process,
        questions: Questions,
        sampling: Sampling,
        comparison: Comparison,
        output: Output,
    ) -> int:
        """Count the objects on the heap of a running Go process, and say who keeps them.

        PROCESS is a process number or name (goprobe help processes), or a core file; an OBJECT
        is an address as Go's %p prints it, a package-level variable, or a type: main.sessions,
        main.Session#3. The exit code is 1 where --dangling or --leaked finds something.
        """
        from goprobe.cli.attach import tell_of_stop
        from goprobe.cli.output import destination
        from goprobe.cli.progress import Progress
        from goprobe.model.heap import HeapReport
        from goprobe.process.ptrace.priority import import_numpy

        comparison.check()
        sampling.check()
        if sampling.sample_for:
            questions = replace(questions, sites=True)
        if questions.raw and not questions.sites:
            raise UsageError("--raw is about the figures of --sites, and that is not given")
        if sampling.sample_for and comparison.every:
            raise UsageError("--sample-for and --every contradict each other")
        import_numpy()
        drawn = "html" in output.formats or ("pprof" in output.formats and not questions.sites)
        asked = questions.asked(growth=comparison.wanted or drawn)
        if "html" in output.formats:
            asked = replace(asked, examples=asked.of_types)
        old = old_report(comparison.diff) if comparison.diff else None
        place = destination(output, HeapReport)
        with Progress() as progress:
            progress(f"reading {process.process}")
            look = _Look(process, questions, asked, drawn, progress)
            if sampling.sample_for:
                report = look.sampled(sampling)
            else:
                report = look.repeatedly(comparison, place.tell) if comparison.every else look()
        if old is not None:
            from goprobe.analysis.heap.growth import compared

            report = compared(old, report)
        place.deliver(report)
        tell_of_stop(process, report)
        lost = questions.leaked and report.leaks is not UNSET and report.leaks.leaked
        dangling = questions.dangling and report.dangling
        return look.ended(_FINDINGS if dangling or lost else 0)


class _Look:
    """One look at the heap, any number of times."""

    def __init__(
        self,
        process: Process,
        questions: Questions,
        asked: HeapQuestions,
        drawn: bool,
        progress: Callable[[str], None],
    ) -> None:
        from goprobe.cli.attach import opened

        self._target: AnyTarget = opened(process)
        self._asked = questions.settled(asked, self._target)
        self._drawn = drawn
        self._progress = progress

    def __call__(self, earlier: MemoryProfile | None = None) -> HeapReport:
        """`earlier`: the profile after which what is sampled counts."""
        if not self._asked.of_pointers and not self._asked.sites:
            from goprobe.analysis.heap.census import heap_census  # all else takes longer to load

            return heap_census(self._target, progress=self._progress)
        if self._asked.waste or self._asked.of_leaks or self._asked.examples:
            from goprobe.analysis.heapasked import heap_asked

            return heap_asked(
                self._target,
                self._asked,
                progress=self._progress,
                profile=self._drawn,
                earlier=earlier,
            )
        from goprobe.analysis.heap.heap import heap

        return heap(
            self._target,
            self._asked,
            progress=self._progress,
            profile=self._drawn,
            earlier=earlier,
        )

    def ended(self, code: int) -> int:
        """The exit code, `code` unless the process is no more."""
        from goprobe.cli.attach import ended

        return ended(self._target, code)

    def sampled(self, sampling: Sampling) -> HeapReport:
        """After the program has sampled for a while."""
        from goprobe.analysis.heap.sampledfor import sampled_for

        seconds = length("--sample-for", sampling.sample_for)
        return sampled_for(
            self._target,
            seconds,
            sampling.rate,
            self,
            self._progress,
            snapshot=self._asked.snapshot,
        )

    def repeatedly(self, comparison: Comparison, tell: Callable[[str], None]) -> HeapReport:
        """The last of several looks, compared with the first."""
        from goprobe.cli.heapwatch import watched

        pause = length("--every", comparison.every)
        return watched(self, pause, comparison.looks, self._progress, tell)


def old_report(path: str) -> EarlierHeap:
    from msgspec import MsgspecError

    from goprobe.model.codec import from_json
    from goprobe.model.heap import SCHEMA, EarlierHeap

    report: EarlierHeap | None
    try:
        report = from_json(
            read_regular(path, _REPORT_LIMIT, what="report of goprobe heap", pipes=True),
            EarlierHeap,
        )
    except MsgspecError:
        report = None
    if report is None or report.schema != SCHEMA:
        raise UsageError(
            f"{path} is no report of goprobe heap",
            hint="goprobe heap PID --types --retained --json -o FILE writes one",
        )
    return report
