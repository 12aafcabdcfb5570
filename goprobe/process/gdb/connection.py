"""A conversation with GDB's machine interface: commands by token, their outcomes, the stops."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from goprobe.errors import GdbDiedError, NoGdbError, TargetError, TargetTimeoutError
from goprobe.process.gdb.mi import CANNOT_INSERT, RESUMED, WATCH_HIT
from goprobe.process.gdb.pipes import MiPipes

COMMAND_TIMEOUT = 30.0
"""Seconds that GDB has for an answer that needs nothing of the program."""

_PIECES = 20e-6  # seconds
_LONG = 3600.0  # seconds that one wait of the kernel's lasts: there may be no deadline
_MAX_CHATTER = 10_000  # lines that GDB printed, kept for one answer
_MAX_OUTCOMES = 1_000  # answers that nobody has asked for yet


class CommandOutcome(msgspec.Struct, frozen=True):
    """How a command went. `console` is what GDB printed before; `error` its reason to refuse."""

    payload: Mapping[str, Any]
    console: str
    error: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.error)


class Connection:
    """The records of one GDB process. Every wait ends with TargetTimeoutError or GdbDiedError."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        pipes: MiPipes,
        complaints: int,
        *,
        name: str,
        log: Callable[[str], None] | None,
        on_death: Callable[[], None],
    ) -> None:
        """`complaints` is the file that is GDB's standard error; it is closed with the rest.
        `name` is the program that is to be a GDB."""
        assert process.stdout is not None
        self._process = process
        self._pipes = pipes
        self._complaints = complaints
        self._name = name
        self._log = log
        self._on_death = on_death
        self._poll = select.poll()
        self._poll.register(process.stdout.fileno(), select.POLLIN)
        self._token = 0
        self._outcomes: dict[int, CommandOutcome] = {}
        self._chatter: deque[str] = deque(maxlen=_MAX_CHATTER)
        self._stops: deque[Mapping[str, Any]] = deque()
        self._replaced = False
        self.watch_hits: set[int] = set()
        """Kernel ids of the threads that came to a watchpoint since the program was let run."""
        self._settled = 0
        self._noise = 0
        self._bug = ""

    def send(self, *lines: str) -> list[int]:
        """Write commands without waiting; returns the token of each."""
        tokens = range(self._token + 1, self._token + 1 + len(lines))
        self._token += len(lines)
        text = "".join(f"{token}{line}\n" for token, line in zip(tokens, lines, strict=True))
        if self._log:
            self._log(text.rstrip("\n"))
        try:
            self._pipes.write(text, COMMAND_TIMEOUT)
        except (OSError, ValueError):
            raise self._died() from None
        return list(tokens)

    def outcome(self, token: int, timeout: float = COMMAND_TIMEOUT) -> CommandOutcome:
        """How the command of `token` went, good or bad; to be asked for once."""
        deadline = time.monotonic() + timeout
        while token not in self._outcomes:
            self._pump(deadline, f"GDB did not answer within {timeout:g} s")
        return self._outcomes.pop(token)

    def command(self, line: str) -> Mapping[str, Any]:
        """The answer to a command; TargetError with GDB's words where it refuses."""
        [token] = self.send(line)
        outcome = self.outcome(token)
        if outcome.failed:
            raise TargetError(f"GDB says: {outcome.error}")
        return outcome.payload

    def stop(self, timeout: float) -> Mapping[str, Any]:
        """The next `*stopped` record that nobody has taken yet."""
        deadline = time.monotonic() + timeout
        while not self._stops:
            self._pump(deadline, f"the program did not stop within {timeout:g} s")
        return self._stops.popleft()

    def forget_stops(self) -> None:
        self._stops.clear()
        self._replaced = False
        self.watch_hits.clear()

    def close(self) -> None:
        """End GDB at once. Harmless when it was done before."""
        self._process.kill()
        self._process.wait()
        if self._complaints >= 0:
            self._bug = self._complaint()
            os.close(self._complaints)
            self._complaints = -1
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def _died(self) -> GdbDiedError | NoGdbError:
        self._on_death()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        code = self._process.returncode
        how = f"was killed by signal {-code}" if code and code < 0 else "ended by itself"
        if self._settled:
            return GdbDiedError(f"GDB {how}{self._complaint()}")
        return NoGdbError(
            f"{self._name} does not work as a GDB: it {how}{self._complaint()}",
            hint="goprobe doctor tries it; --gdb names another",
        )

    def _complaint(self) -> str:
        """GDB's reason to end, as the tail of a sentence."""
        if self._bug or self._complaints < 0:
            return self._bug
        said = os.pread(self._complaints, 1 << 16, self._noise).decode(errors="replace")
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        return f": {lines[-1]}" if lines else ""

    def _pump(self, deadline: float, complaint: str) -> None:
        """Take in what GDB has said, waiting for it until `deadline`."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise TargetTimeoutError(complaint)
        events = self._poll.poll(min(left, _LONG) * 1000)
        if not events:
            return
        # GDB writes a record in pieces of a few bytes; to be woken by each costs more than all.
        time.sleep(_PIECES)
        records = self._pipes.read()
        if not records and not events[0][1] & select.POLLIN:
            raise self._died()
        for record in records:
            self._take(record)

    def _take(self, record: Mapping[str, Any]) -> None:
        if self._log:
            self._log(f"{record['type']} {record['message']} {record['payload']}")
        match record["type"], record["message"]:
            case "console" | "log" as kind, _:
                self._listen(kind, str(record["payload"]))
            case "result", message if record["token"] is not None:
                self._keep(record["token"], message, record["payload"])
            case "notify", "stopped":
                self._stops.append(_mapping(record["payload"]))

    def _keep(self, token: int, message: str, payload: object) -> None:
        if token <= self._settled:  # a command that went well may be said to have failed later
            return
        if not self._settled:  # what GDB grumbled about at its start is of no interest
            self._noise = os.fstat(self._complaints).st_size
        self._settled = token
        body = _mapping(payload)
        error = str(body.get("msg") or "no reason given") if message == "error" else ""
        self._outcomes[token] = CommandOutcome(body, "".join(self._chatter), error)
        self._chatter.clear()
        while len(self._outcomes) > _MAX_OUTCOMES:
            self._outcomes.pop(next(iter(self._outcomes)))

    def _listen(self, kind: str, text: str) -> None:
        """GDB tells of one kind of stop by chatter alone: a breakpoint that it cannot put in again.

        After an exec it tries that before it reports the exec itself, and the new program
        seldom has anything at the old addresses.
        """
        if kind == "console":
            self._chatter.append(text)
            self._replaced |= "is executing new program" in text
        elif "internal-error: " in text:
            self._bug = f": {text[text.index('internal-error: ') :].splitlines()[0]}"
        elif hit := WATCH_HIT.search(text):
            self.watch_hits.add(int(hit[1]))
        elif resumed := RESUMED.search(text):
            self.watch_hits.discard(int(resumed[1]))
        elif text.startswith("Cannot insert "):
            self._stops.append({"reason": "exec" if self._replaced else CANNOT_INSERT})


def _mapping(payload: object) -> Mapping[str, Any]:
    return payload if isinstance(payload, dict) else {}
