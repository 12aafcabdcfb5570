"""Memory cgroups of a test's own, where the machine lets one be made."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from goprobe.process.proc.cgroupplaces import View

_KINDS = (("memory", "memory.limit_in_bytes"), (".", "memory.max"), ("unified", "memory.max"))


@contextmanager
def memory_cgroup(mib: int) -> Iterator[Path]:
    """The folder of a cgroup that holds so much. Whoever is in it has to be ended in the `with`."""
    for root, limit in _KINDS:
        folder = Path("/sys/fs/cgroup") / root / f"goprobe-test-{os.getpid()}-{mib}"
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / limit).write_text(str(mib << 20))
        except OSError:
            folder.rmdir()
            continue
        try:
            yield folder
            return
        finally:
            _remove(folder)
    pytest.skip("no memory cgroup can be made here: nothing is known of goprobe in a container")


def enter(folder: Path) -> None:
    """Move ourselves into it: for a child between fork and exec."""
    (folder / "cgroup.procs").write_text(str(os.getpid()))


_AFRESH = "mount -t tmpfs x /sys/fs/cgroup && "  # the kernel mounts nothing twice at one place
_MOUNT_1 = (
    f"{_AFRESH}mkdir /sys/fs/cgroup/memory && mount -t cgroup -o memory x /sys/fs/cgroup/memory"
)
_MOUNT_2 = f"{_AFRESH}mount -t cgroup2 x /sys/fs/cgroup"


def is_version_2(folder: Path) -> bool:
    return (folder / "memory.max").exists()


def contained(folder: Path) -> list[str]:
    """What to put before a command for it to see this cgroup, which it is to be in, as a container
    sees its own: as the root of all."""
    mount = _MOUNT_2 if is_version_2(folder) else _MOUNT_1
    prefix = ["unshare", "-Cm", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(
            "no cgroup namespace can be made here: nothing is known of goprobe in another "
            f"container than the target ({tried.stderr.strip()})"
        )
    return prefix


def killed(folder: Path) -> int:
    """How often the kernel has ended somebody in it for want of memory."""
    for name in ("memory.oom_control", "memory.events"):
        with suppress(OSError):
            for line in (folder / name).read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    raise AssertionError(f"{folder} does not say who was ended")


def _remove(folder: Path) -> None:
    for _ in range(200):
        with suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.01)


def mounted_at(
    folder: Path, root: str = "/", kind: str = "cgroup2 x rw", whose: str = "this"
) -> View:
    """As if the hierarchy of cgroups, from `root` on, were mounted there: which version a machine
    has is not for a test to choose, but files of that shape are read alike. (mountinfo: Linux
    Documentation/filesystems/proc.rst.)"""
    device = folder.stat().st_dev
    at = str(folder).replace(" ", "\\040")
    where = f"{os.major(device)}:{os.minor(device)}"
    return View(f"30 20 {where} {root} {at} rw shared:9 - {kind}\n", Path("/"), whose)
