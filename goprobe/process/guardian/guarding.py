"""What the guardian does (see `guardian.py`), in its own process.

It is in a session of its own: what is sent to our process group does not reach it. It never lets
a target go itself, as only a tracer can; it makes us do it, or, where that does not help, ends us,
which makes the kernel do it. That is harmless at each moment: see `arch/amd64/sigframe.py`.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from goprobe.process.guardian import guardpage
from goprobe.process.guardian.guardpage import GuardPage
from goprobe.process.proc.gauge import Gauge
from goprobe.process.proc.headroom import gauges

_TICK, _TICK_FOR_OURSELVES, _TICK_FOR_COPIES = 0.1, 0.01, 0.005
_PATIENCE = 1.0  # that a target stands while we are stopped
_PATIENCE_WITH_COPIES = 10.0
_PATIENCE_FOR_END = 0.3
_TIME_TO_END = 0.2  # that it takes until a copy's memory is free
_TIME_TO_GIVE_UP = 0.05
_FASTEST = 2e9  # bytes a second, of one program
_FASTEST_OF_ALL = 8e9
_MARKS = 5
_NAME = "goprobe-guard"  # at most 15 characters


def guard(page: GuardPage, parent: int, hears: int) -> NoReturn:
    """Watch until `parent` is no more, or what `hears` reads has ended."""
    try:
        _alone(hears)
        _follow(page, _Parent(parent), hears)
    finally:
        os._exit(0)


def _alone(hears: int) -> None:
    """Take nothing along of our parent's but its stderr."""
    gc.disable()
    os.setsid()
    Path("/proc/self/comm").write_text(_NAME)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.closerange(3, hears)
    os.closerange(hears + 1, 1 << 16)


class _Parent:
    """Whom we guard. Its number may be another's once it has ended: it is signalled by `file`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.file = os.pidfd_open(pid)
        if os.getppid() != pid:
            raise ProcessLookupError(pid)

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.file, number)


def _follow(page: GuardPage, parent: _Parent, hears: int) -> None:
    watch, memory = _Watch(page, parent), _Memory(page, parent)
    ears = select.poll()
    ears.register(hears, select.POLLIN)
    ears.register(parent.file, select.POLLIN)  # readable when it has ended
    while True:
        heard = dict(ears.poll(memory.pause * 1000))
        # Other children of our parent's may keep the pipe open beyond its end.
        if parent.file in heard or (hears in heard and not os.read(hears, 64)):
            return
        watch.look()
        memory.look()


class _Watch:
    """Whether our parent still runs while somebody stands because of it."""

    def __init__(self, page: GuardPage, parent: _Parent) -> None:
        self._page = page
        self._parent = parent
        self._since = 0.0
        self._moved = ""
        self._woken = -1

    def look(self) -> None:
        words = self._page.words
        copies = any(words[at] for at in guardpage.COPIES)
        stopped = words[guardpage.HELD] or words[guardpage.LEFT_BEHIND]
        if not (stopped or copies) or self._runs(words[guardpage.TRACER]):
            self._since = 0.0
            return
        now = time.monotonic()
        self._since = self._since or now
        if stopped and now - self._since >= _PATIENCE:
            self._free()
            self._since = 0.0
        elif copies and now - self._since >= _PATIENCE_WITH_COPIES:
            self._page.why = f"goprobe was stopped for {_PATIENCE_WITH_COPIES:.0f} s"
            end_copies(self._page)

    def _runs(self, thread: int) -> bool:
        """Whether the thread of our parent's that traces has moved since the last look."""
        try:
            with open(f"/proc/{self._parent.pid}/task/{thread}/status") as file:
                facts = dict(line.split(":", 1) for line in file.read().splitlines())
            self._state = facts["State"].strip()[:1]
            before, self._moved = self._moved, facts["voluntary_ctxt_switches"]
        except (OSError, ValueError, KeyError):
            return True
        return self._state not in "Tt" or before != self._moved

    def _free(self) -> None:
        """Have our parent go on, and stop only when it has let go; or end it."""
        words = self._page.words
        if self._state == "T" and self._woken != words[guardpage.TURN]:
            self._woken = words[guardpage.TURN]
            self._parent.send(signal.SIGCONT)
            # It holds this one back until it holds nobody any more.
            self._parent.send(signal.SIGTSTP)
            return
        _say(
            f"it was stopped while process {words[guardpage.TARGET]} stood still because of it; "
            "it is ended, so that the process goes on"
        )
        self._parent.send(signal.SIGKILL)


