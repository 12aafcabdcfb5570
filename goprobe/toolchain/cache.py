"""Where built executables are kept: the user's cache folder, a place of its own for each build."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_KEEP_SECONDS = 30 * 24 * 3600.0
_MAX_ENTRIES = 10_000


def cache_folder(kind: str, key: str) -> Path:
    """The folder of what is kept under `key`, made if missing. Raises OSError."""
    folder = _cache_root() / kind / key
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def build_folder(key: str) -> Path:
    """The folder of the build `key`; a temporary one where no cache can be had."""
    try:
        folder = cache_folder("build", key)
        os.utime(folder)
        _prune(folder.parent, keep=folder)
    except OSError:
        return Path(tempfile.mkdtemp(prefix="goprobe-build-"))
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


def _cache_root() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():
        try:
            base = Path.home() / ".cache"
        except RuntimeError:  # nobody's home
            raise OSError("no home directory") from None
    return base / "goprobe"


def _prune(root: Path, keep: Path) -> None:
    """Builds that nobody asked for in a month go."""
    too_old = time.time() - _KEEP_SECONDS
    with os.scandir(root) as entries:
        for _, entry in zip(range(_MAX_ENTRIES), entries, strict=False):
            with contextlib.suppress(OSError):
                if entry.stat().st_mtime < too_old and entry.name != keep.name:
                    shutil.rmtree(entry.path, ignore_errors=True)
