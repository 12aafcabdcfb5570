"""goprobe's command line in a fork of a process that has loaded it: a third of what a small program
takes is spent with imports, each time the same."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, NoReturn

_LOADED = ("goprobe.cli", "goprobe.analysis.escape.escape", "goprobe.analysis.escape.runs")
_KILLED = 255


def forked(
    arguments: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], seconds: float
) -> subprocess.CompletedProcess[bytes]:
    """As `subprocess.run` of goprobe's command: raises TimeoutExpired after so many seconds."""
    for name in _LOADED:
        import_module(name)
    words = ["goprobe", *map(str, arguments)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            _become_goprobe(words, cwd, env, out, err)
        code = _ended(pid, seconds, words)
        return subprocess.CompletedProcess(words, code, _text(out), _text(err))


def _become_goprobe(
    words: list[str], cwd: Path, env: Mapping[str, str], out: IO[bytes], err: IO[bytes]
) -> NoReturn:
    code = _KILLED
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        os.environ.clear()
        os.environ.update(env)
        os.chdir(cwd)
        sys.argv = words
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        from goprobe.cli import main

        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _ended(pid: int, seconds: float, words: Sequence[str]) -> int:
    """The exit code of a process that has that long."""
    pidfd = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if poll.poll(1000 * seconds):
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        raise subprocess.TimeoutExpired(list(words), seconds)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        os.close(pidfd)


def _text(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
