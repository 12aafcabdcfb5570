"""Reads what is known of a binary before any run: its code, its sites, its promises."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path

from msgspec.structs import replace

from goprobe.analysis.escape.allocationcall import AllocationCall, seen_call
from goprobe.analysis.escape.boxes import Boxes
from goprobe.analysis.escape.callgraph import CallGraph
from goprobe.analysis.escape.calls import CodeMap
from goprobe.analysis.escape.codecopies import Copies
from goprobe.analysis.escape.codeplaces import CodeStartTable, LineFacts
from goprobe.analysis.escape.declared import Declared
from goprobe.analysis.escape.join import Joiner
from goprobe.analysis.escape.linefacts import CodeLines, places_of_inlining
from goprobe.analysis.escape.movedformals import Doubt, MovedFormals, doubt_of
from goprobe.analysis.escape.predictions import Predictions, predict
from goprobe.analysis.escape.promisedplaces import PromisedPlaces, is_literal, is_named, is_part
from goprobe.analysis.escape.promises import (
    LineRange,
    Promise,
    promise_named,
    promises_in,
    spans_around,
)
from goprobe.analysis.escape.proofs import Proofs
from goprobe.analysis.escape.request import EscapeRequest
from goprobe.analysis.escape.runtimecalls import RuntimeCalls
from goprobe.analysis.escape.score import same_function
from goprobe.analysis.escape.siteplan import SitePlan, boxed_parts
from goprobe.analysis.escape.sourcefiles import SourceNames, changed_sources
from goprobe.analysis.escape.sources import Sources
from goprobe.analysis.escape.staticstudy import PromisedStudy, StaticStudy
from goprobe.binary.pcln.format import GENERATED, Function, without_type_arguments
from goprobe.model.escape import SourceLine
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.types.statictypes import MapParts, static_types
from goprobe.toolchain.escapebuild import EscapeBuild

_DONE_ONCE = re.compile(r"\.Do\(\s*func\(\)")


class CodeReader:
    """File names are canonical ones."""

    def __init__(
        self, build: EscapeBuild, program: GoProgram, names: SourceNames, request: EscapeRequest
    ) -> None:
        self._build, self._program, self._names = build, program, names
        self._request = request
        self._sources = Sources()
        self._code = CodeMap(program)
        # The names of a binary are many.
        self._functions_named = cache(self._read_functions_named)
        self.is_of_the_build = not changed_sources(build)
        """Whether all sources that were read are as the build had them."""

    def read(self) -> StaticStudy:
        starts, promises = self._starts, self._promises
        return StaticStudy(
            plans=tuple(self._plans),
            starts=starts,
            others=self._others,
            by_address=self._by_address,
            may=self._may,
            watched=frozenset(self._watched(p for studied in promises for p in studied.starts)),
            inlined_at=places_of_inlining(self._facts),
            wrappers=self._wrappers(),
            allocator=self._code.allocator_calls(),
            sweeps=self._code.sweeps(),
            promises=promises,
            sources=self._sources.digests,
        )

    # Code and sites

    def _own(self, file: str) -> bool:
        return self._request.deep or self._names.own(file)

    @cached_property
    def _functions(self) -> list[Function]:
        return list(self._code.functions_in(self._names.is_own))

    @cached_property
    def _read_lines(self) -> tuple[Mapping[tuple[str, int], list[LineFacts]], CodeStartTable]:
        program = self._program
        statements = program.statements(self._functions)
        lines = CodeLines(
            program.elf, program.lines, statements, self._is_optimised, self._code.allocators
        )
        by_line: dict[tuple[str, int], list[LineFacts]] = {}
        for (file, line), facts in lines.facts(self._functions).items():
            by_line.setdefault((self._names.canonical(file), line), []).extend(facts)
        return by_line, lines.table

    @property
    def _facts(self) -> Mapping[tuple[str, int], list[LineFacts]]:
        return self._read_lines[0]

    @property
    def _starts(self) -> CodeStartTable:
        return self._read_lines[1]

    def _is_optimised(self, entry: int) -> bool:
        unit = self._program.debug.units.with_code(entry)
        return unit is None or self._program.debug.unit_is_optimised(unit)

    @cached_property
    def _copies(self) -> Copies:
        return Copies(self._starts, self._names.canonical, self._own)

    @cached_property
    def _predictions(self) -> Predictions:
        return predict(self._build.diagnostics, self._names.of_message, self._sources)

    @cached_property
    def _plans(self) -> list[SitePlan]:
        return self._joined[0]

    @cached_property
    def _joined(self) -> tuple[list[SitePlan], tuple[Doubt, ...]]:
        """The sites, and the functions whose variables may be made by calls that are not known."""
        boxes = self._boxes  # with all names, by which the runtime's types are read as well
        types = static_types(self._program)
        names, type_name = self._names, types.name if types else lambda _: ""
        prefix, lines = names.symbol_prefix, self._program.lines
        joiner = Joiner(
            self._predictions,
            self._facts,
            names.canonical,
            self._own,
            type_name,
            self._sources.line,
            prefix,
            boxes,
        )
        moved = MovedFormals(self._predictions, names.canonical, prefix, type_name, lines)
        wanted = (lambda _: True) if self._request.deep else names.is_own
        plans = joiner.plans(map(moved.in_wrapper, self._code.calls(wanted, moved.may_move)))
        doubts = (*moved.give(plans), *moved.unseen(self._elsewhere))
        parts = MapParts(self._program)
        for plan in plans:
            plan.boxed = boxed_parts(plan, parts)
        return plans, doubts

    @cached_property
    def _boxes(self) -> Boxes:
        return Boxes(self._program.debug)

    def _wrappers(self) -> frozenset[int]:
        entries = {witness.entry for plan in self._plans for witness in plan.witnesses}
        return frozenset(filter(self._program.lines.is_wrapper, entries))

    # What is to be watched

    @cached_property
    def _others(self) -> dict[int, int]:
        """What calls the runtime, besides the calls of the sites."""
        calls = {call.pc for plan in self._plans for call in plan.calls}
        direct = self._code.runtime_calls(self._responsible())
        return {call.pc: call.target for call in direct if call.pc not in calls}

    @cached_property
    def _by_address(self) -> dict[int, int]:
        return dict(self._code.calls_by_address(self._responsible()))

    @cached_property
    def _graph(self) -> CallGraph:
        return CallGraph(self._program, self._unchanged_lines, self._boxes.types_of)

    @cached_property
    def _runtime(self) -> RuntimeCalls:
        return RuntimeCalls(self._program, self._code, self._graph, self._is_standard)

    def _is_standard(self, function: Function) -> bool:
        """Whether a function is the standard library's, and not looked at."""
        return self._names.is_standard(function.file) and not self._names.is_own(function.file)

    def _responsible(self) -> list[Function]:
        """The functions that are looked at, and those into which they were inlined."""
        if self._request.deep:
            return list(self._code.functions_outside())
        return [*self._functions, *(function for function, _ in self._elsewhere)]

    @cached_property
    def _may(self) -> tuple[AllocationCall, ...]:
        """Calls of the runtime by which nothing asks for memory, but which may allocate; those by
        an address that may lead to it, too."""
        direct = (
            seen_call(self._program, *c) for c in self._others.items() if self._runtime.direct(*c)
        )
        others = (seen_call(self._program, pc, 0) for pc in self._by_address)
        own = (c for c in others if any(self._names.is_own(f.file) for f in c.frames))
        return (*direct, *filter(self._runtime.by_address, own))

    def _watched(self, promised: Iterable[int]) -> Iterator[int]:
        """Where code begins of which it is asked whether it ran at all: what can allocate, and
        what promises speak of."""
        yield from promised
        for call in (*(c for plan in self._plans for c in plan.calls), *self._may):
            yield from self._copies.starts_of_line(call)
            yield from self._copies.starts_around(call)
        for plan in self._plans:
            if plan.witnesses:
                yield from self._copies.starts_of(plan)

    # Promises

    @cached_property
    def _promises(self) -> tuple[PromisedStudy, ...]:
        promises = list(self._read_promises())
        places = PromisedPlaces(self._names.canonical, promises)
        self._graph.tell_moved({pc: call.inner for pc, call in self._moved.items()})
        proofs = Proofs(self._graph, self._names.canonical, places)
        return tuple(self._studied(promise, proofs, places) for promise in promises)

    @cached_property
    def _moved(self) -> dict[int, AllocationCall]:
        """The calls that make a variable of what was inlined."""
        calls = (call for plan in self._plans for call in plan.calls)
        return {call.pc: call for call in calls if call.moved}

    def _read_promises(self) -> Iterator[Promise]:
        for package in self._build.packages:
            for file in package.files:
                text = "\n".join(self._sources.lines(str(file)))
                if "goprobe:" in text:
                    yield from promises_in(str(file), text)
        for promise in map(promise_named, self._request.promises):
            yield replace(promise, spans=tuple(self._spans_of(promise.named)))

    def _studied(self, promise: Promise, proofs: Proofs, places: PromisedPlaces) -> PromisedStudy:
        starts = self._starts_of(promise)
        functions = self._holding(promise, starts)
        may = map(self._may_at(promise, places), self._may)
        inlined = self._is_inlined(promise)
        if promise.named and not (promise.problem or starts or functions or inlined):
            promise = replace(promise, problem=self._declared.unknown(promise.named))
        provable = promise.is_proven and not promise.problem
        doubt = doubt_of(self._joined[1], promise, places)
        proven = proofs.of(promise, functions, doubt) if provable else None
        return PromisedStudy(
            promise=promise,
            starts=tuple(starts),
            around=tuple(self._copies.starts_in(promise.around)),
            outside=bool(promise.named and functions),
            foreign=bool(promise.named) and not self._looks_at(promise.named),
            inlined=inlined,
            may=next(filter(None, may), ""),
            doubt=doubt,
            proof=proven.proof if proven else None,
            panics=proven.panics if proven else frozenset(),
            once=frozenset(self._run_once(proofs.once(promise, functions)))
            if promise.once and not promise.is_proven
            else frozenset(),
        )

    def _run_once(self, calls: Iterable[SourceLine]) -> Iterator[str]:
        """The literals that stand at calls of a sync.Once, each the only one of its line."""
        for call in set(calls):
            lines = self._sources.lines(call.file)
            text = lines[call.line - 1] if 0 < call.line <= len(lines) else ""
            if _DONE_ONCE.search(text) and text.count("func(") == 1:
                for name, function in self._starts.functions.items():
                    at = (self._names.canonical(function.file), function.first)
                    if at == (call.file, call.line) and is_literal(name):
                        yield name

    @cached_property
    def _declared(self) -> Declared:
        functions, canonical = self._starts.functions, self._names.canonical
        return Declared(self._build.packages, self._sources, functions, canonical)

    def _spans_of(self, named: str) -> Iterator[LineRange]:
        """The source of the functions of a name, as a promise above them has it."""
        if is_part(named):  # shares lines with what it stands in: names alone tell its code
            return
        starts = self._starts.functions.items()
        places = {(f.file, f.first) for name, f in starts if is_named(name, named)}
        for function in self._functions_named(named):
            places.add(self._program.lines.position(function, function.entry))
        for file, line in sorted(places or self._declared.places(named)):
            path = self._names.canonical(file)
            yield from spans_around(path, "\n".join(self._unchanged_lines(file)), line)

    def _looks_at(self, named: str) -> bool:
        """Whether all code of the functions of a name is looked at, as far as there is any."""
        files = {f.file for name, f in self._starts.functions.items() if is_named(name, named)}
        files.update(function.file for function in self._functions_named(named))
        return self._request.deep or all(map(self._names.is_own, files - {GENERATED}))

    def _read_functions_named(self, named: str) -> tuple[Function, ...]:
        lines = self._program.lines
        names = (name for name in lines.names() if is_named(name, named))
        return tuple(function for name in names for function in lines.functions_named(name))

    def _unchanged_lines(self, file: str) -> Sequence[str]:
        """A source file's lines, none where it has changed since the build, or is not here."""
        path = Path(self._names.canonical(file))
        lines = self._sources.lines(str(path))
        try:
            seen = self._build.has_seen(path)
        except OSError:
            return ()
        self.is_of_the_build &= seen
        return lines if seen else ()

    def _holding(self, promise: Promise, starts: Sequence[int]) -> list[Function]:
        """The machine functions in which a promise's code lies: asked of those that the code is to
        prove, of named ones, and where a sync.Once is asked about."""
        if not (promise.named or promise.is_proven or promise.once):
            return []
        lines = self._program.lines
        entries = {f.entry for pc in starts if (f := lines.function_at(pc))}
        if promise.named:
            entries.update(f.entry for f in self._functions_named(promise.named))
        for function, numbers in self._elsewhere:
            if any(s.first <= n <= s.last for s in promise.spans for n in numbers):
                entries.add(function.entry)
        for call in self._moved.values():
            inner = call.inner
            if promise.holds(inner.file, inner.line) or is_named(inner.function, promise.named):
                entries.add(call.entry)
        functions = (lines.function_at(entry) for entry in sorted(entries))
        return [function for function in functions if function]

    @cached_property
    def _elsewhere(self) -> list[tuple[Function, frozenset[int]]]:
        """The machine functions of other files into which own code was inlined, wrappers say, each
        with the numbers of all its lines."""
        known = {function.entry for function in self._functions}
        lines = self._program.lines
        others = (f for f in self._code.holding(self._names.is_own) if f.entry not in known)
        return [(f, frozenset(lines.runs(f.pcln).values)) for f in others]

    def _starts_of(self, promise: Promise) -> list[int]:
        """Where a promise's code begins, in each of its copies."""
        in_source = self._copies.starts_in(promise.spans)
        if not promise.named:
            return in_source
        functions = self._starts.functions.items()
        named = (f for name, f in functions if is_named(name, promise.named))
        starts = (pc for function in named for each in function.starts.values() for pc in each)
        return sorted({*in_source, *starts})

    def _is_inlined(self, promise: Promise) -> bool:
        """Whether the compiler says that it inlined a promise's function, or that around it."""
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

    def _may_at(self, promise: Promise, places: PromisedPlaces) -> Callable[[AllocationCall], str]:
        def named(call: AllocationCall) -> str:
            of = (f for f in call.frames if places.speaks(promise, f.function, f.file, f.line))
            exempt = any(map(places.exempt, call.frames))
            return "" if exempt else next((call.shown(frame) for frame in of), "")

        return named
