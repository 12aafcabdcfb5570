"""What is measured for `goprobe explain`: runs of the program, and of small ones beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import resources
from pathlib import Path

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from goprobe.analysis.locate.memorymap import memory_map
from goprobe.analysis.trace.breakpoints import BreakLocation, resolve
from goprobe.analysis.trace.prepare import Launch, prepare
from goprobe.analysis.trace.session import Session
from goprobe.analysis.trace.stopview import StopView
from goprobe.cachefolder import cache_folder, unnamed_file
from goprobe.errors import CannotWorkError, TargetTimeoutError, UnreadableError, UsageError
from goprobe.model.escape import EscapeReport
from goprobe.model.location import Kind, Location, Region
from goprobe.model.trace import StopReport
from goprobe.model.value import Variable
from goprobe.process.gdb.mi import StopEvent
from goprobe.process.memory.memory import u64
from goprobe.runtime.image.program import GoProgram
from goprobe.toolchain.built import is_executable_file

STATIC = frozenset({Kind.RODATA, Kind.DATA, Kind.BSS})
_STOPS = 40
_SHOWN = 8
_LINES = 12
_SAID_LIMIT = 1 << 16
_END = "runtime.exit"


class CollectorCounters(msgspec.Struct, frozen=True):
    """The collector's counters at one moment: cycles, and all pauses together in nanoseconds."""

    cycles: int
    pause_ns: int


class Run(msgspec.Struct, kw_only=True):
    """One run of one program: its stops, its memory map, and how it ended."""

    program: GoProgram
    binary: str
    pid: int
    bias: int
    gdb: str
    stops: list[StopReport] = msgspec.field(default_factory=list)
    map: tuple[Region, ...] = ()
    text_mapping: str = ""
    globals: tuple[tuple[str, Location], ...] = ()
    max_stack: int = 0
    gauge: CollectorCounters | None = None
    libraries: tuple[str, ...] = ()
    kernel_stack: str = ""
    prologue: tuple[str, ...] = ()
    end: str = ""

    def string_variable(self) -> tuple[StopReport, Variable] | None:
        """A live string of the user's code whose bytes lie somewhere: a literal's, if there is
        one."""
        variable = None
        for stop in reversed(self.stops):
            for v in stop.variables:
                if v.type == "string" and v.data is not UNSET and v.function.startswith("main."):
                    if v.data.location.kind in STATIC and v.data.size:
                        return stop, v
                    variable = variable or (stop, v)
        return variable


class ClaimStudy:
    """Everything the claims are measured on, each run made when first asked for."""

    def __init__(self, launch: Launch, *, builtin: bool) -> None:
        self.launch = launch
        self.builtin = builtin
        self.target = launch.target
        self.compiled = is_executable_file(launch.target)

    @property
    def looked(self) -> str:
        """What there was to look at, where that was too little."""
        stops = ", ".join(f"{s.function} (line {s.line})" for s in self.plain.stops[:_SHOWN])
        return f"{len(self.plain.stops)} stops of process {self.plain.pid}: {stops or 'none'}"

    @cached_property
    def plain(self) -> Run:
        """The program without optimisation, stopped at main.main, its prints and its end.

        One that has no fmt.Println is stopped at the lines of main.main instead.
        """
        return self._run(self.launch, ("main.main", "fmt.Println", _END))

    @cached_property
    def optimized(self) -> Run:
        """The program as users build it."""
        with _nowhere() as sink:
            launch = replace(self.launch, optimized=True, stdout=sink, stderr=sink)
            return self._run(launch, ("main.main", "fmt.Println"))

    @cached_property
    def escapes(self) -> EscapeReport:
        """What the escape command says of the program; only for one with source."""
        from goprobe.analysis.explain.allocations import escapes_of

        return escapes_of(self.launch)

    def companion(self, name: str, *breaks: str) -> Run:
        """One of the small programs that come with goprobe."""
        with _nowhere() as sink:
            launch = replace(
                self.launch, target=str(shipped(name)), args=(), stdout=sink, stderr=sink
            )
            return self._run(launch, breaks)

    def _run(self, launch: Launch, breaks: tuple[str, ...]) -> Run:
        prepared = prepare(launch)
        with Session(prepared, launch) as session:
            run = Run(
                program=prepared.program,
                binary=str(prepared.built.binary),
                pid=session.pid,
                bias=session.bias,
                gdb=session.gdb_version,
            )
            locations: list[BreakLocation] = []
            for where in breaks:
                try:
                    locations += session.resolve((where,))
                except UsageError:
                    continue
            if "fmt.Println" in breaks and not any(p.reason == "fmt.Println" for p in locations):
                locations += _lines_of_main(prepared.program)
            session.break_at(locations)
            self._follow(session, run, locations)
        return run

    def _follow(self, session: Session, run: Run, locations: Sequence[BreakLocation]) -> None:
        while True:
            try:
                event, view, _ = session.run()
            except TargetTimeoutError:
                if not run.stops:
                    raise
                run.end = "its end still to come when its time was up"
                return
            if view is None:
                run.end = _ending(event)
                return
            where = session.where_of(event)
            if where == _END:
                run.gauge = _gauge(view)
                continue
            if event.kind == "signal":
                continue
            run.stops.append(view.stop(where or event.detail))
            _look_around(run, view)
            if len(run.stops) == _STOPS:
                for each in {place.reason for place in locations} - {_END}:
                    session.clear_breakpoints(each)

    def in_scratch(self, question: Callable[[Session, StopView], StopEvent]) -> tuple[str, str]:
        """Do something to a second copy of the program, stopped at main.main: what came of it,
        and what the copy wrote on its stderr."""
        prepared = prepare(self.launch)
        with _nowhere() as sink, unnamed_file() as errors:
            launch = replace(self.launch, stdout=sink, stderr=errors.fileno())
            with Session(prepared, launch) as session:
                session.break_at(session.resolve(("main.main",)))
                _, view, _ = session.run()
                if view is None:
                    raise UsageError("the program ended before main.main")
                event = question(session, view)
            errors.seek(0)
            said = errors.read(_SAID_LIMIT).decode("utf-8", "replace")
        return _ending(event) if event.over else event.kind, said


