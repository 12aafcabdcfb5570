"""GDB as a controller: it starts, stops and resumes a program; we read its memory ourselves.

The only file that speaks to GDB. Nobody asks GDB for symbols here: breakpoints are addresses,
so it reads no file of the program at all, which is most of what makes it fast.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from pygdbmi.IoManager import IoManager

from goprobe.errors import (
    CannotWorkError,
    GdbDiedError,
    GoprobeError,
    NotPermittedError,
    TargetError,
    TargetGoneError,
    TargetTimeoutError,
    UsageError,
)
from goprobe.process import mi
from goprobe.process.mi import StopEvent, quoted
from goprobe.process.spawn import signals_held, start_stopped

__all__ = ["GENERAL", "VECTORS", "Gdb", "Registers", "StopEvent"]

Registers = Mapping[str, int]
"""Register names of GDB ("rip", "r14", "fs_base", "xmm0") to unsigned values."""

GENERAL = (
    *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
    *(f"r{number}" for number in range(8, 16)),
    *("rip", "eflags", "fs_base", "gs_base"),
)
VECTORS = tuple(f"xmm{number}" for number in range(16))

COMMAND_TIMEOUT = 30.0
"""Seconds that GDB has for an answer that needs nothing of the program."""

_AT_ONCE = 64  # commands sent before their answers are read: both pipes have room for as many
_MAX_CONSOLE = 10_000  # lines of GDB's chatter kept for one answer


class MiError(Exception):
    """GDB's answer to a command was an error; `message` is its text."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class _Connection:
    """A GDB process and the records that come from it; answers are matched by token."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Callable[[str], None] | None,
    ) -> None:
        self._log = log
        self._complaints = os.memfd_create("gdb-stderr")
        try:
            # A session of its own: Ctrl-C at the terminal is not for GDB.
            self._process = subprocess.Popen(
                [*command, "--interpreter=mi3"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                bufsize=0,
                start_new_session=True,
                env={**os.environ, "LC_ALL": "C", **environment},
            )
        except OSError as error:
            os.close(self._complaints)
            raise CannotWorkError(f"cannot run GDB ({command[0]}): {error.strerror}") from None
        assert self._process.stdin is not None and self._process.stdout is not None
        # pygdbmi waits for more after each answer unless told not to; we always read with 0.
        self._io = IoManager(self._process.stdin, self._process.stdout, None, 0.001)
        self._poll = select.poll()
        self._poll.register(self._process.stdout.fileno(), select.POLLIN)
        self._token = 0
        self._answers: dict[int, tuple[str, dict[str, Any], str]] = {}
        self._console: deque[str] = deque(maxlen=_MAX_CONSOLE)
        self._stops: deque[dict[str, Any]] = deque()

    def send(self, *lines: str) -> list[int]:
        """Write commands without waiting; returns the token of each."""
        tokens = range(self._token + 1, self._token + 1 + len(lines))
        self._token += len(lines)
        text = "".join(f"{token}{line}\n" for token, line in zip(tokens, lines, strict=True))
        if self._log:
            self._log(text.rstrip("\n"))
        try:
            self._io.write(text, timeout_sec=COMMAND_TIMEOUT, read_response=False)
        except (OSError, ValueError):
            raise self.died() from None
        return list(tokens)

    def answer(self, token: int, timeout: float) -> tuple[dict[str, Any], str]:
        """The result of a command and what GDB printed meanwhile; MiError if it failed."""
        deadline = time.monotonic() + timeout
        while token not in self._answers:
            self._pump(deadline, f"GDB did not answer within {timeout:g} s")
        kind, payload, console = self._answers.pop(token)
        if kind == "error":
            raise MiError(str(payload.get("msg", "no reason given")))
        return payload, console

    def stop(self, timeout: float) -> dict[str, Any]:
        """The next `*stopped` record that nobody has taken yet."""
        deadline = time.monotonic() + timeout
        while not self._stops:
            self._pump(deadline, f"the program did not stop within {timeout:g} s")
        return self._stops.popleft()

    def forget_stops(self) -> None:
        self._stops.clear()

    def died(self) -> GdbDiedError:
        """The error that says how GDB ended; waits for its end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        lines = os.pread(self._complaints, 1 << 16, 0).decode(errors="replace").split("\n")
        lines = [line for line in lines if line.strip()]
        last = f": {lines[-1]}" if lines else ""
        code = self._process.returncode
        how = f"was killed by signal {-code}" if code and code < 0 else "ended by itself"
        return GdbDiedError(f"GDB {how}{last}")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._complaints)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def _pump(self, deadline: float, complaint: str) -> None:
        """Take in what GDB has said, waiting for it until `deadline`."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TargetTimeoutError(complaint)
        events = self._poll.poll(left * 1000)
        if not events:
            return
        records = self._io.get_gdb_response(timeout_sec=0, raise_error_on_timeout=False)
        if not records and not events[0][1] & select.POLLIN:
            raise self.died()
        for record in records:
            self._take(record)

    def _take(self, record: Mapping[str, Any]) -> None:
        if self._log:
            self._log(f"{record['type']} {record['message']} {record['payload']}")
        kind, payload = record["type"], record["payload"]
        if kind == "console":
            self._console.append(str(payload))
        elif kind == "result" and record["token"] is not None:
            body = payload if isinstance(payload, dict) else {}
            self._answers[record["token"]] = (record["message"], body, "".join(self._console))
            self._console.clear()
        elif kind == "notify" and record["message"] == "stopped":
            self._stops.append(payload if isinstance(payload, dict) else {})


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
        self._registers: dict[str, int] = {}
        self._tids: dict[int, int] = {}
        self._version = ""
        self._python: bool | None = None
        self._mi = _Connection((*gdb, *options), environment or {}, log)
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
            self._version = mi.version_in(self._answer(self._banner)[1])
        return self._version

    @property
    def has_python(self) -> bool:
        """Whether Python runs inside this GDB."""
        if self._python is None:
            self._python = "python" in (self._answer(self._features)[0].get("features") or ())
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
        os.kill(self._pid, signal.SIGCONT)
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
        self._command("-target-detach")
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
        return self._insert((address,), options)[0]

    def insert_breakpoints(self, addresses: Sequence[int]) -> list[int]:
        """Several at once, in far fewer round trips."""
        step = _AT_ONCE // 2
        return [
            number
            for start in range(0, len(addresses), step)
            for number in self._insert(addresses[start : start + step], "")
        ]

    def remove_breakpoint(self, number: int) -> None:
        self._command(f"-break-delete {number}")

    def insert_watchpoint(self, address: int, size: int, access: str = "write") -> int:
        """Stop after an access ("write" of another value, "read", "access") to `size` bytes.

        The processor does the watching, so `size` is 1, 2, 4 or 8: UsageError.
        """
        if size not in mi.WATCH_TYPES or access not in mi.WATCH_OPTIONS:
            raise UsageError(f"cannot watch {size} bytes for {access}")
        place = quoted(f"*({mi.WATCH_TYPES[size]} *) {address:#x}")
        number = mi.watchpoint_number(
            self._command(f"-break-watch {mi.WATCH_OPTIONS[access]}{place}")
        )
        if not number:
            raise CannotWorkError(f"GDB cannot watch {address:#x}")
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
        if not event.over:
            self.remove_breakpoint(number)
        return event

    def wait(self, *, timeout: float) -> StopEvent:
        """The next stop of a program that runs."""
        try:
            payload = self._mi.stop(timeout)
        except GdbDiedError:
            self._abandon()
            raise
        event = mi.parse_stop(payload, 0)
        self._running = False
        if event.over:
            self._reap()
            self._forget()
            return event
        if event.kind == "exec":
            self._tids.clear()
        return mi.parse_stop(payload, self._tid_of(payload.get("thread-id")))

    def interrupt(self) -> None:
        """Stop a running program soon: the stop has kind "signal" and signal "SIGTRAP".

        SIGTRAP because it is the one signal that GDB keeps; every other one is the program's.
        """
        if self._pid and self._running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTRAP)

    def registers(self, thread: int | None = None, *, vectors: bool = False) -> Registers:
        """The registers of a kernel thread (default: the one that stopped), unsigned.

        General ones, rip, eflags and the segment bases; with `vectors` the 128 bits of xmm0 to
        xmm15 too. One round trip.
        """
        known = self._register_numbers()
        names = {known[name]: name for name in (GENERAL + VECTORS * vectors) if name in known}
        option = "" if thread is None else f"--thread {self._number_of(thread)} "
        listed = " ".join(map(str, names))
        answer = self._command(f"-data-list-register-values {option}x {listed}")
        found: dict[str, int] = {}
        for entry in answer["register-values"]:
            value = mi.register_value(entry["value"])
            if value is not None:
                found[names[int(entry["number"])]] = value
        return found

    def threads(self) -> list[int]:
        """The kernel ids of all threads, oldest first."""
        listed = self._command("-thread-info").get("threads") or ()
        self._tids = {int(entry["id"]): mi.kernel_thread(entry) for entry in listed}
        return [tid for _, tid in sorted(self._tids.items())]

    def evaluate(self, expression: str) -> str:
        """What GDB says of an expression; for tests, where it is an independent witness."""
        return str(self._command(f"-data-evaluate-expression {quoted(expression)}")["value"])

    def console(self, line: str) -> str:
        """What a line of GDB's command language prints; for tests."""
        [token] = self._mi.send(f"-interpreter-exec console {quoted(line)}")
        return self._answer(token)[1]

    def kill(self) -> None:
        """End the program."""
        if not self._pid:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        if self._running:
            with contextlib.suppress(TargetError):
                while self._pid:
                    self.wait(timeout=COMMAND_TIMEOUT)
        else:
            self._command("-interpreter-exec console kill")
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

    def _require_idle(self) -> None:
        if self._pid:
            raise UsageError(f"GDB already holds process {self._pid}")

    def _hold(self, timeout: float) -> StopEvent:
        deadline = time.monotonic() + timeout
        held = (f"-gdb-set {setting}" for setting in mi.HELD_SETTINGS)
        token, *_ = self._mi.send(f"-target-attach {self._pid}", *held)
        try:
            self._mi.answer(token, timeout)
        except MiError as error:
            raise self._refused(error.message) from None
        self._running = True
        return self.wait(timeout=max(0.0, deadline - time.monotonic()))

    def _refused(self, message: str) -> GoprobeError:
        pid = self._pid
        if not self._launched:
            self._pid = 0
        if "No such process" in message:
            return TargetGoneError(f"process {pid} is gone")
        if "not permitted" in message or "Permission denied" in message:
            return NotPermittedError(
                f"not permitted to trace process {pid}",
                hint="run goprobe as the process's own user or as root; see `goprobe doctor`",
            )
        return CannotWorkError(f"GDB cannot take hold of process {pid}: {message}")

    def _answer(self, token: int) -> tuple[dict[str, Any], str]:
        try:
            return self._mi.answer(token, COMMAND_TIMEOUT)
        except MiError as error:
            raise TargetError(f"GDB says: {error.message}") from None
        except GdbDiedError:
            self._abandon()
            raise

    def _command(self, line: str) -> dict[str, Any]:
        try:
            [token] = self._mi.send(line)
        except GdbDiedError:
            self._abandon()
            raise
        return self._answer(token)[0]

    def _run(self, command: str, timeout: float) -> StopEvent:
        self._mi.forget_stops()
        self._command(command)
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
        answers = list(zip(addresses, tokens[::2], tokens[1::2], strict=True))
        numbers = []
        for address, read, insert in answers:
            try:
                self._mi.answer(read, COMMAND_TIMEOUT)
                payload, _ = self._mi.answer(insert, COMMAND_TIMEOUT)
            except MiError as error:
                raise UsageError(f"no breakpoint at {address:#x}: {error.message}") from None
            numbers.append(int(payload["bkpt"]["number"]))
        return numbers

    def _end_of_call(self) -> int:
        """The address after the instruction at pc if that is a call, else 0."""
        pc = self.registers()["rip"]
        answer = self._command(f"-data-disassemble -s {pc:#x} -e {pc + 16:#x} -- 0")
        first, *rest = answer["asm_insns"]
        is_call = first["inst"].split()[0].startswith("call")
        return int(rest[0]["address"], 16) if is_call and rest else 0

    def _register_numbers(self) -> Mapping[str, int]:
        if not self._registers:
            names = self._command("-data-list-register-names")["register-names"]
            self._registers = {name: number for number, name in enumerate(names) if name}
        return self._registers

    def _tid_of(self, number: object) -> int:
        """The kernel's id of GDB's thread `number`."""
        if not isinstance(number, str) or not number.isdecimal():
            return 0
        if int(number) not in self._tids:
            listed = self._command(f"-thread-info {number}").get("threads") or ()
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
        if self._pid and self._launched:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

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
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)

    def _forget(self) -> None:
        self._pid = 0
        self._launched = self._running = False
        self._tids.clear()
