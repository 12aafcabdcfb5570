"""`goprobe escape`: what the compiler predicts, held against what the program does.

Built once, as users build it; the compiler's messages and the code are joined to sites; the
program runs with its allocating calls counted and the first results of each looked at; and each
site gets its verdict.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from pathlib import Path

import msgspec
from msgspec.structs import replace

from goprobe.analysis.assertions import Promise, check, promises_in
from goprobe.analysis.audit import finished
from goprobe.analysis.audit.escape import audit_escape
from goprobe.analysis.codelines import CodeLines, LineFacts
from goprobe.analysis.escaperun import Observed, Request, observe
from goprobe.analysis.plan import Joiner, SitePlan
from goprobe.analysis.predictions import Sources, predict
from goprobe.analysis.sites import CodeMap
from goprobe.analysis.sourcenames import SourceNames
from goprobe.analysis.verdict import Evidence, judge
from goprobe.binary.elf import ElfFile
from goprobe.binary.pclnformat import Function
from goprobe.errors import UsageError, telling
from goprobe.model.address import Address
from goprobe.model.escape import (
    Assertion,
    Build,
    Call,
    EscapeReport,
    Outcome,
    Prediction,
    Site,
    Verdict,
)
from goprobe.model.report import Tool
from goprobe.model.trace import Exit
from goprobe.runtime.allocators import Family
from goprobe.runtime.program import Program
from goprobe.runtime.statictypes import MapParts, static_types
from goprobe.toolchain.build import Progress
from goprobe.toolchain.escapebuild import (
    GCFLAGS,
    EscapeBuild,
    GoPackage,
    build_program,
    build_test,
    find_packages,
)
from goprobe.toolchain.find import GoTool, find_go


class Mode(Enum):
    PROGRAM = auto()
    TEST = auto()


class EscapeRequest(msgspec.Struct, frozen=True):
    """What to look at and how. `hits` results of each call are inspected; every `check_pointers`
    hits globals and heap are swept for pointers into stacks (0: at the end only). `run` and
    `bench` are the regular expressions of `go test`; `deep` takes in every package's code.
    """

    targets: tuple[str, ...]
    mode: Mode = Mode.PROGRAM
    run: str = ""
    bench: str = ""
    static: bool = False
    args: tuple[str, ...] = ()
    hits: int = 32
    check_pointers: int = 0
    deep: bool = False
    go: str = ""
    flags: tuple[str, ...] = ()
    timeout: float | None = None
    stdout: int = 1
    stderr: int = 2
    cwd: Path = msgspec.field(default_factory=Path.cwd)
    progress: Progress | None = None


def escape(request: EscapeRequest) -> EscapeReport:
    """Build, run and judge. Raises UsageError, BuildError, NoGoError, NotPermittedError."""
    if request.static and (request.bench or request.run):
        raise UsageError("--static runs nothing: it does not go with --run or --bench")
    go = find_go(request.go)
    tests = request.mode is Mode.TEST
    packages = find_packages(
        request.targets, go, tests=tests, flags=request.flags, cwd=request.cwd.absolute()
    )
    if not tests:
        builds = [build_program(packages, go, flags=request.flags, progress=request.progress)]
    else:
        builds = [build_test(p, go, flags=request.flags, progress=request.progress)
                  for p in _tested(packages)]  # fmt: skip
    studies = [_Study(build, go, request) for build in builds]
    return _report(studies, go, request)


def _tested(packages: Sequence[GoPackage]) -> Sequence[GoPackage]:
    """Of several packages those that have tests; a single one is named as it is."""
    return [p for p in packages if p.has_tests] or packages[:1]


class _Study:
    """One binary: its sites before the run, and what the run showed."""

    def __init__(self, build: EscapeBuild, go: GoTool, request: EscapeRequest) -> None:
        self.build = build
        self.request = request
        self.program = Program(ElfFile(build.binary, shown_as=build.program.path))
        self.map_parts = MapParts(self.program)
        self.names = SourceNames(build, str(go.path.resolve().parent.parent))
        self.sources = Sources()
        self.code = CodeMap(self.program)
        self._say("reading the code")
        with telling(f"the code of {build.program.path}"):
            self.functions = list(self.code.functions_in(self.names.is_own))
            self.facts = self._read_facts()
            self.joiner = self._joiner()
            self.plans = self.joiner.plans(self.code.calls)
        self.promises = self._read_promises()
        self.observed = Observed() if request.static else self._observe()
        self.plans += self.joiner.besides(self.observed.besides)
        self.plans.sort(key=lambda p: (p.predicted.file, p.predicted.line, p.predicted.col))
        self.sites = tuple(self._sites())
        self.changed = self._changed_sources()

    def _say(self, text: str) -> None:
        if self.request.progress:
            self.request.progress(text)

    def _own(self, file: str) -> bool:
        return self.request.deep or self.names.own(file)

    def _read_facts(self) -> dict[tuple[str, int], list[LineFacts]]:
        functions = self.functions
        found: dict[tuple[str, int], list[LineFacts]] = {}
        for (file, line), facts in (
            CodeLines(self.program.elf, self.program.lines).facts(functions).items()
        ):
            found.setdefault((self.names.canonical(file), line), []).extend(facts)
        return found

    def _joiner(self) -> Joiner:
        predictions = predict(self.build.diagnostics, self.names.of_message, self.sources)
        types = static_types(self.program)
        return Joiner(
            predictions, self.facts, self.names.canonical, self._own,
            types.name if types else lambda _: "",
        )  # fmt: skip

    def _read_promises(self) -> list[Promise]:
        found: list[Promise] = []
        for package in self.build.packages:
            for file in package.files:
                text = "\n".join(self.sources.lines(str(file)))
                if "//goprobe:" in text:
                    found += promises_in(str(file), text)
        return found

    def _observe(self) -> Observed:
        request = self.request
        entries = {promise: self._entries(promise) for promise in self.promises}
        self._say("")
        return observe(
            Request(
                self.program, self.code, self.plans, self._responsible(), entries,
                self._arguments(),
                self.build.program.directory if request.mode is Mode.TEST else request.cwd,
                request.hits, request.check_pointers, request.timeout, request.stdout,
                request.stderr,
            )
        )  # fmt: skip

    def _responsible(self) -> list[Function]:
        """The functions that are looked at, and those into which they were inlined."""
        if self.request.deep:
            return list(self.code.functions_outside())
        entries = {call.entry for plan in self.plans for call in plan.calls}
        known = {function.entry for function in self.functions}
        others = (self.program.lines.function_at(entry) for entry in entries - known)
        return [*self.functions, *(f for f in others if f)]

    def _entries(self, promise: Promise) -> list[int]:
        """Where the code of a promise's lines begins, in each machine function that has some."""
        first: dict[int, tuple[int, int]] = {}
        for line in range(promise.first, promise.last + 1):
            for fact in self.facts.get((promise.file, line), ()):
                first.setdefault(fact.entry, (line, fact.first_pc))
        return [pc for _, pc in first.values()]

    def _arguments(self) -> tuple[str, ...]:
        """For a test binary the flags that `go test` would pass. Benchmarks run a fixed number of
        times unless the caller says otherwise: counts are to be the same each time."""
        request = self.request
        if request.mode is not Mode.TEST:
            return request.args
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

    # Sites

    def _sites(self) -> Iterable[Site]:
        inlined_at = self._places_of_inlining()
        for plan in self.plans:
            evidence = self._evidence(plan, inlined_at)
            if self._worth_telling(plan, evidence):
                yield self._site(plan, evidence)
        yield from self._alarms()

    def _alarms(self) -> Iterable[Site]:
        """A site for each pointer into a stack: which prediction it breaks is not known."""
        for found in self.observed.dangling:
            where = f", the frame of {found.function}" if found.function else ""
            somewhere = str(self.build.program.files[0])
            yield Site(
                file=self.names.canonical(found.file) if found.file else somewhere, line=found.line,
                col=0, function=found.function, expression=found.source,
                prediction=Prediction.NONE, messages=(), calls=(), hits=0, outcomes=(),
                verdict=Verdict.CONTRADICTED,
                reason=f"{found.when} it points into a stack{where}: {found.target}",
            )  # fmt: skip

    def _worth_telling(self, plan: SitePlan, evidence: Evidence) -> bool:
        """Not what other packages never did."""
        return evidence.hits > 0 or not self.request.deep or self.names.own(plan.predicted.file)

    def _places_of_inlining(self) -> dict[str, list[str]]:
        """For each function that was inlined somewhere: where."""
        found: dict[str, list[str]] = {}
        for (file, line), facts in self.facts.items():
            for fact in facts:
                for name in fact.inlined:
                    found.setdefault(name, []).append(f"{Path(file).name}:{line}")
        return found

    def _evidence(self, plan: SitePlan, inlined_at: dict[str, list[str]]) -> Evidence:
        predicted, seen = plan.predicted, self.observed
        elsewhere = () if plan.alive else self._elsewhere(plan.function, inlined_at)
        return Evidence(
            prediction=predicted.prediction,
            families=predicted.shape.families,
            calls=tuple(seen.evidence(call) for call in plan.calls),
            together=tuple(seen.evidence(call) for call in plan.together),
            statics=tuple(plan.statics),
            ran=seen.ran,
            code=plan.code,
            alive=plan.alive,
            parameter=predicted.parameter,
            leaks=predicted.prediction is Prediction.NONE,
            global_=predicted.global_,
            zero_copy=predicted.zero_copy,
            temporary=predicted.shape.temporary,
            wrapper=plan.wrapper,
            foreign=self.request.deep and not self.names.own(predicted.file),
            witness=bool(plan.witnesses),
            witnessed=sum(seen.witnessed.get(w.pc, 0) for w in plan.witnesses),
            executed=sum(seen.executed.get(w.pc, 0) for w in plan.witnesses),
            elsewhere=tuple(sorted(elsewhere)),
            unseen=seen.partial,
            limits=_limits(predicted.flow),
            boxed=self._boxed(plan),
            looked=self.request.hits,
        )

    def _boxed(self, plan: SitePlan) -> str:
        """Which parts of a map are too large to lie in it."""
        types = {c.type for c in plan.calls if c.allocator.family is Family.ASSIGN and c.type}
        parts = [part for rtype in types for part in self.map_parts.boxed(rtype)]
        return " and ".join(dict.fromkeys(parts))

    def _elsewhere(self, function: str, inlined_at: dict[str, list[str]]) -> Sequence[str]:
        for name, places in inlined_at.items():
            if name == function or name.endswith(f".{function}"):
                return places
        return ()

    def _site(self, plan: SitePlan, evidence: Evidence) -> Site:
        predicted = plan.predicted
        verdict, reason = judge(evidence)
        hits = evidence.hits if plan.calls or plan.together else evidence.executed
        return Site(
            file=predicted.file,
            line=predicted.line,
            col=predicted.col,
            function=plan.function,
            expression=predicted.expression,
            prediction=predicted.prediction,
            messages=tuple(predicted.messages),
            calls=tuple(self._call(call.pc, plan, i) for i, call in enumerate(plan.calls)),
            hits=hits,
            outcomes=_merged(evidence.outcomes),
            verdict=verdict,
            reason=reason,
            inspected=sum(c.inspected for c in evidence.main_calls) or evidence.witnessed,
            flow=predicted.flow,
            ambiguous=plan.ambiguous,
            parameter=predicted.parameter,
            allocations=evidence.made if evidence.ran else -1,
            bytes=sum(c.bytes for c in evidence.all_calls) if evidence.ran else -1,
        )

    def _call(self, pc: int, plan: SitePlan, index: int) -> Call:
        call = plan.calls[index]
        inner = call.frames[0]
        outer = [f"{f.file}:{f.line} ({f.function})" for f in call.frames[1:]]
        return Call(
            pc=Address(pc), callee=call.allocator.symbol, inlined_at=tuple(outer),
            file=self.names.canonical(inner.file), line=inner.line, function=inner.function,
            hits=self.observed.hits(call), allocations=self.observed.allocations(call),
            blocks=self.observed.blocks(call), bytes=self.observed.bytes(call),
        )  # fmt: skip


