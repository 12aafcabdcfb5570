"""What one run of a binary showed: its sites with their verdicts, and what came of its promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from goprobe.analysis.escape.copyverdicts import with_copies
from goprobe.analysis.escape.judgement import PromisedCode, check, code_at
from goprobe.analysis.escape.observe import Observed, observe
from goprobe.analysis.escape.promises import ALLOW, Promise
from goprobe.analysis.escape.request import EscapeRequest, Mode
from goprobe.analysis.escape.sites import Sites
from goprobe.analysis.escape.studied import Studied
from goprobe.analysis.escape.study import EscapeStudy, shown
from goprobe.binary.pcln.format import Function
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


class _Run:
    def __init__(self, study: EscapeStudy, observed: Observed) -> None:
        self._study, self._observed = study, observed
        plans = [*study.plans, *study.joiner.besides(observed.besides)]
        plans.sort(key=lambda p: (p.predicted.file, p.predicted.line, p.predicted.col))
        self._sites = Sites(
            study.program,
            study.names,
            study.facts,
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
            for file in _changed_sources(study)
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
        )

    def _checked(self) -> Iterator[Assertion]:
        study = self._study
        for promise in study.promises:
            if promise.word == ALLOW and not promise.problem:
                continue
            functions = study.holding(promise)
            code = self._code_of(promise, functions)
            if promise.is_proven:
                study.say(f"following the calls of {promise.text}")
                yield study.deep.check(promise, functions, code)
            else:
                yield check(promise, code)
        study.say("")

    def _code_of(self, promise: Promise, functions: Sequence[Function]) -> PromisedCode:
        """`functions` are the machine functions in which it lies: asked of named ones alone."""
        study = self._study
        starts = study.starts(promise)
        around = study.copies.starts_in(promise.around)

        def holds(place: SourceLine) -> bool:
            return study.deep.speaks(promise, place.function, place.file, place.line)

        code = code_at(
            self._sites,
            holds,
            exempt=study.deep.exempts,
            started=self._observed.ran,
            ran=study.copies.ran(starts, self._observed.ran_at),
            unseen=self._observed.partial,
            may=next((m for m in map(study.may_at(promise), study.may) if m), ""),
        )
        global_ = not promise.function and not promise.around and code.sites
        outside = promise.named and functions
        if starts or around or code.pieces or global_ or outside:
            return code
        code = replace(code, there=False)
        if study.is_inlined(promise):
            return replace(code, gone="it was inlined, and nothing of it was needed there")
        return code

    def _functions(self) -> Iterator[FunctionCode]:
        """What is known of the functions of the packages looked at."""
        study = self._study
        may = {f.function: shown(c) for c in study.may for f in c.frames}
        for function in study.copies.functions:
            if not study.names.own(function.file):
                continue
            asked = self._observed.ran and (function.name in self._can or function.name in may)
            ran = study.copies.ran(function.starts, self._observed.ran_at) if asked else None
            yield FunctionCode(
                function.name,
                function.file,
                function.first,
                function.last,
                function.copies,
                ran,
                may.get(function.name, ""),
            )


def _changed_sources(study: EscapeStudy) -> list[str]:
    built = study.build.binary.stat().st_mtime
    files = [f for p in study.build.packages for f in p.files]
    return [str(f) for f in files if f.exists() and f.stat().st_mtime > built]
