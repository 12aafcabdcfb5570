"""A Go program driven stop by stop: GDB holds it, goprobe reads it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Self

import msgspec

from goprobe.analysis.trace.breakpoints import BreakLocation, check_instruction, resolve
from goprobe.analysis.trace.stopregisters import StopRegisters
from goprobe.analysis.trace.stopview import StopView
from goprobe.arch.registers import FP, PC, SP, THREAD
from goprobe.binary.elf.elf import ElfFile
from goprobe.errors import GoprobeError, TargetTimeoutError, UsageError
from goprobe.process.gdb.controller import Gdb
from goprobe.process.gdb.mi import StopEvent
from goprobe.process.gdb.process import GdbProcess
from goprobe.process.memory.memory import PageCache, ProcessMemory
from goprobe.process.proc.identity import entry_point
from goprobe.process.proc.maps import find, read_maps
from goprobe.process.ptrace.priority import import_numpy
from goprobe.runtime.image.program import GoProgram
from goprobe.runtime.stacks.stackcheck import StackCheck, check_ahead
from goprobe.runtime.world import load_bias
from goprobe.target.goprocess import GoProcess
from goprobe.toolchain.built import Built, is_executable_file, prebuilt
from goprobe.toolchain.find import GdbTool, GoTool, find_gdb, find_go

Progress = Callable[[str], None]


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What to run: `stdin`, `stdout` and `stderr` are the file descriptors that it gets.

    `flags` are for the build; `env` is all of its environment, where that is not ours. `timeout`
    bounds how long the program runs in all, in seconds; None: nothing does. `started` is its GDB
    where that runs already.
    """

    target: str
    args: tuple[str, ...] = ()
    optimized: bool = False
    go: str = ""
    gdb: str = ""
    timeout: float | None = 60.0
    stdout: int = 1
    stderr: int = 2
    stdin: int = 0
    flags: tuple[str, ...] = ()
    env: Mapping[str, str] | None = None
    cwd: str | None = None
    progress: Progress | None = None
    started: GdbProcess | None = None


class Prepared(msgspec.Struct, frozen=True):
    """A program ready to run and the tools to run it with."""

    built: Built
    program: GoProgram
    gdb: GdbTool
    go: GoTool | None


class ThreadRegisters(Mapping[int, "RegisterView"]):
    """Each thread's registers, asked of GDB when first needed."""

    def __init__(self, gdb: Gdb) -> None:
        self._gdb = gdb
        self._tids: list[int] | None = None
        self._known: dict[int, RegisterView] = {}

    def _threads(self) -> list[int]:
        if self._tids is None:
            self._tids = self._gdb.threads()
        return self._tids

    def __getitem__(self, tid: int) -> RegisterView:
        if tid not in self._known:
            if tid not in self._threads():
                raise KeyError(tid)
            self._known[tid] = RegisterView(self._gdb.registers(tid))
        return self._known[tid]

    def __iter__(self) -> Iterator[int]:
        return iter(self._threads())

    def __len__(self) -> int:
        return len(self._threads())

    def put(self, tid: int, registers: Mapping[str, int]) -> None:
        self._known[tid] = RegisterView(registers)


