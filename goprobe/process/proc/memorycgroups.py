"""The memory cgroups that a process is in, of either version, and what they have left.

A process's cgroup need not be visible where we look: in a container it is seen below the root of a
cgroup namespace (cgroup_namespaces(7)), and one that is beside ours, as another container's in the
same pod, begins with "/.." in /proc/PID/cgroup. So where a process has a view of its own that is
looked at, too, through /proc/PID/root: what is mounted there has its container's limits at its
root. That is its to fill: nothing but regular files is opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import dropwhile
from pathlib import Path

import msgspec

from goprobe.process.proc.gauge import UNBOUNDED, Gauge

CGROUPS = Path("/sys/fs/cgroup")
FLOOR = 32 << 20  # bytes left: with fewer the kernel may end somebody before we look again
_FOR_A_GROUP = 3  # so many times that where the kernel would end the whole group
_TEXT_LIMIT = 1 << 16
_OUTSIDE = ".."


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


class _Place(msgspec.Struct, frozen=True):
    """Where a cgroup may be: below which root, whose that is, and what its files are called."""

    root: Path
    path: str
    whose: str
    names: _Names


def cgroups_of(pid: int) -> Iterator[Gauge]:
    """Every memory cgroup above a process, each once, as far as they can be seen."""
    seen: set[tuple[str, int]] = set()
    for place in _places(pid):
        for gauge in _above(place):
            if gauge.key not in seen:
                seen.add(gauge.key)
                yield gauge


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What a memory cgroup is charged with, in bytes: `parts` by the kernel's names (memory.stat)
    add up to it, but for what the kernel has not counted yet. `limit` is the least of its own and
    of those that it lies in, `limit_of` says whose where it is another's, and `left` is how much
    more may be charged; None where there is no limit. `why` says why nothing is known."""

    name: str = ""
    bytes: int = 0
    limit: int | None = None
    limit_of: str = ""
    left: int | None = None
    parts: tuple[tuple[str, int], ...] = ()
    why: str = ""


# What adds up to a charge (mm/memcontrol.c, memory_stat_format): version 2, then version 1. Each of
# the kernel's own kinds is in `kernel`, too (Linux 5.18 on).
_OF_KERNEL = ("kernel_stack", "pagetables", "sec_pagetables", "percpu", "vmalloc", "slab")
_CHARGED = (("anon", "file", "sock", *_OF_KERNEL), ("total_rss", "total_cache"))
_REST = "other"


def charge_of(pid: int) -> Charge:
    """Of the memory cgroup that a process is in, where it can be seen: of version 2 the nearest one
    that memory is counted for."""
    for place in _places(pid):
        for folder in _upwards(place):
            with suppress(OSError, ValueError):
                used = _read(folder / place.names.used)
                return _charge(place, folder, used)
    return Charge(why="no memory cgroup of the process can be seen from here")


def _charge(place: _Place, folder: Path, used: int) -> Charge:
    least: tuple[int, str] | None = None
    left: int | None = None
    for above in dropwhile(folder.__ne__, _upwards(place)):
        if (limit := _limit(above, place)) is None:
            continue
        if least is None or limit < least[0]:
            least = limit, "" if above == folder else _name(above, place)
        with suppress(OSError, ValueError):
            room = max(limit - _read(above / place.names.used), 0)
            left = room if left is None else min(left, room)
    return Charge(
        name=_name(folder, place),
        bytes=used,
        limit=least[0] if least else None,
        limit_of=least[1] if least else "",
        left=left,
        parts=_parts(folder, used),
    )


def _limit(folder: Path, place: _Place) -> int | None:
    with suppress(OSError, ValueError):  # "max"
        limit = _read(folder / place.names.limit)
        return limit if limit < UNBOUNDED // 2 else None
    return None


