"""A Go program driven stop by stop: GDB holds it, goprobe reads it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Self

from msgspec.structs import replace

from goprobe.analysis.trace.breakpoints import BreakLocation, check_instruction, resolve
from goprobe.analysis.trace.following import Habit, stop_points
from goprobe.analysis.trace.prepare import Launch, Prepared
from goprobe.analysis.trace.stopregisters import StopRegisters, ThreadRegisters
from goprobe.analysis.trace.stopview import StopView
from goprobe.errors import GoprobeError, TargetTimeoutError, UsageError
from goprobe.process.gdb.controller import Gdb
from goprobe.process.gdb.mi import StopEvent
from goprobe.process.memory.memory import PageCache, ProcessMemory
from goprobe.process.proc.identity import entry_point
from goprobe.process.proc.maps import find, read_maps
from goprobe.process.ptrace.priority import import_numpy
from goprobe.process.stoptracer.follower import Follower, NotFollowableError
from goprobe.process.stoptracer.plan import Test
from goprobe.runtime.stacks.keeping import Cycle
from goprobe.runtime.stacks.stackcheck import StackCheck, check_ahead
from goprobe.runtime.world import load_bias
from goprobe.target.goprocess import GoProcess

_WORTH_WHILE = 100  # stops for which it was right to change hands


class Session:
    """One run of one program. A context manager: at its end program and GDB are gone; a process
    that ran already runs on."""

    def __init__(self, prepared: Prepared, launch: Launch) -> None:
        self.prepared = prepared
        self.program = prepared.program
        self._launch = launch
        self._left = math.inf if launch.timeout is None else launch.timeout
        self.halted: StopEvent | None = None
        self._pausing = False
        self._controller = Gdb(
            prepared.gdb.command, environment=prepared.gdb.environment, started=launch.started
        )
        self.pid = 0
        self.bias = 0
        self._places: dict[int, BreakLocation] = {}
        self._entries: dict[int, bool] = {}
        self._next_check: tuple[StopEvent, StackCheck] | None = None
        self.memory: ProcessMemory | None = None
        self._cycle = Cycle()
        self._follower: Follower | None = None
        self._habit = Habit()
        self._followed = 0  # stops since GDB has let go

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._controller.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the program, where it is ours, and GDB."""
        if self._follower is not None:
            self._follower.close()
        self._controller.close()
        if self.memory:
            self.memory.close()

    def _start(self) -> None:
        launch, binary = self._launch, self.prepared.built.binary
        if launch.process is not None:
            self.pid, self.bias = launch.process.pid, launch.process.bias
            self._gdb.attach(self.pid, timeout=self.time_left())
            self.memory = ProcessMemory(self.pid)
            return
        self.pid = self._gdb.launch(
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
            halted = self._holder.halt()
            self.halted = halted and self._ended(halted)

    # Who holds the program

    @property
    def _gdb(self) -> Gdb:
        """GDB, which holds the program: the tracer that follows it instead gives it back."""
        if self._follower is not None:
            self._give_back(self._follower)
        return self._controller

    @property
    def _holder(self) -> Gdb | Follower:
        return self._follower or self._controller

    def _give_back(self, follower: Follower) -> None:
        at, self._follower = follower.at, None
        self._habit.broken(soon=self._followed < _WORTH_WHILE)
        follower.leave()
        event = self._controller.take_back()
        if event.over or at is None:
            return
        self._set_again()
        place = self._place_at(at.pc)
        self._controller.stands_at(replace(at, breakpoint=place[0] if place else 0))
        if at.kind == "breakpoint" and self._enters(at.pc):
            view = self.view(at.thread)
            check = check_ahead(view.world, view.goroutine, view.registers)
            self._next_check = (self._controller.at, check) if check else None

    def _ended(self, event: StopEvent) -> StopEvent:
        """A tracer of our own says that the program ended, and we, its parent, how."""
        follower = self._follower
        if follower is None or event.kind not in ("exited", "exec"):
            return event
        self._follower = None
        follower.leave()
        told = self._controller.take_back()
        self._places.clear()
        return told if told.over else StopEvent("exec", self.pid, told.pc, detail="exec")

    def follow(self, tests: Mapping[str, Test]) -> None:
        """The program is about to run to its next stop, and nothing but breakpoints can stop it:
        where that was so often by now a tracer of our own follows it from here on. `tests` are
        conditions of stops, by WHERE."""
        if self._follower is not None or self._launch.process is not None:
            return
        if not self._habit.ran():
            return
        by_number = {n: tests[p.reason] for n, p in self._places.items() if p.reason in tests}
        planned = stop_points(self.process, self._places, by_number)
        if planned is None:
            self._habit.broken(soon=True)
            return
        self.time_left()
        at, self._next_check = self._controller.at, None
        self._controller.lend()
        try:
            self._follower = Follower(self.pid, *planned, (at.thread, at.pc) if at else (0, 0))
            self._followed = 0
        except NotFollowableError:
            self._controller.take_back()
            self._set_again()
            self._habit.broken(soon=True)

    def proceed(self) -> StopEvent:
        """Let the program run to whatever stops it next. One pass of a breakpoint is one stop: GDB
        has the thread leave it alone (Gdb.resume), and past the stack check of a function that it
        enters (_leave)."""
        with self._runs():
            if self._follower is None:
                return self._leave() or self._controller.resume(timeout=self.time_left())
            self._followed += 1
            return self._ended(self._follower.resume(timeout=self.time_left()))

    def step_instruction(self, thread: int = 0) -> StopEvent:
        """One instruction of a thread (default: the one that stopped)."""
        with self._runs():
            return self._gdb.step_instruction(thread, timeout=self.time_left())

    @contextmanager
    def temporary(self, conditions: Mapping[int, str]) -> Iterator[frozenset[int]]:
        """Breakpoints at addresses of code, under conditions in GDB's C, by their numbers."""
        numbers = self._gdb.insert_conditional(conditions)
        try:
            yield frozenset(numbers)
        finally:
            if self.runs:
                self._gdb.remove_breakpoint(*numbers)

    def lend(self) -> GoProcess:
        """The program for another tracer: it stands in SIGSTOP, and GDB knows nothing of it."""
        self.time_left()
        self._gdb.lend()
        return self.process

    def take_back(self, seconds: float) -> StopEvent:
        """GDB holds it again, after it ran for so long; or how it ended meanwhile."""
        self._left -= seconds
        event = self._gdb.take_back()
        if not event.over:
            self._set_again()
        return event

    def _set_again(self) -> None:
        """GDB holds the program anew, and knows no breakpoints."""
        places, self._places = tuple(self._places.values()), {}
        self.break_at(places)

    # What of GDB is used from elsewhere

    @property
    def process(self) -> GoProcess:
        return GoProcess(self.pid, self.program, self.bias)

    @property
    def gdb_version(self) -> str:
        return self._controller.version

    @property
    def stands(self) -> bool:
        """Whether the program has not run since its last stop."""
        return self._holder.at is not None

    @property
    def runs(self) -> bool:
        """Whether the program is still there."""
        return bool(self._controller.pid)

    def threads(self) -> list[int]:
        """The kernel threads that stand still."""
        return self._holder.threads()

    def registers(self, thread: int, names: Collection[str]) -> Mapping[str, int]:
        """Some registers of a stopped thread."""
        return self._holder.some_registers(thread, names)

    def stop_at(self, address: int) -> int:
        """A breakpoint at a run-time address: its number."""
        return self._gdb.insert_breakpoint(address)

    def watch(self, address: int, size: int) -> int:
        """A watchpoint on what is written there: its number."""
        return self._gdb.insert_watchpoint(address, size)

    def count_watch_hits(self, on: bool) -> None:
        """Whether `watch_hits` is to be kept; it costs time at each stop."""
        self._gdb.say_watch_hits(on)

    @property
    def watch_hits(self) -> frozenset[int]:
        """The kernel ids of all threads that hit a watchpoint before this stop (see Gdb)."""
        return self._gdb.watch_hits

    def execute(self, pc: int, code: int, register: str, value: int) -> StopEvent:
        """Have the thread at `pc` run the one instruction `code` in place of its own, with `value`
        in a register. The program is spoilt by it: for copies that are run for this alone."""
        self._gdb.put_code(pc, code)
        self._gdb.put_register(register, value)
        return self.step_instruction()

    def forget(self, number: int) -> None:
        """Take a breakpoint or watchpoint away, where the program is still there."""
        if self.runs:
            self._gdb.remove_breakpoint(number)

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
        numbers = self._gdb.insert_breakpoints(list(addresses))
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
            self._gdb.remove_breakpoint(number)
            del self._places[number]

    def where_of(self, event: StopEvent) -> str:
        """The WHERE of the breakpoint that an event hit, "" for other events."""
        place = self._place_of(event)
        return place.reason if place else ""

    def pause(self) -> None:
        """Have a running program stop; from any thread of ours."""
        holder = self._holder
        if holder.running:
            self._pausing = True
            holder.interrupt()

    def reason_of(self, event: StopEvent) -> str:
        """In words, why the program stopped."""
        if self._pausing and event.kind == "signal" and event.signal == "SIGTRAP":
            self._pausing = False
            return "paused"
        if where := self.where_of(event):
            return f"breakpoint {where}"
        return f"signal {event.signal}" if event.kind == "signal" else event.detail or event.kind

    def _place_of(self, event: StopEvent) -> BreakLocation | None:
        """The place of an event, even where GDB names another breakpoint at the same address."""
        place = self._places.get(event.breakpoint)
        if place or event.kind != "breakpoint":
            return place
        there = self._place_at(event.pc)
        return there[1] if there else None

    def _place_at(self, pc: int) -> tuple[int, BreakLocation] | None:
        """The breakpoint at a run-time address, and its number."""
        for number, place in self._places.items():
            if place.address + (0 if place.absolute else self.bias) == pc:
                return number, place
        return None

    def resolve(self, wheres: Sequence[str]) -> tuple[BreakLocation, ...]:
        return tuple(p for where in wheres for p in resolve(self.program, where))

    def advance(self) -> StopEvent:
        """Run to the next stop that is one, or to the program's end."""
        while True:
            event = self.proceed()
            if event.over or not self._place_of(event) or not self._enters(event.pc):
                return event
            if self._follower is not None:
                return event  # which is behind the stack check in truth
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
        registers = StopRegisters(self._holder, tid)
        threads = ThreadRegisters(self._holder)
        threads.put(tid, registers)
        assert self.memory is not None
        if self.program.stripped:
            import_numpy()
            from goprobe.runtime.stripped import stripped_facts  # brings numpy along

            # Where the runtime's globals lie shows only once the runtime has set them up.
            self.program.adopt(
                stripped_facts(self.program, self.memory, self.bias, shown_by=f"{os.geteuid()}")
            )
        world = self.process.world(PageCache(self.memory), read_maps(self.pid), threads)
        return StopView(world, tid, registers, doubt=doubt, cycle=self._cycle)

    def _leave(self) -> StopEvent | None:
        """Let the thread pass the stack check that it stands before, all others standing still:
        so it turns out as it looked at the stop, and the call is hit neither twice nor never. The
        next stop, if it came to one before."""
        following, self._next_check = self._next_check, None
        if following is None or self._controller.at is not following[0]:
            return None
        return self._gdb.step_alone(following[1].instructions, timeout=self.time_left())
