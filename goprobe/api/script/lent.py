"""A program of a session while its calls are told: GDB has let it go, our own tracer follows it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from msgspec.structs import replace

from goprobe.analysis.calls.calls import CallBegan, CallsRequest, CallWatch
from goprobe.analysis.trace.session import Session
from goprobe.model.calls import CallRecord
from goprobe.process.calltracer.plan import After
from goprobe.process.gdb.mi import StopEvent

_HAS_RUN = (
    "calls may be missing at the beginning: several threads had stopped in the same instant, and "
    "the program may have run for a moment while GDB let it go"
)


class LentProgram:
    """From `begin`, which lets it run, to `end`, when GDB holds it again. Raises UsageError, before
    anything runs, where a pattern means nothing."""

    def __init__(self, session: Session, request: CallsRequest) -> None:
        self._session = session
        left = session.time_left()
        limit = left if request.seconds is None else min(request.seconds, left)
        self._request = replace(request, seconds=None if limit == math.inf else limit)
        self._watch = CallWatch(session.process, self._request, After.STAND)
        self._began = 0.0
        self._batches: Iterator[list[CallBegan | CallRecord]] = iter(())

    def begin(self) -> str:
        """Why calls may be missing, "" where none are."""
        still = self._session.lend()
        self._began = time.monotonic()
        self._watch.__enter__()
        self._batches = self._watch.batches()
        return "" if still else _HAS_RUN

    def stop(self) -> None:
        """No more calls are wanted; from any thread."""
        self._watch.stop()

    def next(self) -> tuple[CallRecord, ...]:
        """The next calls that have ended; none where that is all."""
        for batch in self._batches:
            if records := tuple(event for event in batch if isinstance(event, CallRecord)):
                return records
        return ()

    def end(self) -> StopEvent:
        """Where it stands, or how it ended."""
        self._watch.__exit__()
        return self._session.take_back(time.monotonic() - self._began)
