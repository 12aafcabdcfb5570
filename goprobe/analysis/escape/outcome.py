"""What one run of a binary showed: its sites with their verdicts, and what came of its promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from msgspec.structs import replace

from goprobe.analysis.escape.copyverdicts import with_copies
from goprobe.analysis.escape.deep import check_proven
from goprobe.analysis.escape.judgement import PromisedCode, check, code_at, unanswered
from goprobe.analysis.escape.observe import Observed, observe
from goprobe.analysis.escape.promisedplaces import is_part
from goprobe.analysis.escape.promises import ALLOW
from goprobe.analysis.escape.request import EscapeRequest, Mode
from goprobe.analysis.escape.sites import Sites
from goprobe.analysis.escape.sourcefiles import changed_sources
from goprobe.analysis.escape.staticstudy import PromisedStudy
from goprobe.analysis.escape.studied import Studied
from goprobe.analysis.escape.study import EscapeStudy
from goprobe.model.escape import Assertion, FunctionCode, SourceLine
from goprobe.toolchain.testenvironment import test_environment


def outcome(study: EscapeStudy, go_root: Path) -> Studied:
    """Of a run of its own, where anything is to be run."""
    observed = Observed() if study.request.static else _observed(study, go_root)
    return _Run(study, observed).told


def _observed(study: EscapeStudy, go_root: Path) -> Observed:
    request = study.request
    if request.mode is not Mode.TEST:
        return observe(study.watch, request)
    folder = study.build.program.directory
    run = replace(request, args=_arguments(request), cwd=folder)
    return observe(study.watch, run, test_environment(go_root, folder))


def _arguments(request: EscapeRequest) -> tuple[str, ...]:
    """For a test binary the flags that `go test` would pass. Benchmarks run a fixed number of
    times unless the caller says otherwise: counts are to be the same each time."""
    flags = []
    if request.bench:
        flags += [f"-test.run={request.run or '^$'}", f"-test.bench={request.bench}"]
        if not any("benchtime" in a for a in request.args):
            flags.append("-test.benchtime=100x")
    elif request.run:
        flags.append(f"-test.run={request.run}")
    return (*flags, "-test.paniconexit0", *request.args)


_LITERALS = (
    "no literal has this name; where its function was inlined it has another one, and a comment at "
    "it speaks of all"
)


class _Run:
    def __init__(self, study: EscapeStudy, observed: Observed) -> None:
        self._study, self._observed = study, observed
        plans = [*study.static.plans, *study.unpredicted.of(observed.besides)]
        plans.sort(key=lambda p: (p.predicted.file, p.predicted.line, p.predicted.col))
        self._sites = Sites(
            study.static,
            study.names,
            study.copies,
            observed,
            study.request,
            str(study.build.program.files[0]),
        ).of(plans)
        self._can = study.can_allocate | {
            f.function for call in observed.besides for f in call.frames
        }

    @property
    def told(self) -> Studied:
        """What a report tells of it."""
        study, seen = self._study, self._observed
        changed = (
            f"{file} was changed after the build: its lines may not be those of the binary"
            for file in changed_sources(study.build)
        )
        return Studied(
            build=study.build,
            sites=tuple(with_copies(self._sites)),
            assertions=tuple(self._checked()),
            functions=tuple(self._functions()),
            ran=seen.ran,
            pid=seen.pid,
            exit=seen.exit,
            partial=seen.partial,
            dangling=seen.dangling,
            warnings=(*seen.warnings, *changed),
            benchmarks=seen.benchmarks,
        )

    def _checked(self) -> Iterator[Assertion]:
        for studied in self._study.static.promises:
            promise = studied.promise
            if promise.word == ALLOW and not promise.problem:
                continue
            code = self._code_of(studied)
            if studied.proof is None:
                yield _of_what_is_seen(studied, check(promise, code))
            else:
                yield check_proven(promise, studied.proof, code, self._panicked(studied))

    def _panicked(self, studied: PromisedStudy) -> str:
        """A place that a promise's code comes to, and at which something was seen to panic."""
        for call in self._observed.besides:
            if call.pc in studied.panics:
                return f"{call.inner.function} (line {call.inner.line})"
        return ""

    def _code_of(self, studied: PromisedStudy) -> PromisedCode:
        study, promise = self._study, studied.promise

        def holds(place: SourceLine) -> bool:
            return study.places.speaks(promise, place.function, place.file, place.line)

        def exempt(place: SourceLine) -> bool:
            ran_once = any(f"{place.function}.".startswith(f"{each}.") for each in studied.once)
            return ran_once or study.places.exempts(place)

        code = code_at(
            self._sites,
            holds,
            exempt=exempt,
            started=self._observed.ran,
            ran=self._ran(studied.starts, holds),
            unseen=self._observed.partial,
            doubt=studied.doubt,
            may=studied.may,
            panics_apart=promise.panics_apart,
            file=promise.file,
        )
        global_ = not promise.function and not promise.around and code.sites
        if studied.starts or studied.around or code.pieces or global_ or studied.outside:
            return code
        code = replace(code, there=False)
        if studied.inlined:
            return replace(code, gone="it was inlined, and nothing of it was needed there")
        return replace(code, gone=_LITERALS) if is_part(promise.named) else code

    def _ran(self, starts: Iterable[int], holds: Callable[[SourceLine], bool]) -> bool | None:
        """Whether code with these starts ran, None where that is not known."""
        ran = self._study.copies.ran(starts, self._observed.ran_at)
        unseen = ran is False and any(map(holds, self._study.in_wrappers))
        return None if unseen else ran

    def _functions(self) -> Iterator[FunctionCode]:
        """What is known of the functions of the packages looked at."""
        study = self._study
        may: dict[str, dict[int, str]] = {}
        for call in study.static.may:
            for frame in call.frames:
                may.setdefault(frame.function, {}).setdefault(frame.line, call.shown(frame))
        for function in study.copies.functions:
            if not study.names.own(function.file):
                continue
            asked = self._observed.ran and (function.name in self._can or function.name in may)
            ran = self._ran(function.starts, _of(function.name)) if asked else None
            yield FunctionCode(
                function.name,
                function.file,
                function.first,
                function.last,
                function.copies,
                ran,
                next(iter(may.get(function.name, {}).values()), ""),
                tuple(sorted(may.get(function.name, ()))),
            )


def _of(name: str) -> Callable[[SourceLine], bool]:
    """Whether a place is in the function of that name."""
    return lambda place: place.function == name


def _of_what_is_seen(studied: PromisedStudy, told: Assertion) -> Assertion:
    """Of a function whose own package is not looked at no more is seen than what was inlined."""
    if not studied.foreign or not told.held or studied.promise.word == "heap":
        return told
    why = "its package is not looked at: name it as well, or promise noalloc deep"
    return unanswered(studied.promise, why)
