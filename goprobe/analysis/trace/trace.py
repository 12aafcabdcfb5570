"""`goprobe trace`: run a Go program to its stops and say where its variables and data live."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from goprobe.analysis.audit import finished
from goprobe.analysis.locate.memorymap import memory_map
from goprobe.analysis.trace.audit import audit_trace
from goprobe.analysis.trace.breakpoints import BreakLocation
from goprobe.analysis.trace.prepare import Launch, Prepared, prepare
from goprobe.analysis.trace.session import Session
from goprobe.analysis.trace.stopview import StopView
from goprobe.binary.dwarf.called import full_names
from goprobe.errors import TargetGoneError, TargetTimeoutError, UsageError
from goprobe.model.location import Region
from goprobe.model.report import Tool
from goprobe.model.trace import Binary, Exit, StopReport, TraceReport
from goprobe.process.gdb.mi import StopEvent
from goprobe.process.gdb.process import GdbProcess
from goprobe.runtime.image.goimage import head_of
from goprobe.toolchain.support import gdb_warning, go_warning

DEFAULT_BREAKS = ("main.main", "fmt.Println")
STOP_LIMIT = 200
_SHOWN_VARIABLES = 12


class TraceRequest(msgspec.Struct, frozen=True):
    """What to trace. `breaks` empty means the default ones; `variables` empty means all.

    `stdout_fd` gets the program's output; `timeout` in seconds bounds the whole run. `started` is
    the GDB to use where that runs already; it is ended with the trace. `tells_when_interrupted`:
    Ctrl-C after the first stop ends the program, and what was seen until then is the report.
    """

    target: str
    args: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    optimized: bool = False
    go: str | None = None
    gdb: str | None = None
    timeout: float = 60.0
    stdout_fd: int = 1
    progress: Callable[[str], None] | None = None
    max_stops: int = STOP_LIMIT
    started: GdbProcess | None = None
    tells_when_interrupted: bool = False


def trace(request: TraceRequest) -> TraceReport:
    """Build, run, stop, look. Raises the errors of goprobe.errors, TargetError where the program
    ended or ran out of time before any stop."""
    launch = Launch(
        target=request.target,
        args=request.args,
        optimized=request.optimized,
        go=request.go or "",
        gdb=request.gdb or "",
        timeout=request.timeout,
        stdout=request.stdout_fd,
        progress=request.progress,
        started=request.started,
    )
    prepared = prepare(launch)
    session = Session(prepared, launch)  # GDB starts while we look for the places to stop
    tracer = _Tracer(request, prepared, session)
    try:
        locations = tracer.places()
    except BaseException:
        session.close()
        raise
    with session:
        return tracer.run(locations)


class _Tracer:
    def __init__(self, request: TraceRequest, prepared: Prepared, session: Session) -> None:
        self.request = request
        self.prepared = prepared
        self.session = session
        self.stops: list[StopReport] = []
        self.maps: list[tuple[Region, ...]] = []
        self.warnings: list[str] = []
        self._in_scope = set[str]()

    def run(self, locations: Sequence[BreakLocation]) -> TraceReport:
        program = self.prepared.program
        self.session.break_at(locations)
        self._warn_of_versions()
        ended = self._stops_until_end()
        self._require_variables()
        binary = self.prepared.built.binary
        report = TraceReport(
            **head_of(self.session.pid, program),
            gdb=Tool(self.session.gdb_version),
            binary=Binary(
                path=str(binary),
                build_id=program.elf.build_id,
                flags=_flags(program.info.settings),
                pie=program.elf.pie,
                optimized=program.info.optimized,
                stripped=program.stripped,
            ),
            exit=ended,
            map=self.maps[-1],
            stops=tuple(map(self._with_map, self.stops, self.maps)),
            warnings=tuple(self.warnings),
        )
        return finished(report, audit_trace(report, program.elf.status.st_mtime_ns))

    def _require_variables(self) -> None:
        """Raises UsageError where a variable that was asked for was in scope at no stop. The
        optimiser may have left nothing of one that the source has: that is an answer, beside which
        the nearest are named."""
        program = self.prepared.program
        if program.stripped:
            return
        for name in self.request.variables:
            if name not in self._in_scope:
                self._refuse_of_packages(name)
                from difflib import get_close_matches  # for mistakes only

                near = get_close_matches(name, self._in_scope, n=3)
                if program.info.optimized:
                    if near:
                        self.warnings.append(
                            f"no variable {name} is in scope at any stop (the optimiser may have "
                            f"left nothing of one that is so called); nearest: {', '.join(near)}"
                        )
                    continue
                some = sorted(self._in_scope)[:_SHOWN_VARIABLES]
                raise UsageError(
                    f"no variable {name} is in scope at any stop",
                    hint=f"nearest: {', '.join(near)}"
                    if near
                    else f"in scope are {', '.join(some) or 'none'}; --break WHERE stops elsewhere",
                )

    def _refuse_of_packages(self, name: str) -> None:
        """Raises UsageError where a package has a variable of that name: it is of no frame."""
        debug = self.prepared.program.debug
        known = [n for n in (*full_names(debug, name), f"main.{name}") if n in debug.globals]
        if known:
            raise UsageError(
                f"{known[0]} is a variable of a package, and of no frame",
                hint=f'a script reads it: program["{known[0]}"] (goprobe script, docs/python.md)',
            )

    def _warn_of_versions(self) -> None:
        program = self.prepared.program
        for warning in (go_warning(program.go.version), gdb_warning(self.session.gdb_version)):
            if warning:
                self.warnings.append(warning)
        if self.request.optimized and not program.info.optimized:
            self.warnings.append(
                "the binary was compiled without the optimiser, and --optimized builds only "
                "source: this is the unoptimised program"
            )
        if program.stripped:
            self.warnings.append(
                "the binary is stripped: its stops and frames are shown, but no variables, "
                "for it carries no debug information that describes them"
            )

    def places(self) -> Sequence[BreakLocation]:
        """Where to stop. Raises UsageError where a WHERE matches nothing."""
        request, session = self.request, self.session
        if request.breaks:
            return session.resolve(request.breaks)
        locations: list[BreakLocation] = []
        for where in DEFAULT_BREAKS:
            try:
                locations += session.resolve((where,))
            except UsageError:
                # Of a stripped program only functions with code of their own are known.
                of_its_own = " of its own" if session.program.stripped else ""
                self.warnings.append(
                    f"the program holds no {where}{of_its_own}, so there is no stop at it"
                )
        if not locations:
            raise UsageError(
                "the program holds neither main.main nor fmt.Println",
                hint="name a place to stop with --break",
            )
        return locations

    def _stops_until_end(self) -> Exit:
        while True:
            try:
                event, view, reason = self.session.run()
            except TargetTimeoutError:
                if not self.stops:
                    raise self._never_reached(None) from None
                self.warnings.append(
                    f"the program still ran {self.request.timeout:g} s after its start and was "
                    "ended; what is shown came before"
                )
                return Exit()
            except KeyboardInterrupt:
                if not (self.request.tells_when_interrupted and self.stops):
                    raise
                self.warnings.append(
                    "interrupted: the program was ended; what is shown came before"
                )
                return Exit()
            if view is None:
                return self._ended(event)
            self._record(view, reason)

    def _record(self, view: StopView, reason: str) -> None:
        self.stops.append(view.stop(reason, self.request.variables))
        self._in_scope.update(v.name for v in self.stops[-1].variables)
        if not self._in_scope.issuperset(self.request.variables):
            # One was never met: what there is instead is told, should none ever be.
            self._in_scope.update(v.name for v in view.variables())
        self.maps.append(memory_map(view.locator))
        if len(self.stops) >= self.request.max_stops:
            self.session.clear_breakpoints()
            self.warnings.append(
                f"more than {self.request.max_stops} stops: the program ran on without any more"
            )

    def _with_map(self, stop: StopReport, then: tuple[Region, ...]) -> StopReport:
        return stop if then == self.maps[-1] else replace(stop, map=then)

    def _ended(self, event: StopEvent) -> Exit:
        if not self.stops:
            raise self._never_reached(event)
        if event.kind == "signalled":
            return Exit(signal=event.signal)
        return Exit(code=event.exit_code)

    def _never_reached(self, event: StopEvent | None) -> TargetGoneError | TargetTimeoutError:
        wanted = ", ".join(self.request.breaks or DEFAULT_BREAKS)
        if event is None:
            return TargetTimeoutError(
                f"the program did not reach {wanted} within {self.request.timeout:g} s",
                hint="give it longer with --timeout SECONDS, or break elsewhere with --break",
            )
        how = (
            f"by signal {event.signal}"
            if event.kind == "signalled"
            else f"with exit code {event.exit_code}"
        )
        return TargetGoneError(f"the program ended {how} before it reached {wanted}")


def _flags(settings: dict[str, str]) -> str:
    shown = (
        "-buildmode",
        "-gcflags",
        "-ldflags",
        "-tags",
        "-trimpath",
        "-race",
        "-asan",
        "-msan",
        "-cover",
        "-pgo",
        "GOEXPERIMENT",
        "CGO_ENABLED",
    )
    return shlex.join(f"{k}={settings[k]}" for k in shown if settings.get(k))
