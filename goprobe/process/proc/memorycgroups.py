"""The memory cgroups that a process is in, of either version, and what they have left.

What a process has mounted as its cgroups is its to fill: nothing but regular files is opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import dropwhile
from operator import itemgetter
from pathlib import Path

import msgspec

from goprobe.process.proc.cgroupplaces import Place, places
from goprobe.process.proc.gauge import UNBOUNDED, Gauge

FLOOR = 32 << 20  # bytes left: with fewer the kernel may end somebody before we look again
_FOR_A_GROUP = 3  # so many times that where the kernel would end the whole group
_TEXT_LIMIT = 1 << 16


def cgroups_of(pid: int) -> Iterator[Gauge]:
    """Every memory cgroup above a process, each once, as far as they can be seen."""
    return gauges_at(places(pid))


def gauges_at(where: Iterable[Place]) -> Iterator[Gauge]:
    """The same of the places where they may be."""
    seen: set[tuple[str, int]] = set()
    for place in where:
        for gauge in _above(place):
            if gauge.key not in seen:
                seen.add(gauge.key)
                yield gauge


class Bound(msgspec.Struct, frozen=True):
    """The least of a cgroup's bounds of one kind and of those of what it lies in, in bytes; `of`
    says whose it is where it is another's."""

    bytes: int
    of: str


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What a memory cgroup is charged with, in bytes: `parts` by the kernel's names (memory.stat)
    add up to it, but for what the kernel has not counted yet. `left` is how much more may be
    charged until `limit`; beyond `high` (memory.high) the kernel slows down who is in it and takes
    memory back. `swap` comes on top. None is what there is not. `why` says why nothing is known."""

    name: str = ""
    bytes: int = 0
    limit: Bound | None = None
    left: int | None = None
    high: Bound | None = None
    swap: int | None = None
    swap_limit: Bound | None = None
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
    return charge_at(places(pid))


def charge_at(where: Iterable[Place]) -> Charge:
    """The same of the first of the places that has one."""
    in_none = False
    for place in where:
        for folder in place.folders:
            with suppress(OSError, ValueError):
                return _charge(place, folder, _read(folder / place.names.used))
        in_none = in_none or place.whole
    return Charge(
        why="the process is in no memory cgroup but the machine's, which is charged with nothing"
        if in_none
        else "no memory cgroup of the process can be seen from here"
    )


def _charge(place: Place, folder: Path, used: int) -> Charge:
    names = place.names
    above = [*dropwhile(folder.__ne__, place.folders)]
    lefts = [
        max(limit - _read(each / names.used), 0)
        for each in above
        if (limit := _bound(each, names.limit)) is not None and (each / names.used).exists()
    ]
    return Charge(
        name=place.name(folder),
        bytes=used,
        limit=_least(place, above, names.limit),
        left=min(lefts, default=None),
        high=_least(place, above, names.high),
        swap=_swapped(folder, place),
        swap_limit=_least(place, above, names.swap_limit),
        parts=_parts(folder, used),
    )


def _least(place: Place, above: Sequence[Path], name: str) -> Bound | None:
    bounds = [(b, each) for each in above if (b := _bound(each, name)) is not None]
    if not bounds:
        return None
    least, folder = min(bounds, key=itemgetter(0))
    return Bound(least, "" if folder == above[0] else place.name(folder))


def _bound(folder: Path, name: str) -> int | None:
    with suppress(OSError, ValueError):  # "max", or no such file: at the root of all
        bound = _read(folder / name) if name else UNBOUNDED
        return bound if bound < UNBOUNDED // 2 else None
    return None


def _swapped(folder: Path, place: Place) -> int | None:
    names = place.names
    with suppress(OSError, ValueError):
        if names.swap:
            return _read(folder / names.swap)
        return _figures(folder).get(names.swapped)
    return None


def _figures(folder: Path) -> dict[str, int]:
    """What memory.stat says, as far as it makes sense."""
    figures: dict[str, int] = {}
    with suppress(OSError, ValueError):
        for line in _text(folder / "memory.stat", _TEXT_LIMIT).decode().splitlines():
            name, _, value = line.partition(" ")
            figures[name] = int(value)
    return figures


def _parts(folder: Path, used: int) -> tuple[tuple[str, int], ...]:
    figures = _figures(folder)
    wanted = next((names for names in _CHARGED if names[0] in figures), ())
    parts = [(name.removeprefix("total_"), figures.get(name, 0)) for name in wanted]
    with suppress(OSError, ValueError):  # version 1
        figures["kernel"] = _read(folder / "memory.kmem.usage_in_bytes")
    known = sum(figures.get(name, 0) for name in _OF_KERNEL if name in wanted)
    parts.append(("kernel" if not known else "other kernel", figures.get("kernel", 0) - known))
    parts.append((_REST, used - sum(size for _, size in parts)))
    return tuple((name, size) for name, size in parts if size > 0)


def _above(place: Place) -> Iterator[Gauge]:
    """Of a cgroup and all that it lies in."""
    names = place.names
    for folder in place.folders:
        for limit in filter(None, (names.limit, names.high)):
            with suppress(OSError, ValueError):  # no such controller here, or "max"
                _read(folder / limit), _read(folder / names.used)
                key = limit, folder.stat().st_ino
                left = _left_in(folder, limit, place)
                yield Gauge(place.name(folder), _floor_of(folder), left, key)


def _floor_of(folder: Path) -> int:
    """Where the kernel ends a whole cgroup for want of memory, nobody in it is the first victim:
    so it must not come to that."""
    with suppress(OSError, ValueError):
        if _read(folder / "memory.oom.group"):
            return FLOOR * _FOR_A_GROUP
    return FLOOR


def _left_in(folder: Path, limit: str, place: Place) -> Callable[[int], int]:
    """What of files is only cached would be given up."""
    names = place.names

    def left(enough: int) -> int:
        try:
            left_over = _read(folder / limit) - _read(folder / names.used)
        except (OSError, ValueError):
            return UNBOUNDED
        return (
            left_over if left_over >= enough else left_over + _figures(folder).get(names.cached, 0)
        )

    return left


def _read(path: Path) -> int:
    return int(_text(path, 64))


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
