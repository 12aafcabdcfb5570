"""Files that somebody names: read with a bound, and never waited for without one; written whole.

A name may lead to a FIFO that nobody writes, to /dev/zero, or to more than memory holds.
"""

from __future__ import annotations

import os
import select
import stat
from pathlib import Path

from goprobe.errors import UsageError

_QUIETLY = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_PATIENCE = 5.0  # seconds for a pipe that says nothing
_AT_ONCE = 1 << 20
_LINKS = 40  # as the kernel has it


def open_regular(path: str | Path, *, shown_as: str = "", what: str = "file") -> int:
    """A descriptor of a regular file. Raises UsageError where it is none, or cannot be opened."""
    shown = shown_as or str(path)
    file = _opened(path, shown, what)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    raise _closed_for(file, shown, what)


def _opened(path: str | Path, shown: str, what: str) -> int:
    try:
        return os.open(path, _QUIETLY)
    except FileNotFoundError:
        raise UsageError(f"no such {what}: {shown}") from None
    except PermissionError:
        raise UsageError(f"not permitted to read {shown}") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read {shown}: {why}") from None


def _closed_for(file: int, shown: str, what: str) -> UsageError:
    folder = stat.S_ISDIR(os.fstat(file).st_mode)
    os.close(file)
    return UsageError(
        f"{shown} is a directory, not a {what}" if folder else f"{shown} is not a regular file"
    )


def read_regular(
    path: str | Path, limit: int, *, shown_as: str = "", what: str = "file", pipes: bool = False
) -> bytes:
    """All of a regular file; with `pipes` of a pipe as well, as shells make them of `<(command)`.

    Raises UsageError where it is neither, has more than `limit` bytes, or nobody writes to it.
    """
    shown = shown_as or str(path)
    file = _opened(path, shown, what)
    mode = os.fstat(file).st_mode
    pipe = pipes and stat.S_ISFIFO(mode)
    if not stat.S_ISREG(mode) and not pipe:
        raise _closed_for(file, shown, what)
    parts: list[bytes] = []
    have = 0
    try:
        while part := _read_on(file, shown, pipe):
            parts.append(part)
            have += len(part)
            if have > limit:
                raise UsageError(f"{shown} is too large for a {what}: more than {limit:,} bytes")
    finally:
        os.close(file)
    return b"".join(parts)


def _read_on(file: int, shown: str, pipe: bool) -> bytes:
    # A pipe that nobody has opened to write to yet would read as one that has come to its end.
    if pipe and not select.select([file], [], [], _PATIENCE)[0]:
        raise UsageError(f"nobody writes to {shown}")
    try:
        return os.read(file, _AT_ONCE)
    except OSError as error:
        raise UsageError(f"cannot read {shown}: {error.strerror}") from None


def place_to_write(path: Path) -> Path:
    """Where a file of this name goes: links are followed, but not what somebody else has put into
    a folder that is everybody's (as fs.protected_symlinks and protected_regular have it; a name
    that is replaced is not opened, which is all that the kernel watches). Raises UsageError."""
    for _ in range(_LINKS):
        try:
            status, folder = path.lstat(), path.parent.stat()
        except FileNotFoundError:
            return path
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from None
        everybodys = folder.st_mode & stat.S_ISVTX and folder.st_mode & stat.S_IWOTH
        if everybodys and status.st_uid not in (os.geteuid(), folder.st_uid):
            raise UsageError(
                f"{path} belongs to somebody else, who may have put it there to be written to",
                hint="name a file in a folder of your own",
            )
        if not stat.S_ISLNK(status.st_mode):
            return path
        following = path.parent / path.readlink()
        if path.exists() and not following.exists():
            return path  # of /proc, whose links are no names
        path = following
    raise UsageError(f"cannot write {path}: too many links")


def changed_after(path: str | Path, moment: int) -> bool:
    """Whether a file was written after a moment, in nanoseconds since 1970."""
    try:
        return Path(path).stat().st_mtime_ns > moment
    except (OSError, ValueError):
        return False


def text_or_nothing(path: str | Path, limit: int, errors: str = "replace") -> str:
    """The text of a regular file that may as well not be there: "" where it cannot be read."""
    try:
        return read_regular(path, limit).decode("utf-8", errors)
    except UsageError:
        return ""


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """However often it takes less than all that is left. Raises OSError."""
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
