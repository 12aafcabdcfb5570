"""Every GDB there is, for tests: the one on PATH and those of the toolchains folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from goprobe.toolchain.find import GdbTool, gdb_at

_IN_FOLDER = "gdb-*/gdb_for_pwndbg/_vendor/bin/gdb"


@cache
def gdbs() -> list[GdbTool]:
    """One of each version, oldest first. Fails loudly where there is none."""
    folder = os.environ.get("GOPROBE_TOOLCHAINS") or Path("~/.cache/goprobe/toolchains")
    paths = sorted(Path(folder).expanduser().glob(_IN_FOLDER))
    if on_path := shutil.which("gdb"):
        paths.append(Path(on_path))
    found = {tool.version: tool for tool in (gdb_at(path, "tests") for path in paths)}
    assert found, "no GDB for the tests: put it on PATH or run scripts/install-toolchains"
    return [found[version] for version in sorted(found, key=_numbers)]


def write_core(pid: int, file: Path, gdb: GdbTool | None = None) -> None:
    """What GDB's gcore command writes of a process, which goes on as it was: the newest GDB, which
    leaves out what nobody wrote. An old one (13.1) writes more than a gigabyte of zeros."""
    tool = gdb or gdbs()[-1]
    command = [*tool.command, "-nx", "-batch", "-p", str(pid), "-ex", f"gcore {file}"]
    env = {**os.environ, **tool.environment}
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=env)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
