"""The one place for files of goprobe's own: a folder that only its user can write to.

`$XDG_CACHE_HOME/goprobe` or `~/.cache/goprobe`; where there is no home, or none that one may
write to, a folder in a place for temporary files. What lies in a folder of somebody else's, or
in one that others may write to, could have been put there by them: such a folder is never used.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_NAME = "goprobe"
_PRIVATE = 0o700
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_KEEP_SECONDS = 30 * 24 * 3600.0
MOST_ENTRIES = 10_000
_MOST_BYTES = 2 << 30  # of files in one folder
_TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")
_TRIED: set[Path] = set()


def cache_folder(*names: str, runs: bool = False) -> Path:
    """The folder `names` of the cache, made where it is missing.

    With `runs` programs can be started from it. Raises OSError where there is no place for one.
    """
    for root in _roots():
        with contextlib.suppress(OSError):
            folder = _own(root)
            for name in names:
                folder = _own(folder / name)
            if not (runs and os.statvfs(folder).f_flag & os.ST_NOEXEC):
                return folder
    raise OSError("there is no folder that goprobe may keep its files in")


def cache_root() -> Path | None:
    """Where the cache is, None where there is no place for one."""
    try:
        return cache_folder()
    except OSError:
        return None


def writable(folder: Path) -> bool:
    """Whether the kernel would let us make files in a folder."""
    return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK, effective_ids=True)  # noqa: PTH112


def usable(folder: Path) -> bool:
    """Whether files can be made in a folder: tried out, as /proc and its like permit what they
    cannot do; of one in which they could that is not tried again, which some file systems make us
    wait for."""
    if not writable(folder):
        return False
    if folder in _TRIED:
        return True
    probe = folder / f".goprobe-{os.getpid()}-{threading.get_native_id()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return False
    _TRIED.add(folder)
    return True


def temporary_folders() -> Iterator[Path]:
    """Folders for temporary files in which we may make some."""
    for text in (os.environ.get("TMPDIR", ""), *_TEMPORARY):
        folder = Path(text)
        with contextlib.suppress(OSError):
            if folder.is_absolute() and usable(folder):
                yield folder


def unnamed_file() -> IO[bytes]:
    """A file that nobody else sees and that goes with us; in memory where no folder takes it."""
    import tempfile

    for folder in temporary_folders():
        with contextlib.suppress(OSError):
            return tempfile.TemporaryFile(dir=folder)  # type: ignore[return-value,unused-ignore]
    return os.fdopen(os.memfd_create("goprobe"), "w+b")


def prune(room: Path, most: int = MOST_ENTRIES) -> None:
    """What nobody asked for in a month goes, and of more than `most` entries, or of files that are
    more than 2 GiB together, what was longest not asked for. `touch` is how one asks."""
    import shutil

    known: list[tuple[float, str, bool, int]] = []
    with contextlib.suppress(OSError), os.scandir(room) as entries:
        for _, entry in zip(range(MOST_ENTRIES), entries, strict=False):
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                is_folder = entry.is_dir(follow_symlinks=False)
                size = 0 if is_folder else status.st_size
                known.append((status.st_mtime, entry.path, is_folder, size))
    known.sort(reverse=True)
    too_old, total = time.time() - _KEEP_SECONDS, 0
    for number, (asked, path, is_folder, size) in enumerate(known):
        total += size
        if number < most and asked >= too_old and total <= _MOST_BYTES:
            continue
        with contextlib.suppress(OSError):
            shutil.rmtree(path, ignore_errors=True) if is_folder else Path(path).unlink()


def prune_folders(parent: Path, prefix: str, keep: str) -> None:
    """Folders go whose names begin so, and in which nothing was made for a month; not `keep`."""
    import shutil

    too_old = time.time() - _KEEP_SECONDS
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for _, entry in zip(range(MOST_ENTRIES), entries, strict=False):
            with contextlib.suppress(OSError):
                old = entry.stat(follow_symlinks=False).st_mtime < too_old
                other = entry.name.startswith(prefix) and entry.name != keep
                if old and other and entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path, ignore_errors=True)


def is_ours(status: os.stat_result) -> bool:
    """Whether a file or folder belongs to us, and nobody else may write to it."""
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_WRITE


def _roots() -> Iterator[Path]:
    """Folders that may be the cache, the best first."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    homes = () if named.is_absolute() else dict.fromkeys(_homes())
    with contextlib.suppress(OSError):
        if named.is_absolute():  # the specification has others ignored
            named.mkdir(_PRIVATE, parents=True, exist_ok=True)
            yield from _under(named, _NAME)
    for home in homes:
        with contextlib.suppress(OSError):
            if home.stat().st_uid == os.geteuid():
                (home / ".cache").mkdir(_PRIVATE, exist_ok=True)
                yield from _under(home / ".cache", _NAME)
    for folder in temporary_folders():
        yield from _under(folder, f"{_NAME}-{os.geteuid()}")


def _homes() -> Iterator[Path]:
    """Homes of ours: the environment's, and the one that the user database says."""
    if home := os.environ.get("HOME"):
        yield Path(home)
    with contextlib.suppress(KeyError):
        yield Path(pwd.getpwuid(os.geteuid()).pw_dir)


def _under(parent: Path, name: str) -> Iterator[Path]:
    """The folder `name` of a parent in which no other user could put one in its place."""
    status = parent.stat()
    sticky = bool(status.st_mode & stat.S_ISVTX)
    ours = status.st_uid == os.geteuid() and not status.st_mode & stat.S_IWOTH
    if ours or (sticky and status.st_uid in (0, os.geteuid())):
        yield parent / name


def _own(folder: Path) -> Path:
    """The folder, made where it is missing. Raises OSError where it is not ours alone."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(_PRIVATE)
    link, status = folder.lstat(), folder.stat()
    if not stat.S_ISDIR(status.st_mode) or not is_ours(status) or link.st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to others, or others may write to it")
    if not writable(folder):
        raise PermissionError(f"{folder} cannot be written to")
    return folder
