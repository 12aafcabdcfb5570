"""A Go program driven stop by stop: GDB holds it, goprobe reads it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Self

from goprobe.analysis.trace.breakpoints import BreakLocation, resolve
from goprobe.analysis.trace.held import HeldProgram
from goprobe.analysis.trace.prepare import Launch, Prepared
from goprobe.analysis.trace.stopview import StopView
from goprobe.arch.patches import NO_OPERATION
from goprobe.arch.registers import PC
from goprobe.errors import GoprobeError, TargetTimeoutError
from goprobe.process.gdb.mi import StopEvent
from goprobe.process.memory.memory import ProcessMemory
from goprobe.process.proc.identity import entry_point
from goprobe.process.proc.maps import read_maps
from goprobe.runtime.world import load_bias


class Session(HeldProgram):
    """One run of one program. A context manager: at its end program and GDB are gone; a process
    that ran already runs on."""

    def __init__(self, prepared: Prepared, launch: Launch) -> None:
        super().__init__(prepared, launch)
        self._left = math.inf if launch.timeout is None else launch.timeout
        self.halted: StopEvent | None = None
        self._pausing = False

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
            self.pid, self._places.bias = launch.process.pid, launch.process.bias
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
            self._places.bias = load_bias(
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
            hint="give it longer: --timeout SECONDS, in Python timeout=SECONDS",
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

    def step_alone(self, count: int, more: Callable[[], bool]) -> StopEvent | None:
        """Some instructions of the thread that stopped, while there are to be `more`, all others
        standing still: the next stop, if it came to one. It stands then as after any stop."""
        at = self._controller.at
        with self._runs():
            event = self._gdb.step_alone(count, timeout=self.time_left(), more=more)
        if event is None and at is not None:
            pc = self.registers(at.thread, frozenset((PC,)))[PC]
            self._gdb.stands_at(StopEvent("step", at.thread, pc))
        return event

    @contextmanager
    def temporary(self, conditions: Mapping[int, str]) -> Iterator[frozenset[int]]:
        """Breakpoints at addresses of code, under conditions in GDB's C, by their numbers."""
        numbers = self._gdb.insert_conditional(conditions)
        try:
            yield frozenset(numbers)
        finally:
            if self.runs:
                self._gdb.remove_breakpoint(*numbers)

    def lend(self) -> bool:
        """Let another tracer have the program: it stands in SIGSTOP, and GDB knows nothing of it.
        Whether it has not run meanwhile."""
        self.time_left()
        gdb = self._gdb
        if not gdb.stands_whole and (nowhere := self._does_nothing()):
            gdb.settle(nowhere)
        return gdb.lend()

    def _does_nothing(self) -> int:
        """Where there is an instruction that does nothing, 0 for nowhere: goexit begins with one,
        so that what returns there is within it (src/runtime/asm_*.s, Go 1.21 to 1.27)."""
        goexit = self.program.lines.function_named("runtime.goexit")
        if goexit is None:
            return 0
        code = self.program.elf.read(goexit.entry, len(NO_OPERATION))
        return goexit.entry + self.bias if code == NO_OPERATION else 0

    def take_back(self, seconds: float) -> StopEvent:
        """GDB holds it again, after it ran for so long; or how it ended meanwhile."""
        self._left -= seconds
        return self._hold_again()

    # What of GDB is used from elsewhere

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
        self._places.set(self._gdb, locations)

    def clear_breakpoints(self, reason: str = "") -> None:
        """Remove all breakpoints, or those that a WHERE set."""
        self._places.clear(self._gdb, reason)

    def places(self) -> Iterator[tuple[int, str]]:
        """The run-time addresses of breakpoints, each with its WHERE."""
        return ((address, place.reason) for _, address, place in self._places)

    def where_of(self, event: StopEvent) -> str:
        """The first of them, "" for other events."""
        return (self.wheres_of(event) or ("",))[0]

    def wheres_of(self, event: StopEvent) -> tuple[str, ...]:
        """The WHEREs of the breakpoint that an event hit, none for other events."""
        return self._places.reasons(event)

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

    def resolve(self, wheres: Sequence[str]) -> tuple[BreakLocation, ...]:
        """Every place that these mean, in the plugins that it has loaded by now, too. Raises
        UsageError for one that means nothing."""
        plugins = self.plugins()
        return tuple(p for where in wheres for p in resolve(self.program, where, plugins))

    def advance(self) -> StopEvent:
        """Run to the next stop that is one, or to the program's end."""
        while True:
            event = self.proceed()
            if event.over or not self.enters_again(event):
                return event

    def run(self) -> tuple[StopEvent, StopView | None, str]:
        """Run to the next stop that is one: the event, a view of it, and its reason. The view is
        None where the program ended."""
        event = self.advance()
        if event.over:
            return event, None, ""
        return event, self.view_of(event), self.reason_of(event)

    def _leave(self) -> StopEvent | None:
        """Let the thread pass the stack check that it stands before, all others standing still:
        so it turns out as it looked at the stop, and the call is hit neither twice nor never. The
        next stop, if it came to one before."""
        following, self._next_check = self._next_check, None
        if following is None or self._controller.at is not following[0]:
            return None
        return self._gdb.step_alone(following[1].instructions, timeout=self.time_left())
