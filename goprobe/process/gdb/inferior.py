"""The process that GDB holds: a child of ours that we started, or somebody else's."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence

from goprobe.deferredsignals import signals_deferred
from goprobe.errors import TargetGoneError
from goprobe.process.gdb import mi
from goprobe.process.gdb.mi import StopEvent
from goprobe.process.gdb.terminal import Terminal
from goprobe.process.spawn import all_dead, dies, reap, start_stopped

REAP_TIMEOUT = 5.0
"""Seconds that a killed program has to vanish."""

_AGAIN = 0.00002  # seconds
_GO_CRASH = 2  # the exit code of a Go program that panics


class Inferior:
    """At most one process at a time: `pid` is 0 where there is none, `ours` whether we started it.

    What needs no GDB: signals, the kernel's word on how a child of ours ended, its terminal.
    """

    def __init__(self) -> None:
        self.pid = 0
        self.ours = False
        self._killed = False
        self._status: int | None = None
        self._terminal: Terminal | None = None

    def start(
        self,
        binary: str,
        args: Sequence[str],
        *,
        streams: tuple[int, int, int],
        cwd: str | None,
        env: Mapping[str, str] | None,
        randomize: bool,
    ) -> None:
        """Start a program, which then stands before its first instruction."""
        stdin, stdout, stderr = streams
        self._terminal = Terminal.save(streams)
        with signals_deferred():
            self.pid = start_stopped(
                binary,
                args,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                cwd=cwd,
                env=env,
                randomize=randomize,
            )
            self.ours = True

    def signal(self, number: signal.Signals) -> None:
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    @contextlib.contextmanager
    def stopped_again_and_again(self) -> Iterator[None]:
        """While GDB lets go, and may send SIGCONTs: the program runs for microseconds at most."""
        over = threading.Event()

        def stop() -> None:
            while not over.wait(_AGAIN):
                self.signal(signal.SIGSTOP)

        thread = threading.Thread(target=stop, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def abandon(self) -> None:
        """Kill a program of ours, without GDB's help."""
        if self.ours:
            self._killed = True
            self.signal(signal.SIGKILL)

    def killed(self) -> None:
        """GDB has killed it: it cannot have left the terminal as it found it."""
        self._killed = True
        self.forget()
        self.restore_terminal()

    def restore_terminal(self) -> None:
        if self._terminal and self._killed:
            self._terminal.restore()
        self._killed = False

    def is_dead(self) -> bool:
        """Whether it has ended, though GDB may not know."""
        return all_dead(self.pid)

    def dies(self, seconds: float) -> bool:
        return dies(self.pid, seconds)

    def ended_by_itself(self) -> bool:
        """GDB is gone: whether that is because it stumbled over the program's end.

        The program was killed then, unless it was ending anyway. Exit code 2 proves nothing: a
        Go program ends so, too, when it runs into a breakpoint that GDB left behind.
        """
        if not self.ours:
            return False
        self._status = reap(self.pid, REAP_TIMEOUT)
        if self._status is None:
            return False
        self.pid = 0  # the number may be another process's by now
        event = mi.end_of(self._status)
        return event.kind == "exited" and event.exit_code != _GO_CRASH

    def end(self, timeout: float = REAP_TIMEOUT) -> StopEvent:
        """How it ended, by the kernel's word. TargetGoneError where it is no child of ours."""
        event = self.end_within(timeout)
        if event is None:
            pid = self.pid
            self.forget()
            raise TargetGoneError(f"process {pid} is gone")
        return event

    def end_within(self, timeout: float) -> StopEvent | None:
        """How it ended; None where it has not, after `timeout` seconds."""
        status = self._status if self._status is not None else reap(self.pid, timeout)
        if status is None:
            return None
        self.forget()
        return mi.end_of(status)

    def reap(self) -> None:
        """Take the status of a child that has ended, so that no zombie is left."""
        if self.pid and self.ours:
            reap(self.pid, REAP_TIMEOUT)

    def forget(self) -> None:
        self.pid = 0
        self.ours = False
        self._status = None
