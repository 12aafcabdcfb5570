"""Runs a script file with `program` and `args` in its hands, and tells how it ended."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from goprobe.analysis.script.program import Program
from goprobe.errors import GoprobeError, ScriptFailedError, TargetTimeoutError, UsageError


def read_script(path: str) -> str:
    """The script's text. Raises UsageError."""
    try:
        return Path(path).read_text("utf-8")
    except IsADirectoryError:
        raise UsageError(f"{path} is a directory, not a script") from None
    except FileNotFoundError:
        raise UsageError(f"no such script: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
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
        with _bounded(path, timeout):
            exec(code, names)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            raise ScriptFailedError(ended.code) from None
        return ended.code or 0
    except GoprobeError:
        raise
    except Exception as error:
        raise ScriptFailedError(_sentence(path, error), lines=_own_traceback(path, error)) from None
    return 0


@contextmanager
def _bounded(path: str, timeout: float) -> Iterator[None]:
    def ring(_number: int, _frame: FrameType | None) -> None:
        raise TargetTimeoutError(
            f"{path} did not end within {timeout:g} s",
            hint="give it longer with --timeout SECONDS",
        )

    old = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


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
