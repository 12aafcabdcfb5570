"""GDB as a controller: it starts, stops and resumes a program; we read its memory ourselves.

The only file that speaks to GDB. Nobody asks GDB for symbols here: breakpoints are addresses,
so it reads no file of the program at all, which is most of what makes it fast.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from pygdbmi.IoManager import IoManager

from goprobe.errors import (
    CannotWorkError,
    GoprobeError,
    TargetGoneError,
    UsageError,
)
from goprobe.process import mi
from goprobe.process.connection import COMMAND_TIMEOUT, Connection
from goprobe.process.mi import StopEvent, quoted
from goprobe.process.spawn import not_traceable, reap, signals_held, start_stopped

__all__ = ["GENERAL", "VECTORS", "Gdb", "RegisterMap", "StopEvent"]

RegisterMap = Mapping[str, int]
"""Register names of GDB ("rip", "r14", "fs_base", "xmm0") to unsigned values."""

GENERAL = (
    *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
    *(f"r{number}" for number in range(8, 16)),
    *("rip", "eflags", "fs_base", "gs_base"),
)
VECTORS = tuple(f"xmm{number}" for number in range(16))

REAP_TIMEOUT = 5.0
"""Seconds that a killed program has to vanish."""

_HARDWARE_SLOTS = 4  # x86's debug registers
_AT_ONCE = 64  # commands sent before their answers are read: both pipes have room for as many


class Gdb:
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
    ) -> None:
        """Start GDB by the command `gdb`, without waiting for it; CannotWorkError if it can't.

        `environment` is added to ours for GDB alone. With `symbols` GDB reads the program's own
        symbols (slower; for tests, where it is the witness).
        """
        options = mi.OPTIONS if symbols else (*mi.OPTIONS, *mi.FRUGAL_OPTIONS)
        settings = mi.SETTINGS if symbols else (*mi.SETTINGS, *mi.FRUGAL_SETTINGS)
        self._pid = 0
        self._launched = False
        self._running = False
        self._breakpoints: set[int] = set()
        self._hardware: set[int] = set()
        self._registers: dict[str, int] = {}
        self._tids: dict[int, int] = {}
        self._version = ""
        self._python: bool | None = None
        self._mi = self._start((*gdb, *options), environment or {}, log)
        self._features, self._banner = self._mi.send(
            *(f"-gdb-set {setting}" for setting in settings),
            "-list-features",
            "-gdb-version",
        )[-2:]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def version(self) -> str:
        """Such as "13.1"."""
        if not self._version:
            self._version = mi.version_in(self._mi.outcome(self._banner).console)
        return self._version

    @property
    def has_python(self) -> bool:
        """Whether Python runs inside this GDB."""
        if self._python is None:
            features = self._mi.outcome(self._features).payload.get("features") or ()
            self._python = "python" in features
        return self._python

    @property
    def pid(self) -> int:
        """The program's process id; 0 where there is none (any more)."""
        return self._pid

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
        with signals_held():
            self._pid = start_stopped(
                os.fspath(binary),
                args,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=cwd,
                env=env,
                randomize=randomize,
            )
            self._launched = True
        self._hold(timeout)
        # Takes the SIGSTOPs that made it wait for GDB out of its queue again.
        self._signal(signal.SIGCONT)
        return self._pid

    def attach(self, pid: int, *, timeout: float = COMMAND_TIMEOUT) -> StopEvent:
        """Take hold of a running process; it stands still when this returns.

        Raises TargetGoneError, NotPermittedError, TargetTimeoutError.
        """
        self._require_idle()
        self._pid = pid
        return self._hold(timeout)

    def detach(self) -> None:
        """Let the process go; it runs on by itself."""
        self._mi.command("-target-detach")
        self._forget()

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
        options = "-h " * hardware + "-t " * temporary
        if thread is not None:
            options += f"-p {self._number_of(thread)} "
        if hardware:
            self._require_slot()
        [number] = self._insert((address,), options)
        self._hardware.update([number] * hardware)
        return number

    def insert_breakpoints(self, addresses: Sequence[int]) -> list[int]:
        """Several at once, in far fewer round trips."""
        step = _AT_ONCE // 2
        return [
            number
            for start in range(0, len(addresses), step)
            for number in self._insert(addresses[start : start + step], "")
        ]

    def remove_breakpoint(self, number: int) -> None:
        self._mi.command(f"-break-delete {number}")
        self._breakpoints.discard(number)
        self._hardware.discard(number)

    def insert_watchpoint(self, address: int, size: int, access: str = "write") -> int:
        """Stop after an access ("write" of another value, "read", "access") to `size` bytes.

        The processor does the watching: `size` is 1, 2, 4 or 8, and it watches four places at
        most, hardware breakpoints included. UsageError otherwise.
        """
        if size not in mi.WATCH_TYPES or access not in mi.WATCH_OPTIONS:
            raise UsageError(f"cannot watch {size} bytes for {access}")
        place = quoted(f"*({mi.WATCH_TYPES[size]} *) {address:#x}")
        self._require_slot()
        number = mi.watchpoint_number(
            self._mi.command(f"-break-watch {mi.WATCH_OPTIONS[access]}{place}")
        )
        if not number:
            raise CannotWorkError(f"GDB cannot watch {address:#x}")
        self._breakpoints.add(number)
        self._hardware.add(number)
        return number

    def resume(self, *, timeout: float) -> StopEvent:
        """Let all threads run until the next stop; TargetTimeoutError after `timeout` seconds.

        After a timeout the program still runs: `interrupt` and `wait`, or leave the block.
        """
        return self._run("-exec-continue", timeout)

    def step_instruction(self, *, timeout: float, over_calls: bool = False) -> StopEvent:
        """One instruction of the thread that stopped; with `over_calls` a call counts as one.

        While a call runs the other threads do too, and whoever returns to that place first ends
        the step: the event says which thread it was.
        """
        after = self._end_of_call() if over_calls else 0
        if not after:
            return self._run("-exec-step-instruction", timeout)
        number = self.insert_breakpoint(after, temporary=True)
        event = self._run("-exec-continue", timeout)
        if event.breakpoint == number:
            return StopEvent("step", event.thread, event.pc, detail="call returned")
        if number in self._breakpoints:
            self.remove_breakpoint(number)
        return event

    def wait(self, *, timeout: float) -> StopEvent:
        """The next stop of a program that runs.

        At a stop of kind "exec" the program is another one, and all breakpoints are gone.
        """
        payload = self._mi.stop(timeout)
        event = mi.parse_stop(payload, 0)
        self._running = False
        if event.over:
            self._reap()
            self._forget()
            return event
        if event.kind == "exec":
            self._begin_anew()
            return mi.parse_stop(payload, self._pid)  # of all threads the first one is left
        return mi.parse_stop(payload, self._tid_of(payload.get("thread-id")))

    def interrupt(self) -> None:
        """Stop a running program soon: the stop has kind "signal" and signal "SIGTRAP".

        SIGTRAP because it is the one signal that GDB keeps; every other one is the program's.
        """
        if self._running:
            self._signal(signal.SIGTRAP)

    def registers(self, thread: int | None = None, *, vectors: bool = False) -> RegisterMap:
        """The registers of a kernel thread (default: the one that stopped), unsigned.

        General ones, rip, eflags and the segment bases; with `vectors` the 128 bits of xmm0 to
        xmm15 too. One round trip.
        """
        known = self._register_numbers()
        names = {known[name]: name for name in (GENERAL + VECTORS * vectors) if name in known}
        option = "" if thread is None else f"--thread {self._number_of(thread)} "
        listed = " ".join(map(str, names))
        answer = self._mi.command(f"-data-list-register-values {option}x {listed}")
        found: dict[str, int] = {}
        for entry in answer["register-values"]:
            value = mi.register_value(entry["value"])
            if value is not None:
                found[names[int(entry["number"])]] = value
        return found

    def threads(self) -> list[int]:
        """The kernel ids of all threads, oldest first."""
        listed = self._mi.command("-thread-info").get("threads") or ()
        self._tids = {int(entry["id"]): mi.kernel_thread(entry) for entry in listed}
        return [tid for _, tid in sorted(self._tids.items())]

    def evaluate(self, expression: str) -> str:
        """What GDB says of an expression; for tests, where it is an independent witness."""
        return str(self._mi.command(f"-data-evaluate-expression {quoted(expression)}")["value"])

    def console(self, line: str) -> str:
        """What a line of GDB's command language prints; for tests."""
        [token] = self._mi.send(f"-interpreter-exec console {quoted(line)}")
        return self._mi.outcome(token).console

    def kill(self) -> None:
        """End the program."""
        if not self._pid:
            return
        if self._running:
            self._signal(signal.SIGKILL)
            while self._running:
                self.wait(timeout=COMMAND_TIMEOUT)
        else:
            self._mi.command("-interpreter-exec console kill")
            self._reap()
            self._forget()

    def close(self) -> None:
        """End everything that is left: what leaving the block does. Never raises."""
        with signals_held():
            if self._launched:
                self._abandon()
            elif self._pid:
                self._let_go()
            self._mi.close()
            self._reap()
            self._forget()

    def _start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Callable[[str], None] | None,
    ) -> Connection:
        complaints = os.memfd_create("gdb-stderr")
        try:
            # A session of its own: Ctrl-C at the terminal is not for GDB.
            process = subprocess.Popen(
                [*command, "--interpreter=mi3"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                bufsize=0,
                start_new_session=True,
                env={**os.environ, "LC_ALL": "C", **environment},
            )
        except OSError as error:
            os.close(complaints)
            raise CannotWorkError(f"cannot run GDB ({command[0]}): {error.strerror}") from None
        assert process.stdin is not None and process.stdout is not None
        # By default pygdbmi waits 0.2 s after each answer for more; our reads do not wait at all.
        reader = IoManager(process.stdin, process.stdout, None, 0.001)
        return Connection(process, reader, complaints, log=log, on_death=self._abandon)

    def _require_idle(self) -> None:
        if self._pid:
            raise UsageError(f"GDB already holds process {self._pid}")

    def _hold(self, timeout: float) -> StopEvent:
        deadline = time.monotonic() + timeout
        held = (f"-gdb-set {setting}" for setting in mi.HELD_SETTINGS)
        token, *_ = self._mi.send(f"-target-attach {self._pid}", *held)
        outcome = self._mi.outcome(token, timeout)
        if outcome.failed:
            raise self._refused(outcome.error)
        self._running = True
        return self.wait(timeout=max(0.0, deadline - time.monotonic()))

    def _refused(self, message: str) -> GoprobeError:
        pid = self._pid
        if not self._launched:
            self._pid = 0
        if "No such process" in message:
            return TargetGoneError(f"process {pid} is gone")
        if "not permitted" in message or "Permission denied" in message:
            return not_traceable(pid)
        return CannotWorkError(f"GDB cannot take hold of process {pid}: {message}")

    def _run(self, command: str, timeout: float) -> StopEvent:
        self._mi.forget_stops()
        self._mi.command(command)
        self._running = True
        return self.wait(timeout=timeout)

    def _insert(self, addresses: Sequence[int], options: str) -> list[int]:
        """GDB takes any address and fails only on resuming: so a byte of each is read first."""
        lines = [
            line
            for address in addresses
            for line in (
                f"-data-read-memory-bytes {address:#x} 1",
                f"-break-insert {options}*{address:#x}",
            )
        ]
        tokens = self._mi.send(*lines)
        numbers, bad = [], []
        for address, read, insert in zip(addresses, tokens[::2], tokens[1::2], strict=True):
            if self._mi.outcome(read).failed:
                bad.append(address)
            payload = self._mi.outcome(insert).payload
            numbers.append(int(payload["bkpt"]["number"]))
        self._breakpoints.update(numbers)
        if bad:
            for number in numbers:
                self.remove_breakpoint(number)
            raise UsageError(f"no breakpoint at {bad[0]:#x}: nothing is mapped there")
        return numbers

    def _require_slot(self) -> None:
        if len(self._hardware) >= _HARDWARE_SLOTS:
            raise UsageError(f"the processor watches {_HARDWARE_SLOTS} places at most")

    def _begin_anew(self) -> None:
        """The program was replaced: what was known of the old one is void."""
        self._tids.clear()
        if self._breakpoints:
            self._mi.command("-break-delete " + " ".join(map(str, sorted(self._breakpoints))))
        self._breakpoints.clear()
        self._hardware.clear()

    def _end_of_call(self) -> int:
        """The address after the instruction at pc if that is a call, else 0."""
        pc = self.registers()["rip"]
        answer = self._mi.command(f"-data-disassemble -s {pc:#x} -e {pc + 16:#x} -- 0")
        first, *rest = answer["asm_insns"]
        is_call = first["inst"].split()[0].startswith("call")
        return int(rest[0]["address"], 16) if is_call and rest else 0

    def _register_numbers(self) -> Mapping[str, int]:
        if not self._registers:
            names = self._mi.command("-data-list-register-names")["register-names"]
            self._registers = {name: number for number, name in enumerate(names) if name}
        return self._registers

    def _tid_of(self, number: object) -> int:
        """The kernel's id of GDB's thread `number`."""
        if not isinstance(number, str) or not number.isdecimal():
            return 0
        if int(number) not in self._tids:
            listed = self._mi.command(f"-thread-info {number}").get("threads") or ()
            self._tids.update((int(entry["id"]), mi.kernel_thread(entry)) for entry in listed)
        return self._tids.get(int(number), 0)

    def _number_of(self, tid: int) -> int:
        for refresh in (False, True):
            if refresh:
                self.threads()
            for number, known in self._tids.items():
                if known == tid:
                    return number
        raise TargetGoneError(f"thread {tid} is gone")

    def _abandon(self) -> None:
        """Kill a launched program without GDB's help."""
        if self._launched:
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def _let_go(self) -> None:
        """Detach from an attached process, stopping it first where it runs."""
        with contextlib.suppress(GoprobeError):
            if self._running:
                self.interrupt()
                self.wait(timeout=COMMAND_TIMEOUT)
            if self._pid:
                self.detach()

    def _reap(self) -> None:
        """Take a launched child's status, so that no zombie is left."""
        if self._pid and self._launched:
            reap(self._pid, REAP_TIMEOUT)

    def _forget(self) -> None:
        self._pid = 0
        self._breakpoints.clear()
        self._hardware.clear()
        self._launched = self._running = False
        self._tids.clear()
