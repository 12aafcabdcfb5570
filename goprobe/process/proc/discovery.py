"""Processes by their names, for people who do not know a number."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import PurePath

import psutil

_MOST = 5


def processes_named(name: str) -> tuple[int, ...]:
    """The numbers of some processes whose name, or whose executable's, is `name`; oldest first."""
    processes = (process.info for process in psutil.process_iter(["pid", "name", "exe"]))
    same = (info["pid"] for info in processes if name in _names(info["name"], info["exe"]))
    return tuple(islice((pid for pid in same if pid != os.getpid()), _MOST))


def _names(name: str | None, executable: str | None) -> tuple[str, str]:
    return name or "", PurePath(executable or "").name
