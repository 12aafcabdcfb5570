"""GDB, started ahead of everything else that a session needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from goprobe.errors import GoprobeError
from goprobe.process.gdb.process import GdbProcess
from goprobe.toolchain.find import find_gdb


@contextmanager
def gdb_ahead(option: str) -> Iterator[GdbProcess | None]:
    """The GDB that a session will use: it takes as long to start as Python to import the rest.

    None where there is no GDB: the session says so in its turn.
    """
    process = _started(option)
    if process is None:
        yield None
        return
    with process:
        yield process


def _started(option: str) -> GdbProcess | None:
    try:
        tool = find_gdb(option or None)
        return GdbProcess(tool.command, tool.environment)
    except GoprobeError:
        return None
