"""Where the memory cgroups of a process are to be seen: below which mount, at which path.

/proc/PID/cgroup names a process's cgroup, /proc/PID/mountinfo what of the hierarchy is mounted
where; both as seen from the cgroup namespace of who reads them (cgroup_namespaces(7)): what lies
beside that begins with "/..". So a cgroup that is mounted nowhere that we see, as another
container's in the same pod, may be in the process's own view, which is looked at through
/proc/PID/root. That is its to fill: what a folder is, its device must say.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

import msgspec

_CGROUP_LIMIT = 1 << 20
_MOUNTS_LIMIT = 1 << 22  # more mounts than anybody has
_ESCAPED = re.compile(r"\\([0-7]{3})")  # fs/proc_namespace.c, mangle: blanks, newlines, backslashes
_INITIAL = 0xEFFFFFFB  # PROC_CGROUP_INIT_INO, Linux include/uapi/linux/nsfs.h


class Names(msgspec.Struct, frozen=True):
    """Of the files in a cgroup's folder, by the version; `cached` and `swapped` are lines of
    memory.stat. What a version has not is ""."""

    limit: str
    used: str
    cached: str
    high: str = ""
    swap: str = ""
    swap_limit: str = ""
    swapped: str = ""


# Linux Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst
VERSION1 = Names(
    "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", swapped="total_swap"
)
VERSION2 = Names(
    "memory.max",
    "memory.current",
    "inactive_file",
    high="memory.high",
    swap="memory.swap.current",
    swap_limit="memory.swap.max",
)


class Place(msgspec.Struct, frozen=True):
    """Where a cgroup may be: below which root, whose that is, and what its files are called.
    `whole` is whether the root is that of the hierarchy, which holds the machine."""

    root: Path
    path: str
    whose: str
    names: Names
    whole: bool

    @property
    def folders(self) -> Iterator[Path]:
        """Of the cgroup, and of all that it lies in, as far as the mount shows."""
        here = self.root / self.path
        for folder in (here, *here.parents):
            yield folder
            if folder == self.root:
                return

    def name(self, folder: Path) -> str:
        if folder != self.root:
            return f"the memory cgroup {folder.relative_to(self.root)}"
        if self.whole:
            return "the machine's memory cgroup"
        return f"the memory cgroup of {self.whose} container"


class View(msgspec.Struct, frozen=True):
    """What is mounted, as `mounts` (mountinfo) say, below `base`; `whose` view it is."""

    mounts: str
    base: Path
    whose: str


def places(pid: int) -> Iterator[Place]:
    """The nearest view first. None of a process that is gone."""
    try:
        memberships = _text(Path(f"/proc/{pid}/cgroup"), _CGROUP_LIMIT)
    except OSError:
        return
    yield from placed(memberships, tuple(_views(pid)))


def placed(memberships: str, views: Sequence[View]) -> Iterator[Place]:
    """Of what /proc/PID/cgroup says, in views, the nearest first."""
    for line in memberships.splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers or "memory" in controllers.split(","):
            for view in views:
                yield from _seen(view, path, VERSION1 if controllers else VERSION2)


def _views(pid: int) -> Iterator[View]:
    """Ours, and the process's own where that is another."""
    with suppress(OSError):
        yield View(_text(Path("/proc/self/mountinfo"), _MOUNTS_LIMIT), Path("/"), "this")
    with suppress(OSError):
        own = Path(f"/proc/{pid}")
        if (own / "ns/mnt").readlink() != Path("/proc/self/ns/mnt").readlink():
            yield View(_text(own / "mountinfo", _MOUNTS_LIMIT), own / "root", "its")


def _seen(view: View, path: str, names: Names) -> Iterator[Place]:
    """In the mounts of such a hierarchy that show it; the latest of those at one place."""
    shown: dict[Path, Place] = {}
    for line in view.mounts.splitlines():
        # Linux Documentation/filesystems/proc.rst, 3.5
        mount, _, about = line.partition(" - ")
        fields, (kind, *_, options) = mount.split(" "), ["", *about.split(" ")][-3:]
        if len(fields) < 5 or not _is(names, kind, options):
            continue
        root, at = (_ESCAPED.sub(lambda m: chr(int(m[1], 8)), each) for each in fields[3:5])
        folder = view.base / at.lstrip("/")
        shown.pop(folder, None)
        inside = _below(path, root)
        if inside is not None and _device(folder) == fields[2]:
            whole = root == "/" and _from_the_top()
            shown[folder] = Place(folder, inside, view.whose, names, whole)
    yield from shown.values()


def _is(names: Names, kind: str, options: str) -> bool:
    return kind == "cgroup2" if names is VERSION2 else "memory" in options.split(",")


def _below(path: str, root: str) -> str | None:
    """The rest of a path below another; what begins with ".." is beside our root, not below it."""
    whole, above = PurePosixPath(path).parts, PurePosixPath(root).parts
    rest = whole[len(above) :]
    return "/".join(rest) if whole[: len(above)] == above and ".." not in rest else None


def _device(folder: Path) -> str:
    try:
        number = folder.stat().st_dev
    except OSError:
        return ""
    return f"{os.major(number)}:{os.minor(number)}"


def _from_the_top() -> bool:
    """Whether we see the hierarchy of the machine, and not from a namespace inside of it."""
    with suppress(OSError):
        return Path("/proc/self/ns/cgroup").stat().st_ino == _INITIAL
    return True  # a kernel without such namespaces


def _text(path: Path, limit: int) -> str:
    with open(path, "rb") as file:
        return file.read(limit).decode(errors="surrogateescape")
