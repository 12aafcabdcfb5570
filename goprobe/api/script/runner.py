"""Runs a script file with `program` and `args` in its hands, and tells how it ended."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import traceback
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from goprobe.api.script.program import Program
from goprobe.errors import GoprobeError, ScriptFailedError, TargetTimeoutError, UsageError
from goprobe.files import read_regular

_SCRIPT_LIMIT = 1 << 24
_RINGS = 3
_RING_AGAIN = 1.0  # seconds


def read_script(path: str) -> str:
    """The script's text. Raises UsageError."""
    try:
        return read_regular(path, _SCRIPT_LIMIT, what="script", pipes=True).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read {path}: {error}") from None


def run_script(
    path: str, source: str, program: Program, args: Sequence[str], *, timeout: float
) -> int:
    """The script's exit code: 0, or what it gave to sys.exit. `timeout` in seconds bounds it.

    Raises UsageError (it is not Python), ScriptFailedError (it raised, or an assertion failed),
    TargetTimeoutError, and what its questions raised.
    """
    try:
        code = compile(source, path, "exec")
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", 0) or 0
        raise UsageError(f"{path}:{line}: {getattr(error, 'msg', error)}") from None
    names = {"__name__": "__main__", "__file__": path, "program": program, "args": tuple(args)}
    try:
        with _bounded(path, timeout, program):
            before = frozenset(threading.enumerate())
            exec(code, names)
            _await_threads(before)
    except SystemExit as ended:
        return _asked_for(ended)
    except GoprobeError as error:
        frames = _own_frames(path, error)
        if frames:
            asked = f"asked at {path}:{frames[-1].lineno}"
            error.hint = f"{error.hint}; {asked}" if error.hint else asked
        raise
    except Exception as error:
        raise ScriptFailedError(_sentence(path, error), lines=_own_traceback(path, error)) from None
    return 0


def _await_threads(before: Container[threading.Thread]) -> None:
    """As Python does at its own end, but within the script's time."""
    for thread in threading.enumerate():
        if thread not in before and not thread.daemon:
            thread.join()


def _asked_for(ended: SystemExit) -> int:
    """The exit code as Python itself understands sys.exit: what is no number is a message."""
    if ended.code is None:
        return 0
    if isinstance(ended.code, int):
        return int(ended.code) & 0xFF
    raise ScriptFailedError(str(ended.code)) from None


class _TooLate(BaseException):
    """No Exception, so that a script's `except Exception` does not swallow it."""


@contextmanager
def _bounded(path: str, timeout: float, program: Program) -> Iterator[None]:
    sentence = f"{path} did not end within {timeout:g} s"
    rings = 0

    def ring(_number: int, _frame: FrameType | None) -> None:
        nonlocal rings
        rings += 1
        if rings > _RINGS:
            _give_up(sentence, program)
        raise _TooLate

    old = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, timeout, _RING_AGAIN)
    try:
        yield
    except _TooLate:
        raise TargetTimeoutError(sentence, hint="give it longer with --timeout SECONDS") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def _give_up(sentence: str, program: Program) -> NoReturn:
    """The end of a script that catches whatever is raised."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    program.close()
    with contextlib.suppress(OSError):
        os.write(2, f"goprobe: {sentence}, and caught what was to end it\n".encode())
    os._exit(TargetTimeoutError.exit_code)


def _own_frames(path: str, error: BaseException) -> list[traceback.FrameSummary]:
    return [f for f in traceback.extract_tb(error.__traceback__) if f.filename == path]


def _sentence(path: str, error: BaseException) -> str:
    frames = _own_frames(path, error)
    line = f":{frames[-1].lineno}" if frames else ""
    said = str(error)
    if isinstance(error, AssertionError):
        asserted = (frames[-1].line if frames else "") or ""
        return f"{path}{line}: assertion failed: {said or asserted.removeprefix('assert ')}"
    return f"{path}{line}: {type(error).__name__}{f': {said}' if said else ''}"


def _own_traceback(path: str, error: BaseException) -> str:
    frames = _own_frames(path, error)
    return "".join(traceback.format_list(frames)) if len(frames) > 1 else ""
