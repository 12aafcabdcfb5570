"""Running `go` so that nothing of it stays behind: neither its files nor its processes.

Go ends its own folder for temporary files when it ends by itself, and its compilers theirs; one
that is interrupted in the middle of a build leaves them (m: 10 of 12 builds). So they get a folder
of ours, and are a process group of their own, which ends with us.
"""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from goprobe.deferredsignals import signals_deferred

_PREFIX = "goprobe-build-"
_NAMED = ("GOTMPDIR", "TMPDIR")
_PATIENCE = 1.0
_MOMENT = 0.01
_MOST = 1000


def run_tidily(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdout: IO[bytes],
    stderr: IO[bytes],
) -> int:
    """The exit code. Where we are interrupted the command and all that it started end first.
    Raises OSError where it cannot be run."""
    with scratch(env) as folder:
        own = dict.fromkeys(_NAMED, str(folder)) if folder else {}
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**env, **own},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            process_group=0,
        )
        try:
            return process.wait()
        except BaseException:
            with signals_deferred():
                _end(process)
            raise


@contextmanager
def scratch(env: Mapping[str, str]) -> Iterator[Path | None]:
    """A folder for what is temporary, where `env` wants such things; it goes with the `with`.
    None where none can be made."""
    base = Path(env.get("GOTMPDIR") or env.get("TMPDIR") or "/tmp")
    tidy(base)
    folder: Path | None = None
    with suppress(OSError):
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=base))
    try:
        yield folder
    finally:
        if folder:
            with signals_deferred():
                _remove(folder)


def tidy(base: Path) -> None:
    """Remove what those of us left there that were killed."""
    with suppress(OSError), os.scandir(base) as entries:
        for _, entry in zip(range(_MOST), entries, strict=False):
            owner = entry.name.removeprefix(_PREFIX).partition("-")[0]
            if entry.name.startswith(_PREFIX) and owner.isdecimal():
                _remove_of(int(owner), entry)


def _remove_of(owner: int, entry: os.DirEntry[str]) -> None:
    with suppress(OSError):
        status = entry.stat(follow_symlinks=False)
        ours = status.st_uid == os.geteuid() and stat.S_ISDIR(status.st_mode)
        if ours and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(entry.path, ignore_errors=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Go ends on SIGINT as soon as its compilers have; whoever does not is killed."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with suppress(OSError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
    until = time.monotonic() + _PATIENCE
    while _lives(process.pid) and time.monotonic() < until:
        time.sleep(_MOMENT)


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def _remove(folder: Path) -> None:
    """What a program that has just been killed was writing may appear once more."""
    until = time.monotonic() + _PATIENCE
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)
        if time.monotonic() > until:
            return
