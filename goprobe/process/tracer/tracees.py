"""The threads of a traced program: which there are, which stand still, stopping all of them."""

from __future__ import annotations

import time
from collections import deque

from goprobe.arch import systemcalls
from goprobe.process.proc.procfs import read_proc
from goprobe.process.ptrace import constants, requests
from goprobe.process.tracer.waits import WaitEvent, wait_any

_PAUSE = 0.0002
_HOLD_LIMIT = 5.0
_EXECS = (b"%d" % systemcalls.EXECVE, b"%d" % systemcalls.EXECVEAT)


class Tracees:
    """Threads of process `pid`, all traced by the calling thread.

    `own` are its threads; `guests` are children that run in its memory until they exec (vfork);
    `leaving` are threads that stand at their very end, memory still there.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.own: set[int] = {pid}
        self.guests: set[int] = set()
        self.leaving: set[int] = set()
        self._resting: set[int] = set()
        self._queue: deque[WaitEvent] = deque()

    def next(self) -> WaitEvent:
        """The next stop or end, waiting for it. ChildProcessError: there is nobody left."""
        stop = self._queue.popleft() if self._queue else wait_any()
        assert stop is not None
        return stop

    def knows(self, tid: int) -> bool:
        """Whether a task has been met, or its first stop is about to be handled."""
        return tid in self.own or tid in self.guests or any(s.tid == tid for s in self._queue)

    def go_on(self, tid: int, signal: int = 0) -> None:
        """Let a thread run; one that was killed meanwhile is not news here."""
        requests.request(constants.PTRACE_CONT, tid, None, signal)

    def rest(self, tid: int) -> None:
        """Leave a thread in its group stop (SIGSTOP, Ctrl-Z) until a SIGCONT."""
        # PTRACE_CONT would end the group stop; so it stays stopped for its shell, and we still
        # hear of its SIGCONT (man 2 ptrace, "Group-stop").
        self._resting.add(tid)
        requests.request(constants.PTRACE_LISTEN, tid)

    def woke(self, tid: int) -> None:
        self._resting.discard(tid)

    def forget(self, tid: int) -> None:
        for group in (self.own, self.guests, self.leaving, self._resting):
            group.discard(tid)

    def only(self, tid: int) -> None:
        """After an exec: the other threads are no more."""
        self.own = {tid}
        self.leaving.clear()
        self._resting.clear()
        self._queue = deque(stop for stop in self._queue if stop.tid in self.guests)

    def stop_others(self, current: int) -> list[int]:
        """Stop every thread but `current`, which stands still; those to be released later.

        Threads that the kernel holds anyhow (waiting for a vfork child) may go unstopped.
        """
        # PTRACE_INTERRUPT sends no signal: the program's own handlers and queues see nothing of it.
        still = {current, *self._resting, *self.leaving, *(stop.tid for stop in self._queue)}
        wanted = {tid for tid in self.own - still if requests.interrupt(tid) == 0}
        stopped: list[int] = []
        deadline = time.monotonic() + _HOLD_LIMIT
        while wanted and time.monotonic() < deadline:
            stop = wait_any(block=False)
            if stop is None:
                # One that waits for its vfork child to exec, uninterruptibly: the child may be held
                # by us, and this wait would never end.
                wanted -= {tid for tid in wanted if self._in_kernel(tid)}
                time.sleep(_PAUSE)
            elif stop.tid in wanted and stop.event == constants.PTRACE_EVENT_STOP and not stop.over:
                stopped.append(stop.tid)
            else:
                self._queue.append(stop)  # somebody else's news: its turn comes in `next`
            if stop is not None:
                wanted.discard(stop.tid)
        return stopped

    def release(self, tids: list[int]) -> None:
        for tid in tids:
            self.go_on(tid)

    def _in_kernel(self, tid: int) -> bool:
        try:
            stat = read_proc(tid, "stat", 1 << 12)
        except Exception:  # gone: there is nothing to wait for
            return True
        return stat.rpartition(b")")[2].split()[:1] == [b"D"]

    def gather(self) -> bool:
        """Wait until every thread stands at its end; whether the process really ends.

        It does not when its threads are only swept away by an exec of one of them.
        """
        deadline = time.monotonic() + _HOLD_LIMIT
        while self.own - self.leaving and time.monotonic() < deadline:
            stop = wait_any(block=False)
            if stop is None:
                # The kernel kills all other threads before an exec goes on (fs/exec.c, de_thread).
                if any(self._execs(tid) for tid in self.own - self.leaving):
                    return False
                time.sleep(_PAUSE)
            elif stop.over and stop.tid in self.own and stop.tid != self.pid:
                self.forget(stop.tid)
            elif stop.event == constants.PTRACE_EVENT_EXIT and stop.tid in self.own:
                self.leaving.add(stop.tid)
            else:
                self._queue.append(stop)
                if stop.over and stop.tid == self.pid:
                    break
        return True

    def _execs(self, tid: int) -> bool:
        try:
            call = read_proc(tid, "syscall", 1 << 12).split()
        except Exception:
            return False
        return bool(call) and call[0] in _EXECS

    def let_leave(self) -> None:
        for tid in sorted(self.leaving):
            self.go_on(tid)
        self.leaving.clear()
