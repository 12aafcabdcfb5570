"""A program that a process of ours follows from stop to stop, and how we speak with that.

It is a process of its own because a tracer waits for its tracees, and whatever children and threads
a script has must not be mixed up with them. When either of the two ends, the program does, too.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import NoReturn

from goprobe.arch import registers
from goprobe.arch.registers import FLAGS, PC, THREAD
from goprobe.deferredsignals import signals_deferred
from goprobe.errors import CannotWorkError, GoprobeError, TargetGoneError, TargetTimeoutError
from goprobe.model.codec import packed, unpacker
from goprobe.process.calltracer.apart import await_end, error_of, forked, live_apart
from goprobe.process.calltracer.plan import Failed, Room
from goprobe.process.gdb.controller import RegisterMap
from goprobe.process.gdb.mi import StopEvent
from goprobe.process.libc import libc
from goprobe.process.ptrace.eagerness import Eagerness
from goprobe.process.spawn import PR_SET_PDEATHSIG
from goprobe.process.stoptracer.plan import (
    Asked,
    Go,
    Gone,
    Leave,
    Left,
    Pass,
    Raw,
    Registers,
    Said,
    Stands,
    StopPoint,
    Told,
    Vector,
)
from goprobe.process.stoptracer.tracer import StopTracer

_NAME = "goprobe-stops"
_LIMIT = 1 << 17  # bytes of a message, of which a socket takes more (wmem_default, man 7 socket)
_PASSES_KEPT = 3000  # of some 30 bytes each
_ANSWER = 30.0  # seconds
_HALT_TIMEOUT = 10.0
_GENERAL = (*registers.GENERAL, PC, FLAGS, *THREAD)
_FIELDS = registers.Registers.__struct_fields__
_AT = [(name, _FIELDS.index(name)) for name in _GENERAL]


class NotFollowableError(GoprobeError):
    """There is a place that only GDB can stop at."""


class Follower:
    """Holds the program as GDB does: `at` is the last stop, while the program has not run since."""

    def __init__(
        self, pid: int, points: Sequence[StopPoint], rooms: Sequence[Room], told: Told
    ) -> None:
        """The program is ours and stands in SIGSTOP, at a stop that was `told` already. Raises
        NotFollowableError; it stands then as before."""
        self.pid = pid
        self.at: StopEvent | None = None
        self.running = False
        self.replaced = False
        self._owed = self._interrupting = False
        self._raw: tuple[int, memoryview] = 0, memoryview(b"")
        self._decode = unpacker(Said)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with signals_deferred():
            self._child = forked()
            if not self._child:
                ours.close()
                _serve(StopTracer(pid, points, rooms, told), theirs)
        theirs.close()
        self._socket = ours
        self._ready = select.poll()
        self._ready.register(ours, select.POLLIN)
        self._eagerness = Eagerness(others=2)
        if not self._asked_for(Raw).data:
            self.leave()
            raise NotFollowableError("a place cannot have a breakpoint of ours")

    # Running

    def resume(self, *, timeout: float) -> StopEvent:
        """To the next stop or the end, which GDB then has to tell. TargetTimeoutError after
        `timeout` seconds: it runs on until `halt`."""
        self.at = None
        with signals_deferred():
            self._say(Go(self._owed))
            self._owed, self.running = False, True
        return self._wait(timeout)

    def interrupt(self) -> None:
        """Stop a running program soon, as GDB does; from any thread."""
        if self.running:
            self._interrupting = True
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTRAP)

    def halt(self) -> StopEvent | None:
        """Stop it after a wait for it was given up; None where it does not run."""
        if not self.running:
            return None
        self.interrupt()
        return self._wait(_HALT_TIMEOUT)

    def _wait(self, timeout: float) -> StopEvent:
        said = self._heard(timeout)
        self.running = False
        if isinstance(said, Gone):
            self.replaced = said.replaced
            return StopEvent("exec" if said.replaced else "exited", self.pid)
        if not isinstance(said, Stands):
            raise _failure(said)
        by_signal = not said.number
        self._owed = self._interrupting and not by_signal
        self._interrupting = False
        self._raw = said.tid, memoryview(said.raw).cast("Q")
        if by_signal:
            self.at = StopEvent("signal", said.tid, said.pc, signal=signal.SIGTRAP.name)
        else:
            self.at = StopEvent("breakpoint", said.tid, said.pc, said.number)
        return self.at

    # Standing

    def registers(self, thread: int) -> RegisterMap:
        """The registers of a thread that stands."""
        words = self._words(thread)
        return {name: words[at] for name, at in _AT}

    def some_registers(self, thread: int, names: Collection[str]) -> RegisterMap:
        words = self._words(thread)
        return {name: words[at] for name, at in _AT if name in names}

    def _words(self, thread: int) -> memoryview:
        if self._raw[0] != thread:
            self._say(Registers(thread))
            raw = self._asked_for(Raw).data
            if not raw:
                raise CannotWorkError(f"thread {thread} does not stand")
            self._raw = thread, memoryview(raw).cast("Q")
        return self._raw[1]

    def vector(self, name: str, thread: int) -> int:
        """The 128 bits of a vector register. Raises KeyError where there are none."""
        self._say(Vector(thread, name))
        raw = self._asked_for(Raw).data
        if not raw:
            raise KeyError(name)
        return int.from_bytes(raw, "little")

    def threads(self) -> list[int]:
        """The kernel ids of all threads, oldest first."""
        return sorted(map(int, os.listdir(f"/proc/{self.pid}/task")))  # noqa: PTH208

    # Letting go

    def leave(self) -> tuple[Pass, ...]:
        """The program stands in SIGSTOP, and nobody traces it: passes of breakpoints that were
        told, and that are still to come."""
        left: object = None
        with suppress(GoprobeError):
            self._say(Leave())
            left = self._heard(_ANSWER)
        self.close()
        return left.passes if isinstance(left, Left) else ()

    def close(self) -> None:
        """End the tracer; where it has not left the program, that ends, too."""
        child, self._child = self._child, 0
        if child:
            self._socket.close()
            if self.running:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
            await_end(child)

    def _say(self, asked: Asked) -> None:
        try:
            self._socket.send(packed(asked))
        except OSError:
            raise self._lost() from None

    def _heard(self, timeout: float) -> Said:
        longest = None if timeout == float("inf") else timeout * 1e3
        ready = self._ready
        if not self._eagerness.waited(lambda: ready.poll(0), lambda: ready.poll(longest)):
            raise TargetTimeoutError(f"the program did not stop within {timeout:g} s")
        with signals_deferred():
            try:
                raw = self._socket.recv(_LIMIT)
            except OSError:
                raw = b""
        if not raw:
            raise self._lost()
        said: Said = self._decode(raw)
        return said

    def _lost(self) -> GoprobeError:
        if not self._child:
            return TargetGoneError("the program is gone")
        return CannotWorkError(
            "the process that follows the program for goprobe was ended by somebody"
        )

    def _asked_for(self, kind: type[Raw]) -> Raw:
        said = self._heard(_ANSWER)
        if not isinstance(said, kind):
            raise _failure(said)
        return said


def _failure(said: object) -> GoprobeError:
    if isinstance(said, Failed):
        return error_of(said)
    return CannotWorkError("the process that follows the program for goprobe said something else")


def _serve(tracer: StopTracer, asks: socket.socket) -> NoReturn:
    """In the child: answer until nobody asks any more."""
    try:
        parent = os.getppid()
        live_apart(_NAME)
        libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGUSR1), 0, 0, 0)
        tracer.heard = lambda: os.getppid() == parent
        try:
            _answer(tracer, asks)
        except GoprobeError as error:
            asks.send(packed(Failed(type(error).__name__, error.message, error.hint)))
        except Exception as error:
            asks.send(packed(Failed("CannotWorkError", f"this is a bug in goprobe ({error!r})")))
    finally:
        os._exit(0)


def _answer(tracer: StopTracer, asks: socket.socket) -> None:
    decode = unpacker(Asked)
    asks.send(packed(Raw(b"ready" if tracer.begin() else b"")))
    ready, eagerness = select.poll(), Eagerness()
    ready.register(asks, select.POLLIN)
    while eagerness.waited(lambda: ready.poll(0), ready.poll) and (raw := asks.recv(_LIMIT)):
        match decode(raw):
            case Go(owed):
                answer: Said = tracer.go(owed=owed)
            case Registers(tid):
                answer = Raw(tracer.registers(tid))
            case Vector(tid, name):
                answer = Raw(tracer.vector(tid, name))
            case _:
                asks.send(packed(Left(tracer.leave()[:_PASSES_KEPT])))
                return
        asks.send(packed(answer))