class RegisterView:
    """GDB's registers under the names that a World asks for."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, int]) -> None:
        self._values = values

    @property
    def pc(self) -> int:
        return self._values[PC]

    @property
    def sp(self) -> int:
        return self._values[SP]

    @property
    def fp(self) -> int:
        return self._values[FP]

    @property
    def thread(self) -> int:
        return self._values[THREAD[0]]

    def value(self, name: str) -> int:
        return self._values[name]


def prepare(launch: Launch) -> Prepared:
    """Find the tools and build the program. Raises as find_go, find_gdb and build do, and
    NotGoError where the target is no Go program."""
    if is_executable_file(launch.target):
        go, built = None, prebuilt(launch.target)
    else:
        from goprobe.toolchain.build import build  # a compiled target needs none of it

        go = find_go(launch.go)
        built = build(
            launch.target,
            go,
            optimized=launch.optimized,
            flags=launch.flags,
            progress=launch.progress,
        )
    program = GoProgram(ElfFile(built.binary, shown_as=str(built.binary)))
    return Prepared(built, program, find_gdb(launch.gdb), go)


class Session:
    """One run of one program. A context manager: at its end program and GDB are gone."""

    def __init__(self, prepared: Prepared, launch: Launch) -> None:
        self.prepared = prepared
        self.program = prepared.program
        self._launch = launch
        self._left = math.inf if launch.timeout is None else launch.timeout
        self.halted: StopEvent | None = None
        self.gdb = Gdb(
            prepared.gdb.command, environment=prepared.gdb.environment, started=launch.started
        )
        self.pid = 0
        self.bias = 0
        self._places: dict[int, BreakLocation] = {}
        self._entries: dict[int, bool] = {}
        self._next_check: tuple[StopEvent, StackCheck] | None = None
        self.memory: ProcessMemory | None = None

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.gdb.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the program and GDB."""
        self.gdb.close()
        if self.memory:
            self.memory.close()

    def _start(self) -> None:
        launch, binary = self._launch, self.prepared.built.binary
        self.pid = self.gdb.launch(
            os.fspath(binary),
            launch.args,
            stdout=launch.stdout,
            stderr=launch.stderr,
            stdin=launch.stdin,
            env=launch.env,
            cwd=launch.cwd,
            timeout=self.time_left(),
        )
        self.memory = ProcessMemory(self.pid)
        if self.program.elf.pie:
            self.bias = load_bias(
                self.program, read_maps(self.pid), os.path.realpath(binary), entry_point(self.pid)
            )

    def time_left(self) -> float:
        """Seconds that the program may still run. Raises TargetTimeoutError where none are left."""
        if self._left <= 0:
            raise self._late()
        return self._left

    def _late(self) -> TargetTimeoutError:
        return TargetTimeoutError(
            f"the program did not get there within {self._launch.timeout:g} s",
            hint="give it longer with --timeout SECONDS",
        )

    @contextmanager
    def _runs(self) -> Iterator[None]:
        """While the program runs: the time that takes counts. If the wait is given up (its time is
        over, Ctrl-C), the program is halted, and `halted` says where."""
        started, self.halted = time.monotonic(), None
        try:
            yield
        except TargetTimeoutError:
            self._left = 0
            self._halt()
            raise self._late() from None
        except BaseException:
            self._halt()
            raise
        finally:
            self._left -= time.monotonic() - started

    def _halt(self) -> None:
        with suppress(GoprobeError):
            self.halted = self.gdb.halt()

    def proceed(self) -> StopEvent:
        """Let the program run to whatever stops it next. One pass of a breakpoint is one stop: GDB
        has the thread leave it alone (Gdb.resume), and past the stack check of a function that it
        enters (_leave)."""
        with self._runs():
            return self._leave() or self.gdb.resume(timeout=self.time_left())

    def step_instruction(self, thread: int = 0) -> StopEvent:
        """One instruction of a thread (default: the one that stopped)."""
        with self._runs():
            return self.gdb.step_instruction(thread, timeout=self.time_left())

    @contextmanager
    def temporary(self, conditions: Mapping[int, str]) -> Iterator[frozenset[int]]:
        """Breakpoints at addresses of code, under conditions in GDB's C, by their numbers."""
        numbers = self.gdb.insert_conditional(conditions)
        try:
            yield frozenset(numbers)
        finally:
            if self.gdb.pid:
                self.gdb.remove_breakpoint(*numbers)

    # What of GDB is used from elsewhere

    @property
    def gdb_version(self) -> str:
        return self.gdb.version

    @property
    def runs(self) -> bool:
        """Whether the program is still there."""
        return bool(self.gdb.pid)

    def registers(self, thread: int, names: Collection[str]) -> Mapping[str, int]:
        """Some registers of a stopped thread."""
        return self.gdb.some_registers(thread, names)

    def stop_at(self, address: int) -> int:
        """A breakpoint at a run-time address: its number."""
        return self.gdb.insert_breakpoint(address)

    def watch(self, address: int, size: int) -> int:
        """A watchpoint on what is written there: its number."""
        return self.gdb.insert_watchpoint(address, size)

    def forget(self, number: int) -> None:
        """Take a breakpoint or watchpoint away, where the program is still there."""
        if self.runs:
            self.gdb.remove_breakpoint(number)

    # Breakpoints by WHERE

    def break_at(self, locations: Sequence[BreakLocation]) -> None:
        """Set breakpoints; several places at one address become one."""
        addresses: dict[int, BreakLocation] = {}
        for place in locations:
            bias = 0 if place.absolute else self.bias
            if place.absolute:
                self._check_code(place.address)
                check_instruction(self.program, place.address, self.bias)
            addresses.setdefault(place.address + bias, place)
        numbers = self.gdb.insert_breakpoints(list(addresses))
        self._places.update(zip(numbers, addresses.values(), strict=True))

    def _check_code(self, address: int) -> None:
        """Raises UsageError where there is no code: a breakpoint would change data."""
        mapping = find(read_maps(self.pid), address)
        if mapping and "x" not in mapping.perms:
            raise UsageError(f"no breakpoint at {address:#x}: there is no code ({mapping.perms})")

    def clear_breakpoints(self, reason: str = "") -> None:
        """Remove all breakpoints, or those that a WHERE set."""
        gone = [n for n, place in self._places.items() if reason in ("", place.reason)]
        for number in gone:
            self.gdb.remove_breakpoint(number)
            del self._places[number]

    def where_of(self, event: StopEvent) -> str:
        """The WHERE of the breakpoint that an event hit, "" for other events."""
        place = self._place_of(event)
        return place.reason if place else ""

    def reason_of(self, event: StopEvent) -> str:
        """In words, why the program stopped."""
        if where := self.where_of(event):
            return f"breakpoint {where}"
        return f"signal {event.signal}" if event.kind == "signal" else event.detail or event.kind

    def _place_of(self, event: StopEvent) -> BreakLocation | None:
        """The place of an event, even where GDB names another breakpoint at the same address."""
        place = self._places.get(event.breakpoint)
        if place or event.kind != "breakpoint":
            return place
        for each in self._places.values():
            if each.address + (0 if each.absolute else self.bias) == event.pc:
                return each
        return None

    def resolve(self, wheres: Sequence[str]) -> tuple[BreakLocation, ...]:
        return tuple(p for where in wheres for p in resolve(self.program, where))

    def advance(self) -> StopEvent:
        """Run to the next stop that is one, or to the program's end."""
        while True:
            event = self.proceed()
            if event.over or not self._place_of(event) or not self._enters(event.pc):
                return event
            view = self.view(event.thread)
            check = check_ahead(view.world, view.goroutine, view.registers)
            self._next_check = (event, check) if check else None
            if not check or not check.fails:
                return event  # else the function is entered once more

    def _enters(self, pc: int) -> bool:
        """Whether a function begins there."""
        if pc not in self._entries:
            function = self.program.lines.function_at(pc - self.bias)
            self._entries[pc] = function is not None and function.entry == pc - self.bias
        return self._entries[pc]

    def run(self) -> tuple[StopEvent, StopView | None, str]:
        """Run to the next stop that is one: the event, a view of it, and its reason. The view is
        None where the program ended."""
        event = self.advance()
        if event.over:
            return event, None, ""
        return event, self.view_of(event), self.reason_of(event)

    def view_of(self, event: StopEvent) -> StopView:
        """A stop as it shows itself to the thread that stopped."""
        place = self._place_of(event)
        return self.view(event.thread, place.doubt if place else "")

    def view(self, tid: int, doubt: str = "") -> StopView:
        """The process as it stands now, from the point of view of one thread; `doubt` is what is
        to be said of the place."""
        registers = StopRegisters(self.gdb, tid)
        threads = ThreadRegisters(self.gdb)
        threads.put(tid, registers)
        assert self.memory is not None
        if self.program.stripped:
            import_numpy()
            from goprobe.runtime.stripped import stripped_facts  # brings numpy along

            # Where the runtime's globals lie shows only once the runtime has set them up.
            self.program.adopt(
                stripped_facts(self.program, self.memory, self.bias, owner=os.geteuid())
            )
        process = GoProcess(self.pid, self.program, self.bias)
        world = process.world(PageCache(self.memory), read_maps(self.pid), threads)
        return StopView(world, tid, registers, doubt=doubt)

    def _leave(self) -> StopEvent | None:
        """Let the thread pass the stack check that it stands before, all others standing still:
        so it turns out as it looked at the stop, and the call is hit neither twice nor never. The
        next stop, if it came to one before."""
        following, self._next_check = self._next_check, None
        if following is None or self.gdb.at is not following[0]:
            return None
        return self.gdb.step_alone(following[1].instructions, timeout=self.time_left())
