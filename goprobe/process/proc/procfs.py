"""Files of /proc/PID, read whole and bounded, with the kernel's refusals as goprobe's errors."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from goprobe.errors import CannotWorkError, NotPermittedError, TargetGoneError

PAGE_SIZE = 4096
"""Bytes of a page; x86-64 has no other base size."""

_CHUNK = 1 << 18
_GONE = (errno.ENOENT, errno.ESRCH)
_FORBIDDEN = (errno.EACCES, errno.EPERM)


def provides(pid: int, name: str) -> bool:
    """Whether this kernel has /proc/PID/`name`: true for a process that is gone, too."""
    return Path(f"/proc/{pid}/{name}").exists() or not Path(f"/proc/{pid}").exists()


def same_clock(pid: int) -> bool:
    """Whether CLOCK_MONOTONIC is the same for a process as for us: it is in our time namespace
    (man 7 time_namespaces), or the kernel has none."""
    ours, theirs = (Path(f"/proc/{who}/ns/time") for who in ("self", pid))
    try:
        return not ours.exists() or os.readlink(ours) == os.readlink(theirs)  # noqa: PTH115
    except OSError:
        return False


def resident_bytes(pid: int) -> int:
    """How much memory a process has resident, in bytes."""
    return int(read_proc(pid, "statm", 256).split()[1]) * PAGE_SIZE


def number_of_threads(pid: int) -> int:
    for line in read_proc(pid, "status", 1 << 16).splitlines():
        if line.startswith(b"Threads:"):
            return int(line.split()[1])
    return 1


def running_threads() -> int:
    """How many threads of the machine run, or want to; 0 where that is not told (man 5 proc)."""
    try:
        with open("/proc/loadavg", "rb", buffering=0) as file:
            return int(file.read(100).split()[3].partition(b"/")[0])
    except (OSError, ValueError, IndexError):
        return 0


def occupied_bytes(pid: int) -> int:
    """How much memory a process has resident or swapped out, in bytes."""
    sizes = status_sizes(pid)
    return sizes.get(b"VmRSS", 0) + sizes.get(b"VmSwap", 0)


def status_sizes(pid: int) -> dict[bytes, int]:
    """The sizes in /proc/PID/status by their names (VmRSS, VmPTE), in bytes."""
    sizes: dict[bytes, int] = {}
    for line in read_proc(pid, "status", 1 << 16).splitlines():
        key, _, rest = line.partition(b":")
        if rest.endswith(b" kB"):
            sizes[key] = int(rest[:-3]) * 1024
    return sizes


def gone(pid: int) -> TargetGoneError:
    return TargetGoneError(f"process {pid} is gone")


def not_permitted(pid: int, what: str) -> NotPermittedError:
    return NotPermittedError(
        f"not permitted to {what} of process {pid}",
        hint="run goprobe as the process's own user, as root, or with CAP_SYS_PTRACE",
    )


@contextmanager
def translated(pid: int, what: str) -> Iterator[None]:
    """Turn OSError into TargetGoneError, NotPermittedError or CannotWorkError ("cannot `what`")."""
    try:
        yield
    except OSError as error:
        if error.errno in _GONE:
            raise gone(pid) from None
        if error.errno in _FORBIDDEN:
            raise not_permitted(pid, what) from None
        raise CannotWorkError(f"cannot {what} of process {pid}: {error.strerror}") from None


@lru_cache
def check_proc(own: int) -> None:
    """Raises CannotWorkError where /proc is not that of our own PID namespace: a number would name
    another process there. `own` is our number."""
    try:
        own_pid = str(Path("/proc/self").readlink())
    except OSError:
        own_pid = ""
    if own_pid != str(own):
        what = f"calls this process {own_pid}, not {own}" if own_pid else "is not mounted"
        raise CannotWorkError(
            f"/proc is not that of this PID namespace: it {what}",
            hint="mount -t proc proc /proc in the namespace, or run goprobe outside of it",
        )


def read_proc(pid: int, name: str, limit: int) -> bytes:
    """/proc/PID/`name`, at most `limit` bytes (CannotWorkError past them)."""
    check_proc(os.getpid())
    with translated(pid, f"read {name}"):
        file = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return _read_all(file, pid, name, limit)
        finally:
            os.close(file)


def _read_all(file: int, pid: int, name: str, limit: int) -> bytes:
    chunks, have = [], 0
    while chunk := os.read(file, _CHUNK):
        chunks.append(chunk)
        have += len(chunk)
        if have > limit:
            raise CannotWorkError(f"{name} of process {pid} is longer than {limit} bytes")
    return b"".join(chunks)