def _parts(folder: Path, used: int) -> tuple[tuple[str, int], ...]:
    figures: dict[str, int] = {}
    with suppress(OSError, ValueError):
        for line in _text(folder / "memory.stat", _TEXT_LIMIT).decode().splitlines():
            name, _, value = line.partition(" ")
            figures[name] = int(value)
    wanted = next((names for names in _CHARGED if names[0] in figures), ())
    parts = [(name.removeprefix("total_"), figures.get(name, 0)) for name in wanted]
    with suppress(OSError, ValueError):  # version 1
        figures["kernel"] = _read(folder / "memory.kmem.usage_in_bytes")
    known = sum(figures.get(name, 0) for name in _OF_KERNEL if name in wanted)
    parts.append(("kernel" if not known else "other kernel", figures.get("kernel", 0) - known))
    parts.append((_REST, used - sum(size for _, size in parts)))
    return tuple((name, size) for name, size in parts if size > 0)


def _places(pid: int) -> Iterator[_Place]:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for root, whose in _views(pid):
            inside = _seen_from(root, path)
            if inside is None:
                continue
            if not controllers:
                for at in (root, root / "unified"):
                    yield from (_Place(at, inside, whose, names) for names in _VERSION2)
            elif "memory" in controllers.split(","):
                yield _Place(root / "memory", inside, whose, _VERSION1)


def _views(pid: int) -> Iterator[tuple[Path, str]]:
    """Ours, and the process's own where that is another."""
    yield CGROUPS, "this"
    with suppress(OSError):
        if Path(f"/proc/{pid}/ns/mnt").readlink() != Path("/proc/self/ns/mnt").readlink():
            yield Path(f"/proc/{pid}/root") / CGROUPS.relative_to("/"), "its"


def _seen_from(root: Path, path: str) -> str | None:
    """A cgroup's path below a root. What is outside of our namespace is nowhere below our own; the
    process's own has it at the rest of the path (the machine's), or at its root (a container's)."""
    parts = path.strip("/").split("/")
    if _OUTSIDE not in parts:
        return path
    return None if root == CGROUPS else "/".join(p for p in parts if p != _OUTSIDE)


def _above(place: _Place) -> Iterator[Gauge]:
    """Of a cgroup and all that it lies in."""
    for folder in _upwards(place):
        with suppress(OSError, ValueError):  # no such controller here, or "max"
            _read(folder / place.names.limit), _read(folder / place.names.used)
            key = place.names.limit, folder.stat().st_ino
            yield Gauge(_name(folder, place), _floor_of(folder), _left_in(folder, place.names), key)


def _upwards(place: _Place) -> Iterator[Path]:
    """The folder of a cgroup, and of all that it lies in."""
    here = place.root / place.path.lstrip("/")
    for folder in (here, *here.parents):
        yield folder
        if folder == place.root:
            return


def _name(folder: Path, place: _Place) -> str:
    if folder == place.root:  # the machine's own has no limit
        return f"the memory cgroup of {place.whose} container"
    return f"the memory cgroup {folder.relative_to(place.root)}"


def _floor_of(folder: Path) -> int:
    """Where the kernel ends a whole cgroup for want of memory, nobody in it is the first victim:
    so it must not come to that."""
    with suppress(OSError, ValueError):
        if _read(folder / "memory.oom.group"):
            return FLOOR * _FOR_A_GROUP
    return FLOOR


def _left_in(folder: Path, names: _Names) -> Callable[[int], int]:
    """What of files is only cached would be given up."""

    def left(enough: int) -> int:
        try:
            left_over = _read(folder / names.limit) - _read(folder / names.used)
        except (OSError, ValueError):
            return UNBOUNDED
        return (
            left_over
            if left_over >= enough
            else left_over + _stat(folder / "memory.stat", names.cached)
        )

    return left


def _read(path: Path) -> int:
    return int(_text(path, 64))


def _stat(path: Path, key: str) -> int:
    with suppress(OSError, ValueError):
        for line in _text(path, _TEXT_LIMIT).splitlines():
            name, _, value = line.partition(b" ")
            if name == key.encode():
                return int(value)
    return 0


def _text(path: Path, limit: int) -> bytes:
    """What is no regular file is not even opened: that may do something (a FIFO, a device)."""
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):
            return b""
        file = os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    finally:
        os.close(place)
    try:
        return os.read(file, limit)
    finally:
        os.close(file)
