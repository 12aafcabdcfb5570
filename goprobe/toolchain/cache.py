"""Where built executables are kept: a place of the cache for each build."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goprobe.cachefolder import cache_folder, prune
from goprobe.errors import CannotWorkError

_MOST_BUILDS = 300
"""Each has some MB."""


def build_folder(key: str) -> Path:
    """The folder of the build `key`. Raises CannotWorkError where there is no place for one."""
    try:
        folder = cache_folder("build", key, runs=True)
        os.utime(folder)
    except OSError:
        raise CannotWorkError(
            "there is no folder to build in: neither the cache nor a place for temporary files "
            "can be written to and run programs from",
            hint="set XDG_CACHE_HOME to a folder of your own",
        ) from None
    prune(folder.parent, _MOST_BUILDS)
    return folder


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One build at a time in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