def _merged(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Outcomes of several calls of one site that lay alike, added up."""
    found: dict[tuple[str, str], Outcome] = {}
    for o in outcomes:
        key = o.kind, o.type
        known = found.get(key)
        found[key] = o if known is None else Outcome(
            kind=o.kind, count=known.count + o.count, bytes=known.bytes + o.bytes, type=o.type,
            address=known.address, name=known.name, opened=known.opened + o.opened,
        )  # fmt: skip
    return tuple(found.values())


def _limits(flow: Sequence[str]) -> tuple[str, ...]:
    """The compiler's own words for what does not fit in a frame."""
    words = ("too large for stack", "non-constant size", "zero-sized element")
    return tuple(word for word in words if any(f"({word})" in line for line in flow))


def _report(studies: Sequence[_Study], go: GoTool, request: EscapeRequest) -> EscapeReport:
    sites = tuple(_shown(s, request.cwd) for study in studies for s in study.sites)
    assertions = [a for study in studies for a in _assertions(study)]
    summary: dict[str, int] = {}
    for site in sites:
        summary[site.verdict] = summary.get(site.verdict, 0) + 1
    first = studies[0]
    observed = [study.observed for study in studies]
    report = EscapeReport(
        pid=observed[-1].pid,
        go=Tool(go.version),
        build=Build(request.flags, " ".join(first.build.command), GCFLAGS, str(first.build.binary)),
        sites=sites,
        assertions=tuple(_shown_assertion(a, request.cwd) for a in assertions),
        summary={v: summary[v] for v in Verdict if v in summary},
        ran=not request.static,
        partial=" · ".join(o.partial for o in observed if o.partial),
        exit=_exit(observed),
        dangling=tuple(d for o in observed for d in o.dangling),
        warnings=tuple(_warnings(studies)),
    )
    return finished(report, audit_escape(report))


def _assertions(study: _Study) -> tuple[Assertion, ...]:
    executed = study.observed.promised
    return check(study.promises, study.sites, executed, ran=study.observed.ran)


def _exit(observed: Sequence[Observed]) -> Exit:
    """The first that ended badly, else that of the last."""
    bad = [o.exit for o in observed if o.exit != Exit(code=0)]
    return bad[0] if bad else observed[-1].exit


def _warnings(studies: Sequence[_Study]) -> Iterable[str]:
    for study in studies:
        yield from study.observed.warnings
        for file in study.changed:
            yield f"{file} was changed after the build: its lines may not be those of the binary"


def _shown(site: Site, cwd: Path) -> Site:
    calls = tuple(replace(c, file=_relative(c.file, cwd)) for c in site.calls)
    return replace(site, file=_relative(site.file, cwd), calls=calls)


def _shown_assertion(assertion: Assertion, cwd: Path) -> Assertion:
    return replace(assertion, file=_relative(assertion.file, cwd))


def _relative(file: str, cwd: Path) -> str:
    """A path below the current folder relative to it, any other as it is."""
    prefix = f"{cwd.absolute()}{os.sep}"
    return file.removeprefix(prefix)
