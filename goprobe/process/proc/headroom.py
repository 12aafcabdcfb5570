"""How much memory may still be taken: by the machine, by memory cgroups, by a process's own limits.

In a container the machine's own figure says nothing: whoever takes more than the cgroup has left
takes the whole cgroup down, and the target with it where it is in the same one.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from goprobe.process.proc.procfs import PAGE_SIZE

_CGROUPS = Path("/sys/fs/cgroup")
_UNBOUNDED = 1 << 62
_CGROUP_FLOOR = 32 << 20
_FOR_A_GROUP = 3
_MACHINES_PART, _MACHINES_MOST = 64, 128 << 20
_TEXT_LIMIT = 1 << 16


class Headroom(msgspec.Struct, frozen=True):
    """`bytes` that are left, and of `what`."""

    bytes: int
    what: str


class Gauge:
    """What bounds a process, to be read again and again. Below `floor` bytes it is in danger."""

    def __init__(self, what: str, floor: int, left: Callable[[int], int]) -> None:
        self.what = what
        self.floor = floor
        self._left = left

    def left(self, enough: int = _UNBOUNDED) -> int:
        """Bytes. With less than `enough` what is only cached counts, too: it costs time."""
        return max(self._left(enough), 0)

    def read(self) -> Headroom:
        return Headroom(self.left(), self.what)


def headroom(pid: int = 0) -> Headroom:
    """The tightest of all that bounds a process, ourselves by default."""
    readings = [gauge.read() for gauge in gauges(pid or os.getpid())]
    readings += () if pid else _of_limits()
    return min(readings, key=lambda room: room.bytes)


def gauges(pid: int) -> tuple[Gauge, ...]:
    """The machine, and every memory cgroup above a process."""
    return (_machine(), *_of_cgroups(pid))


def first_victim(pid: int = 0) -> None:
    """Where memory runs short the kernel is to end this process, ourselves by default, before all
    others. What it starts inherits that."""
    with suppress(OSError), open(f"/proc/{pid or 'self'}/oom_score_adj", "w") as file:
        file.write("1000")


def _machine() -> Gauge:
    """What the kernel would give without swapping (MemAvailable)."""
    return Gauge(
        "this machine",
        min(max(_CGROUP_FLOOR, _meminfo("MemTotal", 0) // _MACHINES_PART), _MACHINES_MOST),
        lambda _: _meminfo("MemAvailable", _UNBOUNDED),
    )


def _meminfo(key: str, absent: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return absent


def _of_limits() -> Iterator[Headroom]:
    """Our own limits (ulimit -v, -d)."""
    fields = Path("/proc/self/statm").read_text().split()
    for kind, used, name in (
        (resource.RLIMIT_AS, fields[0], "ulimit -v"),
        (resource.RLIMIT_DATA, fields[5], "ulimit -d"),
    ):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            yield Headroom(max(limit - int(used) * PAGE_SIZE, 0), f"goprobe's own limit ({name})")


class _Names(msgspec.Struct, frozen=True):
    """Of the files in a cgroup's folder; `cached` is a line of memory.stat."""

    limit: str
    used: str
    cached: str


_VERSION1 = _Names("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_VERSION2 = (
    _Names("memory.max", "memory.current", "inactive_file"),
    _Names("memory.high", "memory.current", "inactive_file"),
)


def _folders(pid: int) -> Iterator[tuple[Path, str, _Names]]:
    """Where the memory cgroup of a process may be: below which root, and what its files are."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            for root in (_CGROUPS, _CGROUPS / "unified"):
                yield from ((root, path, names) for names in _VERSION2)
        elif "memory" in controllers.split(","):
            yield _CGROUPS / "memory", path, _VERSION1


def _of_cgroups(pid: int) -> Iterator[Gauge]:
    for root, path, names in _folders(pid):
        yield from _above(root, path, names)


def _above(root: Path, path: str, names: _Names) -> Iterator[Gauge]:
    """Of a cgroup and all that it lies in."""
    here = root / path.lstrip("/")
    for folder in (here, *here.parents):
        with suppress(OSError, ValueError):  # no such controller here, or "max"
            _read(folder / names.limit), _read(folder / names.used)
            name = f"the memory cgroup {folder.relative_to(root)}"
            yield Gauge(name, _floor_of(folder), _left_in(folder, names))
        if folder == root:
            return


def _floor_of(folder: Path) -> int:
    """Where the kernel ends a whole cgroup for want of memory, nobody in it is the first victim:
    so it must not come to that."""
    with suppress(OSError, ValueError):
        if _read(folder / "memory.oom.group"):
            return _CGROUP_FLOOR * _FOR_A_GROUP
    return _CGROUP_FLOOR


def _left_in(folder: Path, names: _Names) -> Callable[[int], int]:
    """What of files is only cached would be given up."""

    def left(enough: int) -> int:
        try:
            left_over = _read(folder / names.limit) - _read(folder / names.used)
        except (OSError, ValueError):
            return _UNBOUNDED
        return (
            left_over
            if left_over >= enough
            else left_over + _stat(folder / "memory.stat", names.cached)
        )

    return left


def _read(path: Path) -> int:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(file, 64))
    finally:
        os.close(file)


def _stat(path: Path, key: str) -> int:
    with suppress(OSError, ValueError):
        with open(path) as file:
            text = file.read(_TEXT_LIMIT)
        for line in text.splitlines():
            name, _, value = line.partition(" ")
            if name == key:
                return int(value)
    return 0
