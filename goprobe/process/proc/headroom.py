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

from goprobe.process.proc.gauge import UNBOUNDED, Gauge, Headroom
from goprobe.process.proc.memorycgroups import FLOOR, cgroups_of
from goprobe.process.proc.procfs import PAGE_SIZE

# What of the machine's memory stays free for others: this part of it, but no more than that.
_MACHINES_PART, _MACHINES_MOST = 64, 128 << 20


def headroom(pid: int = 0) -> Headroom:
    """The tightest of all that bounds a process, ourselves by default."""
    readings = [gauge.read() for gauge in gauges(pid or os.getpid())]
    readings += () if pid else _of_limits()
    return min(readings, key=lambda room: room.bytes)


def gauges(pid: int) -> tuple[Gauge, ...]:
    """The machine, and every memory cgroup above a process."""
    return (_machine(), *cgroups_of(pid))


def first_victim(pid: int = 0) -> None:
    """Where memory runs short the kernel is to end this process, ourselves by default, before all
    others. What it starts inherits that."""
    with suppress(OSError), open(f"/proc/{pid or 'self'}/oom_score_adj", "w") as file:
        file.write("1000")


def _machine() -> Gauge:
    """What the kernel would give without swapping (MemAvailable)."""
    return Gauge(
        "this machine",
        min(max(FLOOR, _meminfo("MemTotal", 0) // _MACHINES_PART), _MACHINES_MOST),
        lambda _: _meminfo("MemAvailable", UNBOUNDED),
        ("", 0),
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
