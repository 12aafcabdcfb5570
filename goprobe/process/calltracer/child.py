"""The process that traces calls for us, and how it tells of them.

What ends goprobe (SIGKILL, too) does not end it (`apart.py`): it sees that we are gone, puts the
target's code back, lets it go, and ends. We read what it tells from a pipe. It never waits for us
while the target stands: what we do not take in time is counted as lost.
"""

from __future__ import annotations

import os
import select
import signal
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NoReturn

from goprobe.arch.patches import BREAKPOINT_SIZE
from goprobe.deferredsignals import signals_deferred
from goprobe.errors import CannotWorkError, GoprobeError
from goprobe.model.codec import packed, unpacker
from goprobe.process.calltracer.apart import await_end, error_of, forked, live_apart
from goprobe.process.calltracer.plan import (
    After,
    Begun,
    Ended,
    Failed,
    Lost,
    Over,
    Record,
    Values,
    WatchPlan,
)
from goprobe.process.calltracer.tracer import CallTracer

_NAME = "goprobe-calls"
_TICK = 0.02
_KEPT = 64 << 20  # bytes that wait to be taken
_MUCH = _KEPT // 8
_LENGTH = struct.Struct("<I")
_RECORD_LIMIT = 1 << 24
_AT_ONCE = 4096  # records


class Watch:
    """A process whose calls are traced. `records` gives them as they come; `stop` ends it."""

    def __init__(self, pid: int, plan: WatchPlan, values: Values, after: After) -> None:
        self._pid = pid
        self._code = _code_at(pid, plan) if after is After.GO else {}
        tells_in, tells_out = os.pipe()
        asks_in, asks_out = os.pipe()
        with signals_deferred():
            self._child = forked()
            if not self._child:
                os.close(tells_in)
                os.close(asks_out)
                _trace(pid, plan, values, after, tells_out, asks_in)
        os.close(tells_out)
        os.close(asks_in)
        self._tells, self._asks = tells_in, asks_out

    def stop(self) -> None:
        """Ask for the end of the watch: what is still on its way comes first."""
        if self._asks >= 0:
            os.close(self._asks)
            self._asks = -1

    def close(self) -> None:
        """The target is let go when this returns."""
        self.stop()
        if self._child:
            child, self._child = self._child, 0
            os.close(self._tells)  # nobody reads any more: else it waits to tell what it still has
            await_end(child)

    def batches(self) -> Iterator[list[Record]]:
        """The records as they come, in no batch none. Raises what the tracer failed with."""
        decode = unpacker(Record)
        pending = bytearray()
        while chunk := os.read(self._tells, 1 << 18):
            pending += chunk
            at, batch = 0, list[Record]()
            while len(pending) - at >= _LENGTH.size:
                (size,) = _LENGTH.unpack_from(pending, at)
                if len(pending) - at - _LENGTH.size < size:
                    break
                at += _LENGTH.size
                record = decode(bytes(pending[at : at + size]))
                at += size
                if isinstance(record, Failed):
                    raise error_of(record)
                batch.append(record)
            if batch:
                yield batch
            if batch and isinstance(batch[-1], Over):
                return
            del pending[:at]
        self._restore()
        raise CannotWorkError("the process that traces for goprobe was ended by somebody")

    def _restore(self) -> None:
        """Somebody has killed the tracer, and the process runs with its breakpoints in it: those
        that nobody has come to yet can be taken out."""
        with suppress(OSError), open(f"/proc/{self._pid}/mem", "r+b", buffering=0) as memory:
            for address, code in self._code.items():
                os.pwrite(memory.fileno(), code, address)


def _code_at(pid: int, plan: WatchPlan) -> dict[int, bytes]:
    """What is there before any breakpoint."""
    with suppress(OSError), open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        return {at: os.pread(memory.fileno(), BREAKPOINT_SIZE, at) for at in plan.addresses()}
    return {}


class _Outbox:
    """What waits to be told: filled by the tracing thread, emptied by another."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._lost = 0
        self._dropped: set[int] = set()
        self.broken = False

    def tell(self, record: Record) -> None:
        """Keeps the order; a call that was not told of does not end, either."""
        if isinstance(record, Ended) and record.call in self._dropped:
            self._dropped.discard(record.call)
            return
        if self._size > _KEPT and isinstance(record, Begun):
            self._lost += 1
            self._dropped.add(record.call)
            return
        if isinstance(record, Over) and self._lost:
            self.tell(Lost(self._lost))
        raw = packed(record)
        self._size += len(raw)
        self._waiting.append(_LENGTH.pack(len(raw)) + raw)

    def crowded(self) -> bool:
        """Whether much waits to be taken."""
        return self._size > _MUCH and not self.broken

    def _taken(self) -> Iterator[bytes]:
        with suppress(IndexError):  # it is empty
            for _ in range(_AT_ONCE):
                yield self._waiting.popleft()

    def empty(self) -> None:
        """Write what waits; nobody listens any more where that fails."""
        while self._waiting and not self.broken:
            data = memoryview(b"".join(self._taken()))
            try:
                while data:
                    written = os.write(self._file, data[: 1 << 16])
                    data = data[written:]
                    self._size = max(0, self._size - written)
            except OSError:
                self.broken = True


class _Ears:
    """Hears when we are to stop, and sees to it that what is to be told is told."""

    def __init__(self, outbox: _Outbox, asks: int) -> None:
        self._outbox, self._asks = outbox, asks
        self.stopping = False
        self.wakes: Callable[[], bool] = lambda: False
        self.over = threading.Event()
        self._tracer = threading.main_thread().ident or 0
        self._teller = threading.Thread(target=self._tell, daemon=True)
        for thread in (self._teller, threading.Thread(target=self._run, daemon=True)):
            thread.start()

    def finish(self) -> None:
        """All is told: the rest of it, too."""
        self.over.set()
        self._teller.join()
        self._outbox.empty()

    def _run(self) -> None:
        select.select([self._asks], [], [])  # readable when whoever asks has closed it, or ended
        self.stopping = True
        while not self.over.wait(_TICK):
            # It may just be about to wait: again, until it has heard.
            signal.pthread_kill(self._tracer, signal.SIGUSR1)

    def _tell(self) -> None:
        while not self.over.wait(_TICK):
            self._outbox.empty()
            if self.wakes():  # what was noted is to be looked for
                signal.pthread_kill(self._tracer, signal.SIGUSR1)


def _trace(
    pid: int, plan: WatchPlan, values: Values, after: After, tells: int, asks: int
) -> NoReturn:
    """In the child."""
    try:
        live_apart(_NAME)
        outbox = _Outbox(tells)
        ears = _Ears(outbox, asks)
        try:
            tracer = CallTracer(
                pid, plan, values, outbox.tell, after,
                stopping=lambda: ears.stopping, crowded=outbox.crowded,
            )  # fmt: skip
            ears.wakes = lambda: tracer.notes
            tracer.run()
        except GoprobeError as error:
            outbox.tell(Failed(type(error).__name__, error.message, error.hint))
        except BaseException as error:
            outbox.tell(Failed("CannotWorkError", f"this is a bug in goprobe ({error!r})"))
        finally:
            ears.finish()
    finally:
        os._exit(0)
