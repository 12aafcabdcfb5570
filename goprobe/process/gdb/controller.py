"""GDB as a controller: it starts, stops and resumes a program; we read its memory ourselves.

Nobody asks GDB for symbols here: breakpoints are addresses,
so it reads no file of the program at all, which is most of what makes it fast.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Self

from goprobe.arch import registers
from goprobe.arch.registers import FLAGS, PC, THREAD, VECTORS
from goprobe.deferredsignals import signals_deferred
from goprobe.errors import (
    CannotWorkError,
    GoprobeError,
    TargetGoneError,
    TargetTimeoutError,
    UsageError,
)
from goprobe.process.gdb import mi
from goprobe.process.gdb.breakpoints import Breakpoints
from goprobe.process.gdb.connection import COMMAND_TIMEOUT, Connection
from goprobe.process.gdb.mi import StopEvent, quoted, register_value
from goprobe.process.gdb.numbers import RegisterNumbers, ThreadNumbers
from goprobe.process.gdb.pipes import MiPipes
from goprobe.process.gdb.process import GdbProcess
from goprobe.process.gdb.running import Running
from goprobe.process.gdb.signals import awaiting_stop
from goprobe.process.spawn import not_traceable

__all__ = ["GENERAL", "VECTORS", "Gdb", "RegisterMap", "StopEvent"]

RegisterMap = Mapping[str, int]
"""Register names of GDB (`goprobe.arch`) to unsigned values."""

GENERAL = (*registers.GENERAL, PC, FLAGS, *THREAD)


class Gdb(Running):
    """One GDB, driving at most one program. Use it as a context manager.

    Leaving the block ends a program that was launched, lets go of one that was attached, and
    ends GDB, whatever happened. Every wait is bounded: TargetTimeoutError past it; GdbDiedError
    where GDB ends by itself (a launched program is then killed). For one thread only, but for
    `interrupt`.
    """

    def __init__(
        self,
        gdb: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        symbols: bool = False,
        log: Callable[[str], None] | None = None,
        started: GdbProcess | None = None,
    ) -> None:
        """Start GDB by the command `gdb`, without waiting for it; CannotWorkError if it can't.

        `environment` is added to ours for GDB alone. With `symbols` GDB reads the program's own
        symbols (slower; for tests, where it is the witness). `started` is taken over, where
        that command runs already.
        """
        settings = mi.SETTINGS if symbols else (*mi.SETTINGS, *mi.FRUGAL_SETTINGS)
        super().__init__()
        self._version = ""
        process = started or GdbProcess(gdb, environment, symbols=symbols)
        self._mi = self._converse(process.take(), log)
        self._breakpoints = Breakpoints(self._mi)
        self._threads = ThreadNumbers(self._mi)
        self._registers = RegisterNumbers(self._mi)
        try:
            self._banner = self._mi.send(
                *(f"-gdb-set {setting}" for setting in settings), "-gdb-version"
            )[-1]
        except GoprobeError:
            self._mi.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def version(self) -> str:
        """Such as "13.1"."""
        if not self._version:
            self._version = mi.version_in(self._mi.outcome(self._banner).console)
        return self._version

    def launch(
        self,
        binary: str | os.PathLike[str],
        args: Sequence[str] = (),
        *,
        stdin: int = 0,
        stdout: int = 1,
        stderr: int = 2,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        randomize: bool = False,
        timeout: float = COMMAND_TIMEOUT,
    ) -> int:
        """Start a program that stands before its first instruction; returns its pid.

        It gets the three descriptors as its standard streams, `args` untouched by any shell, and
        shares our place at the terminal. It dies with the calling thread. Its addresses are not
        randomised unless asked for. Raises UsageError, NotPermittedError, TargetTimeoutError.
        """
        self._require_idle()
        self._inferior.start(
            os.fspath(binary),
            args,
            streams=(stdin, stdout, stderr),
            cwd=cwd,
            env=env,
            randomize=randomize,
        )
        self._hold(timeout)
        # Takes the SIGSTOPs that made it wait for GDB out of its queue again.
        self._inferior.signal(signal.SIGCONT)
        return self._inferior.pid

    def attach(self, pid: int, *, timeout: float = COMMAND_TIMEOUT) -> StopEvent:
        """Take hold of a running process; it stands still when this returns.

        Raises TargetGoneError, NotPermittedError, TargetTimeoutError.
        """
        self._require_idle()
        self._inferior.pid = pid
        return self._hold(timeout)

    def detach(self) -> None:
        """Let the process go; it runs on by itself, without our breakpoints, and without a SIGTRAP
        that another stop was ahead of, which Go would die of."""
        self._breakpoints.remove_all()
        if self._interrupting and self._run("-exec-continue", COMMAND_TIMEOUT).over:
            return
        self._mi.command("-target-detach")
        self._forget()

    @property
    def stands_whole(self) -> bool:
        """Whether all threads have told GDB that they stand. One that has not (another stop was
        ahead of that) is sent a SIGCONT when GDB lets go (detach_one_lwp, gdb/linux-nat.c, GDB 13
        to 18): the program then does not stay in SIGSTOP."""
        return not awaiting_stop(self.pid)

    def lend(self) -> bool:
        """Let go of a launched program for another tracer: it stands in SIGSTOP, without our
        breakpoints, and may not end before `take_back`. Whether it has not run meanwhile."""
        self._require_program()
        self._breakpoints.remove_all()
        whole = self.stands_whole
        self._inferior.signal(signal.SIGSTOP)
        with contextlib.nullcontext() if whole else self._inferior.stopped_again_and_again():
            self._mi.command("-target-detach")
        self._inferior.signal(signal.SIGSTOP)
        self._at = None
        self._breakpoints.forget()
        self._threads.forget()
        self._registers.forget()
        return whole

    def take_back(self, *, timeout: float = COMMAND_TIMEOUT) -> StopEvent:
        """Hold it again, where it stands in SIGSTOP; or how it ended meanwhile."""
        if self._inferior.is_dead():
            try:
                return self._inferior.end()
            finally:
                self._forget()
        event = self._hold(timeout)
        self._inferior.signal(signal.SIGCONT)
        return event

    def stands_at(self, event: StopEvent) -> None:
        """That the program stands where another tracer stopped it: this is the last stop."""
        self._mi.command(f"-thread-select {self._threads.number(event.thread)}")
        self._at = event

    def finish(self, *, timeout: float) -> StopEvent:
        """Let a launched program go and wait for its end, which the event tells.

        Nothing slows it down any more, and its end is told by the kernel: where many threads
        end at once GDB gets that wrong at times. TargetTimeoutError after `timeout` seconds; it
        then still runs, and is killed when the block is left.
        """
        self._breakpoints.remove_all()
        self._mi.command("-target-detach")
        event = self._inferior.end_within(timeout)
        if event is None:
            raise TargetTimeoutError(f"the program did not end within {timeout:g} s")
        self._forget()
        return event

    def insert_breakpoint(
        self,
        address: int,
        *,
        hardware: bool = False,
        thread: int | None = None,
        temporary: bool = False,
    ) -> int:
        """Break at `address` (of the target) and return the breakpoint's number.

        `thread` is a kernel thread id. Raises UsageError where nothing is mapped at `address`.
        """
        self._require_program()
        options = "-t " * temporary
        if thread is not None:
            options += f"-p {self._threads.number(thread)} "
        if hardware:
            return self._breakpoints.insert_hardware(address, options)
        return self._breakpoints.insert((address,), options)[0]

    def insert_breakpoints(self, addresses: Sequence[int]) -> list[int]:
        """Several at once, in far fewer round trips."""
        self._require_program()
        return self._breakpoints.insert(addresses)

    def insert_conditional(self, conditions: Mapping[int, str]) -> list[int]:
        """Breakpoints in the program's code at once, each under a condition in GDB's C."""
        self._require_program()
        return self._breakpoints.insert_in_code(conditions)

    def remove_breakpoint(self, *numbers: int) -> None:
        self._breakpoints.remove(*numbers)

    def insert_watchpoint(self, address: int, size: int, access: str = "write") -> int:
        """Stop after an access ("write" of another value, "read", "access") to `size` bytes.

        The processor does the watching: `size` is 1, 2, 4, 8, 16, 24 or 32, and it watches four
        places of 8 bytes at most, hardware breakpoints included. UsageError otherwise.
        """
        self._require_program()
        return self._breakpoints.watch(address, size, access)

    def say_watch_hits(self, on: bool) -> None:
        """Whether `watch_hits` is to be kept; it costs time at each stop."""
        self._mi.send(f"-gdb-set {mi.SAYS_WATCH_HITS} {'on' if on else 'off'}")

    @property
    def watch_hits(self) -> frozenset[int]:
        """The kernel ids of all threads that hit a watchpoint before this stop: GDB tells of those
        alone after which the value was another one than when it looked last."""
        return frozenset(self._mi.watch_hits)

    def registers(self, thread: int | None = None) -> RegisterMap:
        """The registers of a kernel thread (default: the one that stopped), unsigned: general
        ones, rip, eflags and the segment bases. One round trip."""
        self._require_program()
        option = "" if thread is None else f"--thread {self._threads.number(thread)} "
        return self._registers.values(GENERAL, option)

    def some_registers(self, thread: int, names: Collection[str]) -> RegisterMap:
        """Those of `names`, which takes far less than all do."""
        self._require_program()
        return self._registers.values(names, f"--thread {self._threads.number(thread)} ")

    def vector(self, name: str, thread: int) -> int:
        """The 128 bits of a thread's vector register, one of VECTORS, unsigned. Raises KeyError
        where GDB has no value of it."""
        self._require_program()
        option = f"--thread {self._threads.number(thread)} --frame 0 "
        said = self._mi.command(f"-data-evaluate-expression {option}${name}.uint128")
        value = register_value(said["value"])
        if value is None:
            raise KeyError(name)
        return value

    def threads(self) -> list[int]:
        """The kernel ids of all threads, oldest first."""
        self._require_program()
        return self._threads.all()

    def evaluate(self, expression: str) -> str:
        """What GDB says of an expression; for tests, where it is an independent witness."""
        return str(self._mi.command(f"-data-evaluate-expression {quoted(expression)}")["value"])

    def console(self, line: str) -> str:
        """What a line of GDB's command language prints."""
        [token] = self._mi.send(f"-interpreter-exec console {quoted(line)}")
        return self._mi.outcome(token).console

    def put_code(self, address: int, code: int) -> None:
        """Write two bytes of code into the program."""
        self.console(f"set var *(short *) {address:#x} = {code:#x}")

    def put_register(self, name: str, value: int) -> None:
        """Give a register of the thread that stopped another value."""
        self.console(f"set ${name} = {value:#x}")

    def kill(self) -> None:
        """End the program."""
        if not self.pid:
            return
        if self._running:
            self._inferior.signal(signal.SIGKILL)
            while self._running:
                self.wait(timeout=COMMAND_TIMEOUT)
        else:
            self._mi.command("-interpreter-exec console kill")
            self._inferior.reap()
        self._forget()
        self._inferior.killed()

    def close(self) -> None:
        """End everything that is left: what leaving the block does. Never raises."""
        with signals_deferred():
            if self._inferior.ours:
                self._inferior.abandon()
            elif self.pid:
                self._let_go()
            self._mi.close()
            self._inferior.reap()
            self._forget()
            self._inferior.restore_terminal()

    def _converse(self, process: GdbProcess, log: Callable[[str], None] | None) -> Connection:
        # Imported while GDB starts: the two take about as long.
        from pygdbmi.gdbmiparser import parse_response

        pipes = MiPipes(process.popen, parse_response)
        return Connection(
            process.popen,
            pipes,
            process.complaints,
            name=process.name,
            log=log,
            on_death=self._inferior.abandon,
        )

    def _require_idle(self) -> None:
        if self.pid:
            raise UsageError(f"GDB already holds process {self.pid}")

    def _hold(self, timeout: float) -> StopEvent:
        deadline = time.monotonic() + timeout
        settings = (f"-gdb-set {setting}" for setting in mi.HELD_SETTINGS)
        token, *_ = self._mi.send(f"-target-attach {self.pid}", *settings)
        outcome = self._mi.outcome(token, timeout)
        if outcome.failed:
            raise self._refused(outcome.error)
        self._running = True
        return self.wait(timeout=max(0.0, deadline - time.monotonic()))

    def _refused(self, message: str) -> GoprobeError:
        pid = self.pid
        if not self._inferior.ours:
            self._inferior.forget()
        if "No such process" in message:
            return TargetGoneError(f"process {pid} is gone")
        if "not permitted" in message or "Permission denied" in message:
            return not_traceable(pid)
        return CannotWorkError(f"GDB cannot take hold of process {pid}: {message}")

    def _let_go(self) -> None:
        """Detach from an attached process, stopping it first where it runs."""
        with contextlib.suppress(GoprobeError):
            if self._running:
                self.interrupt()
                self.wait(timeout=COMMAND_TIMEOUT)
            if self.pid:
                self.detach()