class _Memory:
    """How much memory is left, while there are copies, or where our parent wants to know."""

    def __init__(self, page: GuardPage, parent: _Parent) -> None:
        self._page = page
        self._parent = parent
        self._of: dict[int, tuple[_Falling, ...]] = {}
        self._asked = 0.0

    @property
    def pause(self) -> float:
        """Seconds until the next look: what is left now lasts at least as long."""
        words = self._page.words
        shortest = _TICK
        if words[guardpage.GIVES_UP]:
            shortest = self._lasts(self._parent.pid, _TICK_FOR_OURSELVES)
        for copy, original in zip(guardpage.COPIES, guardpage.ORIGINALS, strict=True):
            if words[copy]:
                shortest = min(shortest, self._lasts(words[original], _TICK_FOR_COPIES))
        return shortest

    def _lasts(self, pid: int, at_least: float) -> float:
        if pid not in self._of:
            return at_least
        spare = min(falling.spare for falling in self._of[pid])
        return min(max(spare / _FASTEST_OF_ALL, at_least), _TICK)

    def look(self) -> None:
        words = self._page.words
        for copy, original in zip(guardpage.COPIES, guardpage.ORIGINALS, strict=True):
            if words[copy] and (short := self._short(words[original], _TIME_TO_END)):
                self._page.why = short
                end_copies(self._page)
        if words[guardpage.GIVES_UP] and (short := self._short(self._parent.pid, _TIME_TO_GIVE_UP)):
            self._end_parent(short)

    def _end_parent(self, why: str) -> None:
        now = time.monotonic()
        if not self._asked:
            self._asked = now
            self._page.why = why
            self._page.words[guardpage.TOO_LARGE] = 1
            self._parent.send(signal.SIGTERM)
        elif now - self._asked > _PATIENCE_FOR_END:
            _say(f"it is ended: {why}")
            self._parent.send(signal.SIGKILL)

    def _short(self, pid: int, seconds: float) -> str:
        """A sentence where memory will have run short in so long; "" where not."""
        if pid not in self._of:
            self._of[pid] = tuple(_Falling(gauge) for gauge in gauges(pid))
        said = (falling.short_in(seconds) for falling in self._of[pid])
        return next((short for short in said if short), "")


class _Falling:
    """A gauge, and how fast it falls."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._marks: deque[tuple[float, int]] = deque(maxlen=_MARKS)
        self.spare = 0  # bytes, at the last look

    def short_in(self, seconds: float) -> str:
        left = self._gauge.left(self._gauge.floor + int(_FASTEST * seconds))
        self.spare = left - self._gauge.floor
        now = time.monotonic()
        self._marks.append((now, left))
        then, before = self._marks[0]
        rate = min((before - left) / (now - then), _FASTEST) if now > then else 0.0
        if left - max(rate, 0.0) * seconds >= self._gauge.floor:
            return ""
        return f"{self._gauge.what} has only {left >> 20} MiB of memory left"


def end_copies(page: GuardPage) -> None:
    """They are our parent's tracees: it collects them."""
    words = page.words
    for at, copy in enumerate(words[number] for number in guardpage.COPIES):
        if not copy:
            continue
        with suppress(OSError):
            file = os.pidfd_open(copy)
            try:
                if words[guardpage.COPIES[at]] == copy:  # else its number may be another's by now
                    words[guardpage.LOST[at]] = copy
                    signal.pidfd_send_signal(file, signal.SIGKILL)
            finally:
                os.close(file)


def _say(text: str) -> None:
    with suppress(OSError):
        os.write(2, f"goprobe: {text}\n".encode())
