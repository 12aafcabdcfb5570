"""Holding every thread of a process still, for as short as possible, and letting go for certain.

    with stopped(pid) as process:
        process.memory.read(process.threads[pid].sp, 8)

Threads are seized first, which disturbs nothing; only then all are interrupted, waited for, and
let go together. Nothing is changed in the target: a signal that was on its way is handed back,
a process that SIGSTOP had stopped stays stopped, interrupted system calls go on. However goprobe
ends, SIGKILL included, the kernel lets the target go on; where goprobe itself is stopped, its
guardian sees to that (`process/guardian/`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from goprobe.arch.registers import Registers
from goprobe.deferredsignals import signals_deferred
from goprobe.errors import TargetGoneError
from goprobe.process.proc.identity import (
    ProcessIdentity,
    incarnation,
)
from goprobe.process.ptrace.stoplimit import (
    NO_LIMIT,
    HurriedMemory,
)
from goprobe.process.ptrace.threadstop import (
    ThreadStop,
    collect_left_behind,
)


class StoppedProcess:
    """A process whose threads all stand still, until `release` or the end of the `with`.

    Use it from the thread that stopped it. `pause_us` is how long the target stood still, in
    microseconds from the first interrupt to the last release: so far while it still stands.
    """

    def __init__(self, stop: ThreadStop) -> None:
        self._stop = stop
        self.pid = stop.pid
        self.memory = stop.memory()

    @cached_property
    def threads(self) -> dict[int, Registers]:
        """The registers of every thread by its id, as they were when it stopped."""
        return {tid: Registers.from_bytes(raw) for tid, raw in self._stop.registers.items()}

    @property
    def pause_us(self) -> int:
        return self._stop.pause_ns // 1000

    @property
    def released(self) -> bool:
        return self._stop.released

    def is_undisturbed(self, tid: int) -> bool:
        """Whether the thread stands because we stopped it, not with a signal to be delivered."""
        return self._stop.signal_of(tid) == 0

    def take_over(self, tid: int) -> None:
        """From now on the caller lets this thread go, not `release`."""
        self._stop.forget(tid)

    def release(self) -> None:
        """Let the target go on now. May be called twice."""
        with signals_deferred():
            self._stop.release()


@contextmanager
def stopped(
    pid: int,
    *,
    timeout: float = 5.0,
    identity: ProcessIdentity | None = None,
    limit: float = NO_LIMIT,
) -> Iterator[StoppedProcess]:
    """Hold a process still. `timeout` (seconds) bounds the wait for it, `limit` the stop itself.

    With `identity`, the process must still be the program that was identified. The garbage
    collector of Python rests meanwhile. A target that is our own child must not be waited for
    (Popen.poll) inside the `with`: its stop would be taken for its end.
    Raises NotPermittedError, TargetGoneError (it ended or became another program),
    TargetTimeoutError (a thread sleeps uninterruptibly), StopTooLongError.
    """
    collect_left_behind()
    stop = ThreadStop(pid, time.monotonic() + timeout, limit)
    try:
        stop.acquire()
        if identity and incarnation(pid) != identity.incarnation:
            raise TargetGoneError(f"process {pid} has become another program meanwhile")
        process = StoppedProcess(stop)
        yield process
        if isinstance(process.memory, HurriedMemory):
            process.memory.check()
    finally:
        try:
            with signals_deferred():
                stop.release()
        finally:
            # A Ctrl-C that came in just before the signals were held: once more, it is harmless.
            stop.release()
