"""Which mappings are of shared memory: files to the kernel, with no disk behind them. It can take
nothing of them back but by swapping it out."""

from __future__ import annotations

from goprobe.errors import CannotWorkError
from goprobe.process.proc.maps import Mapping
from goprobe.process.proc.procfs import provides, read_proc

_LIMIT = 1 << 24
_IN_MEMORY = frozenset({b"tmpfs", b"ramfs", b"devtmpfs"})
# What the kernel keeps on a tmpfs of its own, mounted nowhere (mm/shmem.c, shm_mnt): mmap with
# MAP_SHARED, memfd_create, shmget.
_UNMOUNTED = ("/dev/zero (deleted)", "/memfd:", "/SYSV")


class SharedMemory:
    """Of one process: by the file systems that it sees. Raises TargetGoneError,
    NotPermittedError."""

    def __init__(self, pid: int) -> None:
        self._devices = frozenset(_devices(pid))

    def __contains__(self, mapping: Mapping) -> bool:
        return mapping.path.startswith(_UNMOUNTED) or mapping.device in self._devices


def _devices(pid: int) -> list[str]:
    """Devices of file systems in memory, as /proc/PID/maps writes them."""
    if not provides(pid, "mountinfo"):
        return []
    try:
        lines = read_proc(pid, "mountinfo", _LIMIT).splitlines()
    except CannotWorkError:  # more mounts than anybody has
        return []
    devices = []
    for line in lines:
        mount, _, super_block = line.partition(b" - ")  # Linux Documentation/filesystems/proc.rst
        kind, _, _ = super_block.partition(b" ")
        fields = mount.split(b" ", 3)
        if kind in _IN_MEMORY and len(fields) > 2:
            major, _, minor = fields[2].partition(b":")
            devices.append(f"{int(major):02x}:{int(minor):02x}")
    return devices
