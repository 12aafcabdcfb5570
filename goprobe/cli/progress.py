"""What goprobe is doing, on stderr, for those who wait: nothing before half a second."""

from __future__ import annotations

import re
import shutil
import sys
import threading
import time

from goprobe.cli.encoding import obeys_escapes, speaks_utf8
from goprobe.deferredsignals import signals_deferred
from goprobe.report.escaping import escape

_QUIET_SECONDS = 0.5
_TICK_SECONDS = 0.1
_ELAPSED_FROM = 2.0
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN_SPINNER = "|/-\\"
_NUMBER = re.compile(r"\d+")
_ERASE_LINE = "\r\x1b[K"


class Progress:
    """Call it with what is going on; with "" when the target has the screen to itself.

    On a terminal one line is redrawn and erased again; elsewhere a message that lasts is one line,
    and messages that differ in their numbers alone are one.
    """

    def __init__(self, quiet_seconds: float = _QUIET_SECONDS) -> None:
        self._stream = sys.stderr
        self._terminal = obeys_escapes(self._stream)
        self._quiet = quiet_seconds
        self._message = ""
        self._begun = 0.0  # of this wait, over all its messages
        self._since = 0.0  # of this message
        self._shown = ""
        self._frame = 0
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ended = False

    def __call__(self, message: str) -> None:
        # An interrupt between the two would leave the lock held for ever; and a thread started
        # now gets no signals: they are the main thread's.
        with signals_deferred(), self._condition:
            if self._stream is None or message == self._message:
                return
            self._since = time.monotonic()
            if not self._message:
                self._begun = self._since
            self._message = message
            self._erase()
            if self._thread is None:
                thread = threading.Thread(target=self._show, name="progress", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # no room for its stack: then nothing is shown
                    self._stream = None
                    return
                self._thread = thread
            self._condition.notify()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_error: object) -> None:
        with signals_deferred(), self._condition:
            self._ended = True
            self._erase()
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()

    def _show(self) -> None:
        with self._condition:
            while not self._ended:
                self._condition.wait(self._pause())
                if not self._ended and self._message and self._quiet_for() <= 0:
                    self._draw()

    def _pause(self) -> float | None:
        """Seconds until there is something to draw; None: only when told."""
        if not self._message:
            return None
        if self._quiet_for() > 0:
            return self._quiet_for()
        if self._terminal:
            return _TICK_SECONDS
        return None if _same(self._shown, self._message) else 0.0

    def _quiet_for(self) -> float:
        return self._begun + self._quiet - time.monotonic()

    def _draw(self) -> None:
        if not self._terminal:
            if not _same(self._shown, self._message):
                self._write(f"goprobe: {self._text()}\n")
        else:
            self._frame += 1
            line = f"{self._spinner()} {self._text()}{self._elapsed()}"
            columns = shutil.get_terminal_size().columns - 1  # a line that wraps cannot be erased
            self._write(_ERASE_LINE + line[:columns])
        self._shown = self._message

    def _text(self) -> str:
        return escape(self._message, ascii_only=not self._unicode())

    def _elapsed(self) -> str:
        waited = time.monotonic() - self._since
        return f"  {waited:.0f} s" if waited >= _ELAPSED_FROM else ""

    def _spinner(self) -> str:
        frames = _SPINNER if self._unicode() else _PLAIN_SPINNER
        return frames[self._frame % len(frames)]

    def _unicode(self) -> bool:
        return speaks_utf8(self._stream)

    def _erase(self) -> None:
        if self._terminal and self._shown:
            self._write(_ERASE_LINE)
            self._shown = ""

    def _write(self, text: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = None  # nobody looks any more
            self._message = ""


def _same(one: str, other: str) -> bool:
    """Whether two messages differ in nothing but how far it has come."""
    return _NUMBER.sub("", one) == _NUMBER.sub("", other)
