"""How much memory may still be taken: by the machine, by memory cgroups, by a process's own limits.

In a container the machine's own figure says nothing: whoever takes more than the cgroup has left
takes the whole cgroup down, and the target with it where it is in the same one.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from goprobe.process.procfs import PAGE_SIZE

_CGROUPS = Path("/sys/fs/cgroup")
_UNBOUNDED = 1 << 62


class Headroom(msgspec.Struct, frozen=True):
    """`bytes` that are left, and of `what`."""

    bytes: int
    what: str


def headroom(pid: int = 0) -> Headroom:
    """The tightest of all that bounds a process, ourselves by default."""
    limits = () if pid else tuple(_of_limits())
    found: list[Headroom] = [_machine(), *_of_cgroups(pid or os.getpid()), *limits]
    return min(found, key=lambda room: room.bytes)


def cgroup_headroom(pid: int) -> Iterator[Headroom]:
    """What every memory cgroup above a process has left."""
    yield from _of_cgroups(pid)


def _machine() -> Headroom:
    """What the kernel would give without swapping (MemAvailable)."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return Headroom(int(line.split()[1]) * 1024, "this machine")
    return Headroom(_UNBOUNDED, "this machine")


def _of_limits() -> Iterator[Headroom]:
    """Our own limits (ulimit -v, -d)."""
    fields = Path("/proc/self/statm").read_text().split()
    for kind, used, name in (
        (resource.RLIMIT_AS, fields[0], "ulimit -v"), (resource.RLIMIT_DATA, fields[5], "ulimit -d")
    ):  # fmt: skip
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            yield Headroom(max(limit - int(used) * PAGE_SIZE, 0), f"goprobe's own limit ({name})")


def _of_cgroups(pid: int) -> Iterator[Headroom]:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            for root in (_CGROUPS, _CGROUPS / "unified"):
                for limit in ("memory.max", "memory.high"):
                    yield from _above(root, path, limit, "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
            yield from _above(_CGROUPS / "memory", path, *names)


def _above(root: Path, path: str, limit: str, used: str, cached: str) -> Iterator[Headroom]:
    """Of a cgroup and all that it lies in. What of files is only cached would be given up."""
    here = root / path.lstrip("/")
    for folder in (here, *here.parents):
        with suppress(OSError, ValueError):  # no such controller here, or "max"
            left = int((folder / limit).read_text()) - int((folder / used).read_text())
            left += _stat(folder / "memory.stat", cached)
            yield Headroom(max(left, 0), f"the memory cgroup {folder.relative_to(root)}")
        if folder == root:
            return


def _stat(path: Path, key: str) -> int:
    with suppress(OSError, ValueError):
        for line in path.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == key:
                return int(value)
    return 0
