"""One binary of `goprobe escape`: its sites before the run, the run, and what came of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path

from msgspec.structs import replace

from goprobe.analysis.escape.calls import AllocationCall, CodeMap
from goprobe.analysis.escape.codecopies import Copies
from goprobe.analysis.escape.copyverdicts import with_copies
from goprobe.analysis.escape.deep import DeepPromises, is_named
from goprobe.analysis.escape.join import Joiner
from goprobe.analysis.escape.judgement import PromisedCode, check, code_at
from goprobe.analysis.escape.linefacts import CodeLines, LineFacts
from goprobe.analysis.escape.observe import Observed, WatchPlan, observe
from goprobe.analysis.escape.predictions import Sources, predict
from goprobe.analysis.escape.promises import (
    ALLOW,
    LineRange,
    Promise,
    promise_named,
    promises_in,
    spans_around,
)
from goprobe.analysis.escape.request import EscapeRequest, Mode
from goprobe.analysis.escape.score import same_function
from goprobe.analysis.escape.sites import Sites
from goprobe.analysis.escape.sourcefiles import SourceNames
from goprobe.analysis.escape.studied import Studied
from goprobe.arch.machinecode import DirectCall
from goprobe.binary.pcln.format import Function
from goprobe.errors import telling
from goprobe.model.escape import Assertion, FunctionCode, SourceLine
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.types.statictypes import static_types
from goprobe.toolchain.escapebuild import EscapeBuild
from goprobe.toolchain.find import GoTool
from goprobe.toolchain.testenvironment import test_environment


class EscapeStudy:
    """`sites` are those of the source, with the verdict of the run; file names are canonical."""

    def __init__(
        self, build: EscapeBuild, program: GoProgram, go: GoTool, request: EscapeRequest
    ) -> None:
        self.build, self.program, self.request = build, program, request
        self._goroot = go.path.resolve().parent.parent
        self.names = SourceNames(build, str(self._goroot))
        self.sources = Sources()
        self.code = CodeMap(self.program)
        self._say("reading the code")
        with telling(f"the code of {build.program.path}"):
            self._functions = list(self.code.functions_in(self.names.is_own))
            self._lines = CodeLines(
                self.program.elf,
                self.program.lines,
                self.program.statements(self._functions),
                self._is_optimised,
            )
            self._facts = self._read_facts()
            self._copies = Copies(self._lines, self.names.canonical, self._own)
            self._predictions = predict(self.build.diagnostics, self.names.of_message, self.sources)
            joiner = self._joiner()
            wanted = (lambda _: True) if request.deep else self.names.is_own
            self.plans = joiner.plans(self.code.calls(wanted))
        self.promises = list(self._read_promises())
        self.observed = Observed() if request.static else self._observe()
        self.plans += joiner.besides(self.observed.besides)
        self.plans.sort(key=lambda p: (p.predicted.file, p.predicted.line, p.predicted.col))
        self.sites = Sites(
            self.program,
            self.names,
            self._facts,
            self._copies,
            self.observed,
            request,
            str(build.program.files[0]),
        ).of(self.plans)
        self.functions = tuple(self._function_code())
        self.assertions = tuple(self._checked())
        self.changed = self._changed_sources()

    @property
    def outcome(self) -> Studied:
        """What a report tells of it."""
        seen = self.observed
        changed = (
            f"{file} was changed after the build: its lines may not be those of the binary"
            for file in self.changed
        )
        return Studied(
            build=self.build,
            sites=tuple(with_copies(self.sites)),
            assertions=self.assertions,
            functions=self.functions,
            ran=seen.ran,
            pid=seen.pid,
            exit=seen.exit,
            partial=seen.partial,
            dangling=seen.dangling,
            warnings=(*seen.warnings, *changed),
        )

    def _say(self, text: str) -> None:
        if self.request.progress:
            self.request.progress(text)

    def _is_optimised(self, entry: int) -> bool:
        function = self.program.debug.function_at(entry)
        return function is None or self.program.debug.is_optimised(function)

    def _own(self, file: str) -> bool:
        return self.request.deep or self.names.own(file)

    def _read_facts(self) -> dict[tuple[str, int], list[LineFacts]]:
        by_line: dict[tuple[str, int], list[LineFacts]] = {}
        for (file, line), facts in self._lines.facts(self._functions).items():
            by_line.setdefault((self.names.canonical(file), line), []).extend(facts)
        return by_line

    def _joiner(self) -> Joiner:
        types = static_types(self.program)
        return Joiner(
            self._predictions,
            self._facts,
            self.names.canonical,
            self._own,
            types.name if types else lambda _: "",
            self.sources.line,
        )

    def _read_promises(self) -> Iterator[Promise]:
        for package in self.build.packages:
            for file in package.files:
                text = "\n".join(self.sources.lines(str(file)))
                if "goprobe:" in text:
                    yield from promises_in(str(file), text)
        for promise in map(promise_named, self.request.promises):
            yield replace(promise, spans=tuple(self._spans_of(promise.named)))

    def _spans_of(self, named: str) -> Iterator[LineRange]:
        """The source of the functions of a name, as a promise above them has it."""
        places = {
            (f.file, f.first) for name, f in self._lines.functions.items() if is_named(name, named)
        }
        for function in self._functions_named(named):
            places.add(self.program.lines.position(function, function.entry))
        for file, line in sorted(places):
            path = self.names.canonical(file)
            yield from spans_around(path, "\n".join(self._unchanged_lines(file)), line)

    def _functions_named(self, named: str) -> Iterator[Function]:
        for name in self.program.lines.names():
            if is_named(name, named):
                yield from self.program.lines.functions_named(name)

    # The run

    def _observe(self) -> Observed:
        request = self.request
        self._say("")
        watch = WatchPlan(
            program=self.program,
            code=self.code,
            plans=self.plans,
            others=self._runtime_calls,
            watched=self._watched(),
        )
        if request.mode is not Mode.TEST:
            return observe(watch, request)
        folder = self.build.program.directory
        env = test_environment(self._goroot, folder)
        return observe(watch, replace(request, args=self._arguments(), cwd=folder), env)

    @cached_property
    def _runtime_calls(self) -> dict[int, DirectCall]:
        """What calls the runtime, besides the calls of the sites."""
        calls = {call.pc for plan in self.plans for call in plan.calls}
        direct = self.code.runtime_calls(self._responsible())
        return {call.pc: call for call in direct if call.pc not in calls}

    def _responsible(self) -> list[Function]:
        """The functions that are looked at, and those into which they were inlined."""
        if self.request.deep:
            return list(self.code.functions_outside())
        entries = {call.entry for plan in self.plans for call in plan.calls}
        known = {function.entry for function in self._functions}
        others = (self.program.lines.function_at(entry) for entry in entries - known)
        return [*self._functions, *(f for f in others if f)]

    def _watched(self) -> set[int]:
        """Where code begins of which it is asked whether it ran at all: what can allocate, and
        what promises speak of."""
        starts = {pc for promise in self.promises for pc in self._starts(promise)}
        for call in (*(c for plan in self.plans for c in plan.calls), *self._may):
            starts.update(self._copies.starts_of_line(call))
            starts.update(self._copies.starts_around(call))
        for plan in self.plans:
            if plan.witnesses:
                starts.update(self._copies.starts_of(plan))
        return starts

    @cached_property
    def _may(self) -> tuple[AllocationCall, ...]:
        """Calls of the runtime by which nothing asks for memory, but which may allocate."""
        return tuple(self.code.may_allocate(self._runtime_calls.values()))

    def _arguments(self) -> tuple[str, ...]:
        """For a test binary the flags that `go test` would pass. Benchmarks run a fixed number of
        times unless the caller says otherwise: counts are to be the same each time."""
        request = self.request
        flags = []
        if request.bench:
            flags += [f"-test.run={request.run or '^$'}", f"-test.bench={request.bench}"]
            if not any("benchtime" in a for a in request.args):
                flags.append("-test.benchtime=100x")
        elif request.run:
            flags.append(f"-test.run={request.run}")
        return (*flags, "-test.paniconexit0", *request.args)

    def _changed_sources(self) -> list[str]:
        built = self.build.binary.stat().st_mtime
        files = [f for p in self.build.packages for f in p.files]
        return [str(f) for f in files if f.exists() and f.stat().st_mtime > built]

    # Promises

    def _checked(self) -> Iterator[Assertion]:
        deep = DeepPromises(
            self.program, self.names.canonical, self.promises, self._unchanged_lines
        )
        for promise in self.promises:
            if promise.word == ALLOW and not promise.problem:
                continue
            functions = self._holding(promise) if promise.named or promise.is_proven else []
            code = self._code_of(promise, deep, functions)
            if promise.is_proven:
                self._say(f"following the calls of {promise.text}")
                yield deep.check(promise, functions, code)
            else:
                yield check(promise, code)

    def _unchanged_lines(self, file: str) -> Sequence[str]:
        """A source file's lines, none where it has changed since the build, or is not here."""
        path = Path(self.names.canonical(file))
        try:
            old = path.stat().st_mtime <= self.build.binary.stat().st_mtime
        except OSError:
            return ()
        return self.sources.lines(str(path)) if old else ()

    def _holding(self, promise: Promise) -> list[Function]:
        """The machine functions in which a promise's code lies."""
        entries = {
            f.entry for pc in self._starts(promise) if (f := self.program.lines.function_at(pc))
        }
        if promise.named:
            entries.update(f.entry for f in self._functions_named(promise.named))
        functions = (self.program.lines.function_at(entry) for entry in sorted(entries))
        return [function for function in functions if function]

    def _starts(self, promise: Promise) -> list[int]:
        """Where a promise's code begins, in each of its copies."""
        in_source = self._copies.starts_in(promise.spans)
        if not promise.named:
            return in_source
        named = (f for n, f in self._lines.functions.items() if is_named(n, promise.named))
        starts = (pc for function in named for each in function.starts.values() for pc in each)
        return sorted({*in_source, *starts})

    def _code_of(
        self, promise: Promise, deep: DeepPromises, functions: Sequence[Function]
    ) -> PromisedCode:
        """`functions` are the machine functions in which it lies: asked of named ones alone."""
        starts = self._starts(promise)
        around = self._copies.starts_in(promise.around)

        def holds(place: SourceLine) -> bool:
            return deep.speaks(promise, place.function, place.file, place.line)

        code = code_at(
            self.sites,
            holds,
            exempt=deep.exempts,
            started=self.observed.ran,
            ran=self._copies.ran(starts, self.observed.ran_at),
            unseen=self.observed.partial,
            may=next((m for m in map(self._may_at(promise), self._may) if m), ""),
        )
        global_ = not promise.function and not promise.around and code.sites
        outside = promise.named and functions
        there = bool(starts or around or code.pieces or global_ or outside)
        gone = "it was inlined, and nothing of it was needed there"
        return replace(code, there=there, **({"gone": gone} if self._inlined(promise) else {}))

    def _inlined(self, promise: Promise) -> bool:
        """Whether the compiler says that it inlined the function that a promise speaks of."""
        called = {n for calls in self._predictions.inlined.values() for _, n in calls}
        if promise.named:
            return any(same_function(promise.named, name) for name in called)
        names = {
            name
            for span in promise.spans
            for first, _, name in self._predictions.declared.get(span.file, ())
            if first == span.first
        }
        return promise.function and any(same_function(c, n) for c in called for n in names)

    def _may_at(self, promise: Promise) -> Callable[[AllocationCall], str]:
        def named(call: AllocationCall) -> str:
            canonical = self.names.canonical
            here = any(promise.holds(canonical(f.file), f.line) for f in call.frames)
            return _shown(call) if here else ""

        return named

    def _function_code(self) -> Iterator[FunctionCode]:
        """What is known of the functions of the packages looked at."""
        can = {f.function for plan in self.plans for c in plan.calls for f in c.frames}
        may = {f.function: _shown(c) for c in self._may for f in c.frames}
        for function in self._copies.functions:
            if not self.names.own(function.file):
                continue
            asked = self.observed.ran and (function.name in can or function.name in may)
            ran = self._copies.ran(function.starts, self.observed.ran_at) if asked else None
            yield FunctionCode(
                function.name,
                function.file,
                function.first,
                function.last,
                function.copies,
                ran,
                may.get(function.name, ""),
            )


def _shown(call: AllocationCall) -> str:
    return f"{call.allocator.symbol} (line {call.frames[0].line})"