def _lines_of_main(program: GoProgram) -> list[BreakLocation]:
    """Where the last lines of main.main begin: there its variables have their values."""
    if program.stripped:
        return []
    lines: dict[int, int] = {}
    for place in resolve(program, "main.main"):
        function = program.debug.function_at(place.address)
        if function is None:
            continue
        for row in program.rows.rows(program.debug.unit_at(function.offset)):
            if row.statement and place.address < row.address < function.high:
                lines.setdefault(row.line, row.address)
    return [BreakLocation(lines[line], f"line {line}") for line in sorted(lines)[-_LINES:]]


@contextmanager
def _nowhere() -> Iterator[int]:
    sink = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        yield sink
    finally:
        os.close(sink)


def shipped(name: str) -> Path:
    """A shipped Go program as a file of the user's cache, so that `go build` can take it."""
    try:
        path = cache_folder("explain", name) / f"{name}.go"
    except OSError as error:
        raise CannotWorkError(str(error), hint="set XDG_CACHE_HOME to a folder") from None
    text = (resources.files("goprobe.analysis.explain") / "programs" / f"{name}.go").read_bytes()
    if not path.exists() or path.read_bytes() != text:
        path.write_bytes(text)
    return path


def _ending(event: StopEvent) -> str:
    if event.kind == "signalled":
        return f"signal {event.signal}"
    return f"exit code {event.exit_code}"


def _gauge(view: StopView) -> CollectorCounters | None:
    world = view.world
    struct = world.layout.structs.get("mstats")
    at = world.roots.get("memstats", 0)
    if struct is None or not at:
        return None
    try:
        cycles = u64(world.memory, at + struct.offset("numgc")) & 0xFFFFFFFF
        return CollectorCounters(cycles, u64(world.memory, at + struct.offset("pause_total_ns")))
    except (UnreadableError, KeyError):
        return None


def _look_around(run: Run, view: StopView) -> None:
    """What is the same at every stop is taken at the last one."""
    world = view.world
    run.map = memory_map(view.locator)
    main = world.program.lines.function_named("main.main")
    if main:
        mapping = view.locator.mapping_at(main.entry + run.bias)
        if mapping:
            run.text_mapping = f"[{mapping.low:#x}, {mapping.high:#x}) {mapping.perms}"
    run.globals = tuple(_globals(view))
    at = world.roots.get("maxstacksize", 0)
    try:
        run.max_stack = u64(world.memory, at) if at else 0
    except UnreadableError:
        run.max_stack = 0
    run.libraries = tuple(
        dict.fromkeys(m.path for m in world.mappings if ".so" in m.path and "x" in m.perms)
    )
    stack = next((m for m in world.mappings if m.path == "[stack]"), None)
    if stack:
        size = (stack.high - stack.low) >> 10
        run.kernel_stack = f"[{stack.low:#x}, {stack.high:#x}), {size} KiB"
    if not run.prologue:
        run.prologue = _prologue(view)


def _globals(view: StopView) -> list[tuple[str, Location]]:
    world = view.world
    own = [g for g in world.program.debug.index.globals if g.name.startswith("main.")]
    chosen = [g for g in own if not g.name.startswith("main..")][:8]
    if not chosen:
        known = world.program.debug.globals
        chosen = [known[n] for n in ("os.Stdout", "os.Args", "runtime.buildVersion") if n in known]
    return [(g.name, view.locator.locate(g.address + world.bias)) for g in chosen]


def _prologue(view: StopView) -> tuple[str, ...]:
    """The instructions with which main.main makes room for its frame."""
    from goprobe.arch.instructions import prologue

    program = view.world.program
    main = program.lines.function_named("main.main")
    if main is None:
        return ()
    return tuple(prologue(program.elf.read(main.entry, min(64, main.end - main.entry)), main.entry))
