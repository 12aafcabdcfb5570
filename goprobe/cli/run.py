"""Runs a command line. The one place where errors become sentences and exit codes."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from goprobe.cli.command import Command
from goprobe.cli.encoding import never_fails, speaks_utf8
from goprobe.cli.signals import EndedBySignal, unwind_on_signals
from goprobe.errors import (
    BuildError,
    CannotWorkError,
    GoprobeError,
    ScriptFailedError,
    UnreadableError,
)
from goprobe.report.escaping import escape

_OK = 0
_USAGE = 2
_BUG = 3
_SIGNALLED = 128  # and the signal's number: what a shell makes of a death by signal
_CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)
_NOT_THERE = (
    errno.ENOENT,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
)


def run(arguments: Sequence[str], commands: Sequence[Command]) -> int:
    """The exit code of the command line; every error is told on stderr, none is raised."""
    unwind_on_signals()
    never_fails(sys.stdout)
    try:
        from goprobe.cli.parse import parse

        code = parse(arguments, commands)()
        _flush()
        return code
    except BaseException as error:
        return _told(error, traced=_wants_traceback(arguments))


def _told(error: BaseException, *, traced: bool) -> int:
    """Tells the user of `error`, and returns its exit code."""
    match error:
        case SystemExit():
            return error.code if isinstance(error.code, int) else _OK
        case KeyboardInterrupt():
            return _SIGNALLED + signal.SIGINT
        case EndedBySignal():
            return _told_of_signal(error)
        case BrokenPipeError():
            _forget_stdout()
            return _SIGNALLED + signal.SIGPIPE
        case GoprobeError():
            _say_error(error)
            return error.exit_code
        case UnreadableError():
            say(f"goprobe: memory that the answer needs cannot be read: {error}")
            return CannotWorkError.exit_code
        case MemoryError() | RuntimeError() if _for_want_of_memory(error):
            say(
                "goprobe: there is not enough memory for this here (goprobe's own limits, or what "
                "the machine has left)"
            )
            return CannotWorkError.exit_code
        case OSError() if error.errno in _CANNOT_WRITE:
            _forget_stdout()
            say(f"goprobe: cannot write any further: {error.strerror}")
            return _BUG
        case FileNotFoundError() | PermissionError() if not _has_folder():
            say("goprobe: the folder that goprobe runs in is gone, or may not be looked at")
            say("  cd into another one")
            return _USAGE
        case OSError() if error.filename and error.errno in _NOT_THERE:
            say(f"goprobe: cannot use {error.filename}: {error.strerror}")
            return _USAGE
        case _:
            return _told_of_bug(error, traced=traced)


def _for_want_of_memory(error: BaseException) -> bool:
    """Python has no error of its own for a thread whose stack finds no room (_threadmodule.c)."""
    return isinstance(error, MemoryError) or str(error) == "can't start new thread"


def _told_of_signal(error: EndedBySignal) -> int:
    from goprobe.process.guardian.guardian import known_guardian

    guardian = known_guardian()
    if guardian is None or not guardian.gave_up:
        return _SIGNALLED + error.number
    say(f"goprobe: it gave up, so that nobody is ended for want of memory: {guardian.gave_up}")
    say("  look at a part with --sample, or from outside of the process's memory cgroup")
    return CannotWorkError.exit_code


def _say_error(error: GoprobeError) -> None:
    if isinstance(error, BuildError) and error.output:
        say(error.output.rstrip("\n"), keep="\n\t")
    if isinstance(error, ScriptFailedError) and error.lines:
        say(error.lines.rstrip("\n"), keep="\n")
    say(f"goprobe: {error.message}")
    if error.hint:
        say(f"  {error.hint}", keep="\n")


def _told_of_bug(error: BaseException, *, traced: bool) -> int:
    if traced:
        import traceback

        say("".join(traceback.format_exception(error)).rstrip("\n"), keep="\n")
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    say(f"goprobe: this is a bug in goprobe ({what})")
    if not traced:
        say("  the same command with -v shows where; please report it")
    return _BUG


def _has_folder() -> bool:
    try:
        return bool(Path.cwd())
    except OSError:
        return False


def _wants_traceback(arguments: Sequence[str]) -> bool:
    own = list(arguments)
    own = own[: own.index("--")] if "--" in own else own
    return bool(os.environ.get("GOPROBE_DEBUG")) or "-v" in own or "--verbose" in own


def say(text: str, keep: str = "") -> None:
    """One line on stderr; where there is no stderr any more there is nobody to tell."""
    if sys.stderr is None:
        return
    unicode = speaks_utf8(sys.stderr)
    try:
        print(escape(text, ascii_only=not unicode, keep=keep), file=sys.stderr, flush=True)
    except OSError:
        return


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _forget_stdout() -> None:
    """What is still buffered has nowhere to go, and Python would complain of it at its exit."""
    if sys.stdout is not None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)
