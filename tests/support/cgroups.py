"""Memory cgroups of a test's own, where the machine lets one be made."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_KINDS = (("memory", "memory.limit_in_bytes"), (".", "memory.max"), ("unified", "memory.max"))


@contextmanager
def memory_cgroup(mib: int) -> Iterator[Path]:
    """The folder of a cgroup that holds so much. Whoever is in it has to be ended in the `with`."""
    for root, limit in _KINDS:
        folder = Path("/sys/fs/cgroup") / root / f"goprobe-test-{os.getpid()}"
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
