"""One binary of `goprobe escape` before any run: its code, its sites, its promises.

Read once, however often it is run (`--repeat`): what a run showed is told by outcome.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path

from msgspec.structs import replace

from goprobe.analysis.escape.calls import AllocationCall, CodeMap
from goprobe.analysis.escape.codecopies import Copies
from goprobe.analysis.escape.deep import DeepPromises, is_named, without_type_arguments
from goprobe.analysis.escape.join import Joiner
from goprobe.analysis.escape.linefacts import CodeLines, LineFacts
from goprobe.analysis.escape.observe import WatchPlan
from goprobe.analysis.escape.predictions import Sources, predict
from goprobe.analysis.escape.promises import (
    LineRange,
    Promise,
    promise_named,
    promises_in,
    spans_around,
)
from goprobe.analysis.escape.request import EscapeRequest
from goprobe.analysis.escape.score import same_function
from goprobe.analysis.escape.sourcefiles import SourceNames
from goprobe.arch.machinecode import DirectCall
from goprobe.binary.pcln.format import Function
from goprobe.errors import telling
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.types.statictypes import static_types
from goprobe.toolchain.escapebuild import EscapeBuild


class EscapeStudy:
    """`plans` are the sites of the source; file names are canonical."""

    def __init__(
        self, build: EscapeBuild, program: GoProgram, go_root: Path, request: EscapeRequest
    ) -> None:
        self.build, self.program, self.request = build, program, request
        self.names = SourceNames(build, str(go_root))
        self.sources = Sources()
        self.code = CodeMap(self.program)
        # The names of a binary are many, and each run asks.
        self._functions_named = cache(self._read_functions_named)
        self.say("reading the code")
        with telling(f"the code of {build.program.path}"):
            self._functions = list(self.code.functions_in(self.names.is_own))
            self.lines = CodeLines(
                self.program.elf,
                self.program.lines,
                self.program.statements(self._functions),
                self._is_optimised,
            )
            self.facts = self._read_facts()
            self.copies = Copies(self.lines, self.names.canonical, self._own)
            self._predictions = predict(build.diagnostics, self.names.of_message, self.sources)
            self.joiner = self._joiner()
            wanted = (lambda _: True) if request.deep else self.names.is_own
            self.plans = self.joiner.plans(self.code.calls(wanted))
        self.promises = list(self._read_promises())
        self.say("")

    def say(self, text: str) -> None:
        if self.request.progress:
            self.request.progress(text)

    def _is_optimised(self, entry: int) -> bool:
        function = self.program.debug.function_at(entry)
        return function is None or self.program.debug.is_optimised(function)

    def _own(self, file: str) -> bool:
        return self.request.deep or self.names.own(file)

    def _read_facts(self) -> dict[tuple[str, int], list[LineFacts]]:
        by_line: dict[tuple[str, int], list[LineFacts]] = {}
        for (file, line), facts in self.lines.facts(self._functions).items():
            by_line.setdefault((self.names.canonical(file), line), []).extend(facts)
        return by_line

    def _joiner(self) -> Joiner:
        types = static_types(self.program)
        return Joiner(
            self._predictions,
            self.facts,
            self.names.canonical,
            self._own,
            types.name if types else lambda _: "",
            self.sources.line,
        )

    # What is to be watched

    @cached_property
    def watch(self) -> WatchPlan:
        return WatchPlan(
            program=self.program,
            code=self.code,
            plans=self.plans,
            others=self._runtime_calls,
            watched=self._watched(),
        )

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
        starts = {pc for promise in self.promises for pc in self.starts(promise)}
        for call in (*(c for plan in self.plans for c in plan.calls), *self.may):
            starts.update(self.copies.starts_of_line(call))
            starts.update(self.copies.starts_around(call))
        for plan in self.plans:
            if plan.witnesses:
                starts.update(self.copies.starts_of(plan))
        return starts

    @cached_property
    def may(self) -> tuple[AllocationCall, ...]:
        """Calls of the runtime by which nothing asks for memory, but which may allocate."""
        return tuple(self.code.may_allocate(self._runtime_calls.values()))

    # Promises

    @cached_property
    def deep(self) -> DeepPromises:
        return DeepPromises(
            self.program, self.names.canonical, self.promises, self._unchanged_lines
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
            (f.file, f.first) for name, f in self.lines.functions.items() if is_named(name, named)
        }
        for function in self._functions_named(named):
            places.add(self.program.lines.position(function, function.entry))
        for file, line in sorted(places):
            path = self.names.canonical(file)
            yield from spans_around(path, "\n".join(self._unchanged_lines(file)), line)

    def _read_functions_named(self, named: str) -> tuple[Function, ...]:
        lines = self.program.lines
        names = (name for name in lines.names() if is_named(name, named))
        return tuple(function for name in names for function in lines.functions_named(name))

    def _unchanged_lines(self, file: str) -> Sequence[str]:
        """A source file's lines, none where it has changed since the build, or is not here."""
        path = Path(self.names.canonical(file))
        try:
            old = path.stat().st_mtime <= self.build.binary.stat().st_mtime
        except OSError:
            return ()
        return self.sources.lines(str(path)) if old else ()

    def holding(self, promise: Promise) -> list[Function]:
        """The machine functions in which a promise's code lies: asked of those that the code is to
        prove, and of named ones."""
        if not promise.named and not promise.is_proven:
            return []
        entries = {
            f.entry for pc in self.starts(promise) if (f := self.program.lines.function_at(pc))
        }
        if promise.named:
            entries.update(f.entry for f in self._functions_named(promise.named))
        functions = (self.program.lines.function_at(entry) for entry in sorted(entries))
        return [function for function in functions if function]

    def starts(self, promise: Promise) -> list[int]:
        """Where a promise's code begins, in each of its copies."""
        in_source = self.copies.starts_in(promise.spans)
        if not promise.named:
            return in_source
        named = (f for n, f in self.lines.functions.items() if is_named(n, promise.named))
        starts = (pc for function in named for each in function.starts.values() for pc in each)
        return sorted({*in_source, *starts})

    def is_inlined(self, promise: Promise) -> bool:
        """Whether the compiler says that it inlined the function that a promise speaks of, or in
        which it stands."""
        if promise.named:
            named = without_type_arguments(promise.named)
            return any(same_function(named, name) for name in self._inlined)
        names = {
            name
            for span in (promise.spans if promise.function else promise.around)
            for first, _, name in self._predictions.declared.get(span.file, ())
            if first == span.first
        }
        plain = [without_type_arguments(name) for name in names]
        return any(same_function(c, n) for c in self._inlined for n in plain)

    @cached_property
    def _inlined(self) -> frozenset[str]:
        """The functions that were inlined anywhere, as the compiler calls them there, whatever
        their type arguments."""
        calls = (call for calls in self._predictions.inlined.values() for call in calls)
        return frozenset(without_type_arguments(name) for _, name in calls)

    def may_at(self, promise: Promise) -> Callable[[AllocationCall], str]:
        def named(call: AllocationCall) -> str:
            canonical = self.names.canonical
            here = any(promise.holds(canonical(f.file), f.line) for f in call.frames)
            return shown(call) if here else ""

        return named

    @cached_property
    def can_allocate(self) -> frozenset[str]:
        """The functions whose code calls the allocator, of their own or inlined."""
        return frozenset(f.function for plan in self.plans for c in plan.calls for f in c.frames)


def shown(call: AllocationCall) -> str:
    return f"{call.allocator.symbol} (line {call.frames[0].line})"
