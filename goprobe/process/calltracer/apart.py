"""A process of ours that traces for us: in a session of its own, so that what ends goprobe (Ctrl-C,
a closed terminal) does not end it."""

from __future__ import annotations

import gc
import os
import signal
import time
import warnings
from contextlib import suppress
from pathlib import Path

from goprobe.errors import CannotWorkError, GoprobeError, NotPermittedError, TargetGoneError
from goprobe.process.calltracer.plan import Failed

_PATIENCE = 10.0
_TICK = 0.001
_ERRORS = {error.__name__: error for error in (NotPermittedError, TargetGoneError, CannotWorkError)}


def forked() -> int:
    """Its pid, 0 in it. To be called while signals are deferred."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def live_apart(name: str) -> None:
    """In it, under a name of at most 15 characters. SIGUSR1 breaks a wait off."""
    os.setsid()
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, lambda _number, _frame: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    gc.disable()


def await_end(child: int) -> None:
    """It has been asked to end, and is killed where it does not."""
    deadline = time.monotonic() + _PATIENCE
    with suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(child, os.WNOHANG)[0]:
                return
            time.sleep(_TICK)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def error_of(failed: Failed) -> GoprobeError:
    """What it failed with."""
    return _ERRORS.get(failed.kind, CannotWorkError)(failed.message, hint=failed.hint)
