"""Ctrl-C and its kin unwind what goprobe does, so that the target and GDB go before it does."""

from __future__ import annotations

import _thread
import math
import signal
import threading
import time
from types import FrameType

from goprobe.deferredsignals import signals_deferred

_PATIENCE = 2.0
_MOMENT = 0.01
# Where Python wraps, or forgets, what is raised: RuntimeError for __set_name__ (up to 3.11).
_IMPORTS = "<frozen importlib"
_DEAF = ("__set_name__", "__del__")


class EndedBySignal(BaseException):
    """SIGTERM or SIGHUP came."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def unwind_on_signals() -> None:
    """From now on signals raise, each at a moment at which Python can unwind."""
    # nohup ignores SIGHUP, and shells SIGINT of what runs in the background: so do we then.
    handler = _Handler()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, handler)


class _Handler:
    """`_asked`: when the first signal came that has not been obeyed; `_raised`: when one was.

    Of several signals one is obeyed: another one would stop the tidying up in its middle.
    """

    def __init__(self) -> None:
        self._asked = 0.0
        self._raised = -math.inf

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now < self._raised + _PATIENCE:
            return
        self._asked = self._asked or now
        if _cannot_unwind(frame) and now < self._asked + _PATIENCE:
            _again(number)
            return
        self._asked, self._raised = 0.0, now
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise EndedBySignal(number)


def _cannot_unwind(frame: FrameType | None) -> bool:
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(_IMPORTS) or code.co_name in _DEAF:
            return True
        frame = frame.f_back
    return False


def _again(number: int) -> None:
    """Send the signal once more, in a moment, to the thread that handles it."""

    def send() -> None:
        time.sleep(_MOMENT)
        signal.pthread_kill(main, number)

    main = threading.main_thread().ident or 0
    with signals_deferred():
        # Not by threading.Thread: the lock that its start takes may be held below us.
        _thread.start_new_thread(send, ())
