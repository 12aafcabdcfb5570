"""Processes by what people call them: a name, the port they listen on, their unit or container."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePath

import msgspec
import psutil

from goprobe.errors import GoprobeError
from goprobe.process.proc.procfs import read_proc
from goprobe.process.proc.sockets import listening_ports

_MOST = 20
_CGROUP_LIMIT = 1 << 16
_LEAST_OF_AN_ID = 8  # of a container's id people copy the first twelve digits
# A component of a cgroup's path that is a container's: "<id>" below docker or kubepods, or with
# the runtime's name before it: docker-<id>.scope, cri-containerd-<id>.scope, crio-<id>.scope,
# libpod-<id>.scope.
_CONTAINER = re.compile(r"(?:[\w:-]+[-:])?([0-9a-f]{64})(?:\.scope)?")
_UNIT = re.compile(r".+\.service")


class Membership(msgspec.Struct, frozen=True):
    """What a process belongs to: its systemd unit and its container's id, "" for none."""

    unit: str = ""
    container: str = ""


def processes_named(name: str) -> tuple[int, ...]:
    """The numbers of some processes whose name, or whose executable's, is `name`; oldest first."""
    processes = (process.info for process in psutil.process_iter(["pid", "name", "exe"]))
    same = (info["pid"] for info in processes if name in _names(info["name"], info["exe"]))
    return tuple(islice((pid for pid in same if pid != os.getpid()), _MOST))


def every_name() -> Iterator[tuple[str, int]]:
    """The names of all processes, each with the number of one."""
    for process in psutil.process_iter(["pid", "name"]):
        if process.info["name"] and process.info["pid"] != os.getpid():
            yield process.info["name"], process.info["pid"]


def processes_listening(port: int, name: str = "") -> tuple[int, ...]:
    """Those (of a name, where one is given) that listen on a TCP port."""
    pids = processes_named(name) if name else _every_process()
    return tuple(islice((pid for pid in pids if port in listening_ports(pid)), _MOST))


def processes_belonging(to: str) -> tuple[int, ...]:
    """Those of a systemd unit ("shop.service", "shop") or of a container, by (the beginning of) its
    id."""
    return tuple(islice((pid for pid in _every_process() if _belongs(pid, to)), _MOST))


def membership(pid: int) -> Membership:
    """By the path of its cgroup, of either version."""
    try:
        text = read_proc(pid, "cgroup", _CGROUP_LIMIT).decode(errors="replace")
    except (GoprobeError, OSError):
        return Membership()
    return membership_of(text)


def membership_of(text: str) -> Membership:
    """The same of what /proc/PID/cgroup says."""
    unit = container = ""
    for line in text.splitlines():
        for part in line.partition(":")[2].partition(":")[2].split("/"):
            if of_container := _CONTAINER.fullmatch(part):
                container = of_container[1]
            elif _UNIT.fullmatch(part) and not part.startswith("user@"):
                unit = part
    return Membership(unit, container)


def _belongs(pid: int, to: str) -> bool:
    belongs = membership(pid)
    if belongs.unit and to in (belongs.unit, belongs.unit.removesuffix(".service")):
        return True
    return len(to) >= _LEAST_OF_AN_ID and belongs.container.startswith(to.lower())


def _every_process() -> Iterator[int]:
    own = os.getpid()
    numbers = sorted(int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal())
    return (pid for pid in numbers if pid != own)


def _names(name: str | None, executable: str | None) -> tuple[str, str]:
    return name or "", PurePath((executable or "").removesuffix(" (deleted)")).name
