"""The threads of a process that is traced while it runs: all seized, new ones as they are born."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from goprobe.errors import GoprobeError, NotPermittedError, TargetGoneError
from goprobe.process.gdb.signals import is_pending
from goprobe.process.libc import keeping, libc
from goprobe.process.proc.identity import refusal, thread_state
from goprobe.process.ptrace import constants, requests
from goprobe.process.ptrace.eagerness import Eagerness
from goprobe.process.ptrace.reaper import ReapWhileSeizing
from goprobe.process.tracer.waits import WaitEvent, process_of

_OPTIONS = (
    constants.PTRACE_O_TRACEFORK
    | constants.PTRACE_O_TRACEVFORK
    | constants.PTRACE_O_TRACECLONE
    | constants.PTRACE_O_TRACEEXEC
)
_MAKING = (
    constants.PTRACE_EVENT_FORK,
    constants.PTRACE_EVENT_VFORK,
    constants.PTRACE_EVENT_CLONE,
)
_ROUNDS = 1000
_FAREWELL = 5.0
_PAUSE = 0.0002
_WAIT = constants.WALL | constants.WNOTHREAD
_DEAD = ("Z", "X", "x", "")

# Unlike os.waitpid this one comes back when a signal comes in, so that one can be told to stop.
_waitpid = libc["waitpid"]
_waitpid.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.c_int]
_waitpid.restype = ctypes.c_int
_look = keeping["waitpid"]
_look.argtypes, _look.restype = _waitpid.argtypes, ctypes.c_int


class Threads:
    """Those of process `pid`; `guests` are children that run in its memory until they exec."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._own: set[int] = set()
        self._options = _OPTIONS
        self.guests: set[int] = set()
        self.unborn: set[int] = set()  # made, and not stopped yet before it runs
        self._early: set[int] = set()  # stopped so before its maker has told of it
        self._status = ctypes.c_int()
        self._by_reference = ctypes.byref(self._status)
        self.any = True
        self._eagerness = Eagerness()

    # Taking hold

    def seize_all(self, *, ours: bool) -> None:
        """Become the tracer of every thread; none is stopped for it. A program of `ours` ends when
        we do, however that happens."""
        self._options = _OPTIONS | (constants.PTRACE_O_EXITKILL if ours else 0)
        with ReapWhileSeizing(self._pid, lambda: tuple(self._own)):
            for _ in range(_ROUNDS):
                fresh = [tid for tid in self._listed() if tid not in self._own]
                if not fresh:
                    return
                for tid in fresh:
                    self._seize(tid)
        raise NotPermittedError(f"process {self._pid} makes threads faster than they can be met")

    def _seize(self, tid: int) -> None:
        number = requests.seize(tid, self._options)
        if not number or thread_state(self._pid, tid) in _DEAD:
            self._own.add(tid)
            return
        why = refusal(self._pid, tid)
        if why is None or why.tracer == os.getpid():  # born under our eyes meanwhile
            self._own.add(tid)
            return
        raise NotPermittedError(why.message, hint=why.hint)

    def _listed(self) -> list[int]:
        try:
            return sorted(int(name) for name in os.listdir(f"/proc/{self._pid}/task"))  # noqa: PTH208
        except OSError:
            raise TargetGoneError(f"process {self._pid} is gone") from None

    # Waiting

    def next(self) -> WaitEvent | None:
        """The next stop or end; None where a signal came in to us, or nobody is left."""
        tid = self._eagerness.waited(self._look, self._sleep)
        if tid <= 0:
            self.any = ctypes.get_errno() != errno.ECHILD
            return None
        return self._noted(_event(tid, self._status.value))

    def poll(self) -> WaitEvent | None:
        """The next one that is there already."""
        tid = self._look()
        if tid <= 0:
            self.any = tid == 0 or ctypes.get_errno() != errno.ECHILD
            return None
        return self._noted(_event(tid, self._status.value))

    def halted(self, tid: int) -> bool:
        """Have a thread stand; False where it has ended."""
        requests.interrupt(tid)
        with suppress(ChildProcessError):
            return not _event(*os.waitpid(tid, _WAIT)).over
        return False

    def _look(self) -> int:
        return int(_look(-1, self._by_reference, _WAIT | os.WNOHANG))

    def _sleep(self) -> int:
        return int(_waitpid(-1, self._by_reference, _WAIT))

    def _noted(self, event: WaitEvent) -> WaitEvent:
        """Who was made stops by itself before it runs, and is traced until it is let go: whoever
        leaves before has left it behind. One that was met while we seized the others is waited
        for as they are."""
        tid = event.tid
        if event.event in _MAKING:
            born = requests.event_message(tid)
            if born and born not in self._early and not self.knows(born):
                self.unborn.add(born)
            self._early.discard(born)
        elif event.over:
            self.unborn.discard(tid)
        elif event.event == constants.PTRACE_EVENT_STOP and not self.knows(tid):
            if tid not in self.unborn:
                self._early.add(tid)
            self.unborn.discard(tid)
        return event

    def go_on(self, tid: int, number: int = 0) -> None:
        requests.request(constants.PTRACE_CONT, tid, None, number)

    def rest(self, tid: int) -> None:
        """Leave a thread in its group stop (SIGSTOP, Ctrl-Z) until a SIGCONT."""
        requests.request(constants.PTRACE_LISTEN, tid)

    def knows(self, tid: int) -> bool:
        return tid in self._own or tid in self.guests

    def is_own(self, tid: int) -> bool:
        return tid in self._own

    def forget(self, tid: int) -> None:
        self._own.discard(tid)
        self.guests.discard(tid)

    def is_born_in(self, tid: int) -> bool:
        """Whether a new task is a thread of the process."""
        with suppress(GoprobeError):
            if process_of(tid) == self._pid:
                self._own.add(tid)
                return True
        return False

    # Letting go

    def leave_replaced(self) -> bool:
        """Let a process go that stands in its exec, which has ended all its other threads. Whether
        nobody is left who has its former memory."""
        self._own.clear()
        requests.detach(self._pid)
        return not self.guests

    def kill(self) -> None:
        """End a program that is ours, and wait for it."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while True:
                tid, status = os.waitpid(-1, _WAIT)
                if tid == self._pid and status & 0xFF != 0x7F:
                    return
                if status & 0xFF == 0x7F:
                    self.go_on(tid)

    def stop_all(
        self, let_go: Callable[[int, int], None] | None = None, stopped: Iterable[int] = ()
    ) -> list[tuple[int, int]]:
        """Every task that is traced, now stopped, each with the signal that it is about to get;
        those that were just born, too, which are not known yet. Who is no thread of the process is
        `let_go` at once: who has made a child by vfork does not stop before that is off. Some have
        `stopped` already."""
        return self.stop_those((self._own | self.guests) - set(stopped), let_go)

    def stop_those(
        self, tids: Iterable[int], let_go: Callable[[int, int], None] | None = None
    ) -> list[tuple[int, int]]:
        """The same, of some that run."""
        wanted = {tid for tid in tids if requests.interrupt(tid) == 0}
        stopped: list[tuple[int, int]] = []
        deadline = time.monotonic() + _FAREWELL
        while (wanted or self.unborn) and time.monotonic() < deadline:
            with suppress(ChildProcessError):
                tid, status = os.waitpid(-1, _WAIT | os.WNOHANG)
                if tid:
                    self._stopped(self._noted(_event(tid, status)), wanted, stopped)
                    if let_go is not None and stopped and stopped[-1][0] not in self._own:
                        let_go(*stopped.pop())
                    continue
            left = wanted | self.unborn
            if not any(thread_state(self._pid, tid) not in _DEAD for tid in left):
                break
            time.sleep(_PAUSE)
        return stopped

    def _stopped(self, event: WaitEvent, wanted: set[int], stopped: list[tuple[int, int]]) -> None:
        tid = event.tid
        if event.over:
            wanted.discard(tid)
            self.forget(tid)
            return
        if event.event and is_pending(tid, signal.SIGTRAP):
            self.go_on(tid)  # its breakpoint has stopped it already: that comes first
            return
        if event.event and event.event != constants.PTRACE_EVENT_STOP:
            requests.interrupt(tid)
            self.go_on(tid)
            return
        wanted.discard(tid)
        stopped.append((tid, 0 if event.event else event.signal))


def _event(tid: int, status: int) -> WaitEvent:
    if status & 0xFF == 0x7F:
        return WaitEvent(tid, status >> 8 & 0xFF, status >> 16)
    return WaitEvent(tid, status & 0x7F, over=True, code=status >> 8 & 0xFF)
